"""`zhongshu backup`: one archive of the whole installation, while it runs."""

from pathlib import Path

import click
from django.conf import settings

from zhongshu.config.cli.main import Failure
from zhongshu.ops.backup import BackupError, create_backup

__all__ = ["command"]


@click.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def command(target: Path) -> None:
    """Write records, logs, lake, settings and keys to TARGET (a tar file). Keep it as safe as the installation itself: it holds the secret key."""
    if target.exists():
        raise Failure(f"{target} exists already; name a new file")
    try:
        manifest = create_backup(settings.HOUSE, target.absolute(), lambda what, count: click.echo(f"  {what}: {count:,}", err=True))
    except BackupError as error:
        raise Failure(str(error)) from error
    rows = manifest["rows"]
    total = sum(rows.values()) if isinstance(rows, dict) else 0
    click.echo(f"{target}: {target.stat().st_size / 1e6:.1f} MB, {total:,} rows of records")
