"""`zhongshu`: finds the command and says plainly what went wrong."""

import importlib
import os
import pkgutil
import sys
from pathlib import Path

import click

from zhongshu import __version__
from zhongshu.config.boot import boot

__all__ = ["Failure", "find_sentence", "main"]

LIGHT = {"decode", "demo"}  # commands that need no database and no settings, or make them first


class Failure(click.ClickException):
    """A failure told in one plain sentence, with exit code 1."""


class Commands(click.Group):
    """Commands are modules of this package (`lake_query` is `lake-query`); each has a function `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        names = (m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]))
        return sorted(name.replace("_", "-") for name in names if name != "main")

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command, so that `--help` of one does not load all."""
        if name not in self.list_commands(ctx):
            return None
        if name not in LIGHT:
            boot()
        return importlib.import_module(f"zhongshu.config.cli.{name.replace('-', '_')}").command


def _set_home(ctx: click.Context, param: click.Parameter, home: str | None) -> None:
    if home:
        os.environ["ZHONGSHU_HOME"] = str(Path(home).absolute())


@click.command(cls=Commands)
@click.version_option(__version__, prog_name="zhongshu")
@click.option(
    "--home",
    envvar="ZHONGSHU_HOME",
    type=click.Path(file_okay=False),
    help="Data folder of the installation (default ./var).",
    callback=_set_home,
    is_eager=True,  # a command boots when it is looked up, before this group runs
    expose_value=False,
)
def group() -> None:
    """Run a city brain (zhongshu, 中枢)."""


PLAIN = {
    "zhongshu.kernel.home.SettingsError": "",
    "zhongshu.kernel.pack.PackError": "",
    "zhongshu.kernel.digest.DigestMismatch": "",
    "zhongshu.kernel.lake.table.LakeError": "",
    "zhongshu.kernel.lake.rewrite.LakeBusy": "",
    "zhongshu.kernel.log.log.LogError": "",
    "zhongshu.kernel.port.PortError": "",
    "zhongshu.security.audit.key.SealKeyMissing": "",
    "zhongshu.ops.backup.archive.BackupError": "",
    "django.db.utils.DatabaseError": "the records database cannot be used ({}); if it is new, run 'zhongshu migrate', else see 'zhongshu doctor'",
    "django.core.exceptions.ImproperlyConfigured": "the settings cannot be used: {}",
    "builtins.PermissionError": "not allowed: {}",
    "builtins.OSError": "the system refused: {}",
}
"""Errors that are somebody's to mend and no bug of ours, by name, so that no command loads what it does not need; with the sentence around their message."""


def find_sentence(error: BaseException) -> str | None:
    """Return the one plain sentence for a known kind of error, or None for a bug."""
    for kind in type(error).__mro__:
        sentence = PLAIN.get(f"{kind.__module__}.{kind.__qualname__}")
        if sentence is not None:
            return (sentence or "{}").format(" ".join(str(error).split()))
    return None


def main() -> None:
    """Run the command line. Known kinds of errors end it with one sentence and exit code 1; a bug ends it with its traceback."""
    try:
        group(prog_name="zhongshu")
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
    except Exception as error:
        sentence = find_sentence(error)
        if sentence is None:
            raise
        click.echo(f"Error: {sentence}", err=True)
        sys.exit(1)
