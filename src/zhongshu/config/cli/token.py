"""`zhongshu token`: API tokens."""

import getpass
from datetime import UTC, datetime

import click

from zhongshu.kernel.record import Actor
from zhongshu.security.access import Role
from zhongshu.security.identity import Token, User, create_token, revoke_token

__all__ = ["command"]


@click.group()
def command() -> None:
    """Create and revoke API tokens."""


@command.command()
@click.option("--user", "username", required=True, help="Log-in name of the user the token acts as.")
@click.option("--role", default="", help="Limit the token to this role of the user.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Last moment (UTC); default: never.")
@click.option("--name", default="", help="What the token is for.")
def create(username: str, role: str, expires: datetime | None, name: str) -> None:
    """Create a token and print it; it is shown this once only."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise click.ClickException(f"there is no user {username!r}")
    if role and not Role.objects.filter(code=role).exists():
        raise click.ClickException(f"there is no role {role!r}; known are {', '.join(Role.objects.order_by('code').values_list('code', flat=True))}")
    try:
        _token, text = create_token(_who(), "created on the command line", user, role, expires.replace(tzinfo=UTC) if expires else None, name)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(text)


@command.command()
@click.argument("prefix")
def revoke(prefix: str) -> None:
    """End the token that begins with PREFIX."""
    token = Token.objects.filter(prefix=prefix.partition(".")[0]).first()
    if token is None:
        raise click.ClickException(f"there is no token that begins with {prefix!r}")
    revoke_token(_who(), "revoked on the command line", token)
    click.echo(f"{token.prefix} counts no more")


def _who() -> Actor:
    return Actor("command", getpass.getuser())
