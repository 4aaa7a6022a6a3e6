"""`zhongshu user`: people who log in."""

import getpass
import sys

import click
from django.core.exceptions import ValidationError

from zhongshu.kernel.record import Actor
from zhongshu.security.access import create_grant
from zhongshu.security.identity import User, change_password, close_user, create_user, open_user, unlock_user

__all__ = ["command"]


@click.group()
def command() -> None:
    """Create users, set passwords, lock and unlock."""


@command.command()
@click.argument("username")
@click.option("--name", required=True, help="The person's name.")
@click.option("--role", "roles", multiple=True, help="Grant this role without restriction; may be repeated.")
def create(username: str, name: str, roles: tuple[str, ...]) -> None:
    """Create a user; the password is asked for, or read from standard input when that is no terminal."""
    try:
        user = create_user(_who(), "created on the command line", username=username, name=name, password=_ask())
        for role in roles:
            create_grant(_who(), "granted on the command line", role, user=user)
    except ValidationError as error:
        raise click.ClickException("; ".join(error.messages)) from error
    click.echo(f"{user.username} may log in")


@command.command()
@click.argument("username")
def password(username: str) -> None:
    """Set a user's password; ends all sessions of the user."""
    user = _get(username)
    try:
        change_password(_who(), "password set on the command line", user, _ask())
    except ValidationError as error:
        raise click.ClickException("; ".join(error.messages)) from error
    click.echo(f"{user.username} has a new password")


@command.command()
@click.argument("username")
@click.option("--off", is_flag=True, help="Let the user in again, and forget failed log-ins.")
def lock(username: str, off: bool) -> None:
    """Let a user in no more; sessions, tokens and rights end at once."""
    user = _get(username)
    if off:
        unlock_user(_who(), "unlocked on the command line", user)
        open_user(_who(), "unlocked on the command line", user)
    else:
        close_user(_who(), "locked on the command line", user)
    click.echo(f"{user.username} {'may log in again' if off else 'is locked'}")


def _get(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise click.ClickException(f"there is no user {username!r}")
    return user


def _ask() -> str:
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True)) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _who() -> Actor:
    return Actor("command", getpass.getuser())
