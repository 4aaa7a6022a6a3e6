"""`zhongshu verify-audit`: is the trail as it was sealed?"""

import click

from zhongshu.security.audit import verify_audit

__all__ = ["command"]


@click.command()
@click.option("--limit", default=50, show_default=True, help="Print at most this many findings.")
def command(limit: int) -> None:
    """Check the whole audit trail; exit 1 when an entry was changed, removed, inserted or cut off."""
    report = verify_audit()
    for finding in report.findings[:limit]:
        click.echo(f"{finding.kind}: {finding.text}")
    if len(report.findings) > limit:
        click.echo(f"… and {len(report.findings) - limit} more")
    summary = f"{report.entries} entries under {report.seals} seals, {report.unsealed} not sealed yet"
    if not report.ok:
        raise click.ClickException(f"the trail was tampered with or is incomplete: {len(report.findings)} findings in {summary}")
    click.echo(f"the trail is whole: {summary}")
