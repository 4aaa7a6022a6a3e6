"""`zhongshu restore`: read a backup into an empty installation."""

from pathlib import Path

import click
from django.conf import settings

from zhongshu.config.cli.main import Failure
from zhongshu.kernel.digest import note_digests
from zhongshu.ops.backup import BackupError, restore_backup

__all__ = ["command"]


@click.command()
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
def command(source: Path) -> None:
    """Read SOURCE into this installation, whose records must be empty. A backup from SQLite can be read into PostgreSQL and the other way round."""
    try:
        manifest = restore_backup(settings.HOUSE, source, lambda what, count: click.echo(f"  {what}: {count:,}", err=True))
    except BackupError as error:
        raise Failure(str(error)) from error
    note_digests()
    click.echo(f"restored the state of {manifest['taken_at']} (version {manifest['version']})")
