"""`zhongshu migrate`: bring the records database to this version."""

import click
from django.core.management import call_command

from zhongshu.kernel.digest import note_digests
from zhongshu.kernel.pack import find_packs
from zhongshu.security.access import sync_roles

__all__ = ["command"]


@click.command()
def command() -> None:
    """Create or upgrade the records database of this installation."""
    call_command("migrate", interactive=False, verbosity=1)
    note_digests()
    sync_roles(find_packs())
