"""`zhongshu migrate`: bring the records database to this version."""

import click
from django.core.management import call_command

from zhongshu.kernel.digest import note_digests
from zhongshu.kernel.pack import find_packs
from zhongshu.kernel.record import SYSTEM
from zhongshu.security.access import sync_roles
from zhongshu.sense.device.feed import sync_feeds

__all__ = ["command", "migrate_records"]


def migrate_records(verbosity: int = 1) -> None:
    """Bring tables, digests, roles and feeds of the installation to this version."""
    call_command("migrate", interactive=False, verbosity=verbosity)
    note_digests()
    sync_roles(find_packs())
    sync_feeds(SYSTEM)


@click.command()
def command() -> None:
    """Create or upgrade the records database of this installation."""
    migrate_records()
