"""Creating and changing organisations, posts and users."""

from typing import Any, TypeVar

from axes.utils import reset as reset_attempts
from django.contrib.auth.password_validation import validate_password

from zhongshu.kernel.record import Actor, Record, change
from zhongshu.security.audit import create_entry

from .models import Organisation, Post, User
from .session import end_sessions
from .tree import renumber_organisations

__all__ = [
    "change_organisation",
    "change_password",
    "change_user",
    "close_user",
    "create_organisation",
    "create_post",
    "create_user",
    "get_actor",
    "open_user",
    "unlock_user",
]

R = TypeVar("R", bound=Record)
STAMPS = ["recorded_at", "changed_at", "password"]


def get_actor(user: User, address: str = "") -> Actor:
    """Return the user as the one who acts."""
    return Actor("person", user.name or user.username, str(user.uid), address)


def create_organisation(by: Actor, why: str, **values: Any) -> Organisation:
    """Create an organisation at its place in the tree. Raises `ValidationError` per field."""
    return change_organisation(by, why, Organisation(), **values)


def change_organisation(by: Actor, why: str, organisation: Organisation, **values: Any) -> Organisation:
    """Change an organisation; a new place numbers the tree again. Raises `ValidationError`, `TreeError` for a circle, `Conflict`; returns the record read anew."""
    with change(by, why):
        _write(organisation, values)
        renumber_organisations()
    return organisation.refresh()


def create_post(by: Actor, why: str, **values: Any) -> Post:
    """Create a post. Raises `ValidationError` per field."""
    with change(by, why):
        return _write(Post(), values)


def create_user(by: Actor, why: str, *, username: str, name: str, password: str = "", **values: Any) -> User:
    """Create a user; without a password nobody can log in as this user until one is set. Raises `ValidationError` for a weak password or wrong values."""
    user = User(username=username, name=name)
    if password:
        validate_password(password, user)
        user.set_password(password)
    else:
        user.set_unusable_password()
    with change(by, why):
        return _write(user, values)


def change_user(by: Actor, why: str, user: User, **values: Any) -> User:
    """Change a user's data; not password or `is_active`, which end sessions and have functions of their own."""
    refused = {"password", "is_active"} & values.keys()
    if refused:
        raise ValueError(f"{refused.pop()} is changed by change_password, close_user or open_user")
    with change(by, why):
        return _write(user, values)


def change_password(by: Actor, why: str, user: User, password: str, keep_session: str = "") -> None:
    """Set a new password and end all sessions of the user but `keep_session` (a session key). Raises `ValidationError` for a weak one."""
    validate_password(password, user)
    user.set_password(password)
    with change(by, why):
        user.save()
        end_sessions(user, keep=keep_session)


def close_user(by: Actor, why: str, user: User) -> None:
    """Let a user in no more: sessions end, tokens and grants stop counting."""
    user.is_active = False
    with change(by, why):
        user.save()
        end_sessions(user)


def open_user(by: Actor, why: str, user: User) -> None:
    """Let a closed user in again."""
    user.is_active = True
    with change(by, why):
        user.save()


def unlock_user(by: Actor, why: str, user: User) -> int:
    """Forget the failed log-ins of a user who is locked out; returns how many there were."""
    create_entry(by, "unlocked", why, kind="security.User", record_uid=str(user.uid))
    return int(reset_attempts(username=user.username))


def _write(record: R, values: dict[str, Any]) -> R:
    for name, value in values.items():
        record._meta.get_field(name)
        setattr(record, name, value)
    record.full_clean(exclude=STAMPS)
    record.save()
    return record
