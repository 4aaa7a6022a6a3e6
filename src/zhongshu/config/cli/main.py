"""`zhongshu`: finds the command and says plainly what went wrong."""

import importlib
import os
import pkgutil
import sys
from pathlib import Path

import click

from zhongshu import __version__
from zhongshu.config.boot import boot

__all__ = ["Failure", "main"]

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


@click.command(cls=Commands)
@click.version_option(__version__, prog_name="zhongshu")
@click.option("--home", envvar="ZHONGSHU_HOME", type=click.Path(file_okay=False), help="Data folder of the installation (default ./var).")
def group(home: str | None) -> None:
    """zhongshu (中枢): a city brain."""
    if home:
        os.environ["ZHONGSHU_HOME"] = str(Path(home).absolute())


def main() -> None:
    """Run the command line."""
    try:
        group(prog_name="zhongshu")
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
