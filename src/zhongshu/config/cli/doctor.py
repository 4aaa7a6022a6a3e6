"""`zhongshu doctor`: look at everything this installation needs."""

import json
import sys

import click
from django.conf import settings

from zhongshu.ops.doctor import examine

__all__ = ["command"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list instead of lines.")
def command(as_json: bool) -> None:
    """Check Python, settings, database, lake, logs, broker and processes; exit 1 when something is not well."""
    findings = []
    for finding in examine(settings.HOUSE):
        findings.append(finding)
        if not as_json:
            click.echo(f"{'ok ' if finding.ok else 'BAD'}  {finding.name}: {finding.text}" + ("" if finding.ok else f"\n     → {finding.remedy}"))
    if as_json:
        click.echo(json.dumps([vars(f) for f in findings], ensure_ascii=False, indent=1))
    sys.exit(0 if all(f.ok for f in findings) else 1)
