"""`zhongshu makemigrations`: for developers, write migrations for changed kinds."""

import click
from django.core.management import call_command

__all__ = ["command"]


@click.command()
@click.option("--check", is_flag=True, help="Only say whether migrations are missing; exit 1 when they are.")
@click.argument("apps", nargs=-1)
def command(check: bool, apps: tuple[str, ...]) -> None:
    """Write migrations for changed kinds (for developers)."""
    call_command("makemigrations", *apps, check=check, dry_run=check)
