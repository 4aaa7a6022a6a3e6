"""`zhongshu restore`: read a backup into an empty installation."""

import getpass
from pathlib import Path

import click
from django.conf import settings

from zhongshu.config.cli.main import Failure
from zhongshu.ops.backup import BackupError, restore_backup

__all__ = ["command"]


@click.command()
@click.argument("source", type=click.Path(dir_okay=False, path_type=Path))
def command(source: Path) -> None:
    """Read SOURCE into this installation, which must be empty and stopped. A backup from SQLite can be read into PostgreSQL and the other way round."""
    try:
        manifest = restore_backup(settings.HOUSE, source, lambda what, count: click.echo(f"  {what}: {count:,}", err=True), getpass.getuser())
    except BackupError as error:
        raise Failure(str(error)) from error
    if settings.HOUSE.path("zhongshu.toml.restored").exists():
        click.echo("the backup's settings are in zhongshu.toml.restored; what you want of them belongs in zhongshu.toml", err=True)
    click.echo(f"restored the state of {manifest['taken_at']} (version {manifest['version']}); run 'zhongshu doctor'")
