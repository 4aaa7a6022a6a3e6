"""Logging in and out, and the sessions that follow from it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import django_otp
from django.contrib import auth
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from zhongshu.kernel.record import Actor, transaction
from zhongshu.security.audit import create_entry

from .models import User
from .token_models import UserSession

__all__ = ["LogInRefused", "SessionInfo", "end_session", "end_sessions", "find_session_user", "list_sessions", "log_in", "log_out"]


class LogInRefused(Exception):
    """Nobody was logged in. `reason` is wrong, locked, code-needed or code-wrong; the message may be shown and tells nothing about which users exist."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class SessionInfo:
    """One place where a user is logged in."""

    key: str
    address: str
    agent: str
    started_at: datetime


def log_in(request: HttpRequest, username: str, password: str, code: str = "") -> User:
    """Log a user in: password, then a one-time or recovery code when the user has enrolled. Raises `LogInRefused`.

    Too many failures of a name from an address lock it out for a while (`[security] attempts`, `lockout_minutes`). Every attempt leaves an entry in the trail.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    somebody = Actor("person", username[:100], "", address)
    user = auth.authenticate(request, username=username, password=password)
    if getattr(request, "axes_locked_out", False):
        create_entry(somebody, "locked-out", kind="security.User")
        raise LogInRefused("locked", _("Too many failed log-ins. Please wait and try again later."))
    if not isinstance(user, User):
        create_entry(somebody, "log-in-failed", "wrong name or password", kind="security.User")
        raise LogInRefused("wrong", _("The log-in name or the password is wrong."))
    device = None
    if django_otp.user_has_device(user):
        if not code:
            raise LogInRefused("code-needed", _("Please enter the code of your authenticator."))
        device = django_otp.match_token(user, code.replace(" ", ""))
        if device is None:
            create_entry(somebody, "log-in-failed", "wrong code", kind="security.User", record_uid=str(user.uid))
            raise LogInRefused("code-wrong", _("The code is wrong or was used already."))
    auth.login(request, user)
    if device is not None:
        django_otp.login(request, device)
    request.session.save()
    agent = str(request.META.get("HTTP_USER_AGENT", ""))[:200]
    with transaction():
        UserSession.objects.create(session_key=request.session.session_key, user=user, address=address, agent=agent, started_at=datetime.now(UTC))
        create_entry(Actor("person", user.name, str(user.uid), address), "log-in", kind="security.User", record_uid=str(user.uid))
    return user


def log_out(request: HttpRequest) -> None:
    """End the session of this request."""
    user = request.user
    if isinstance(user, User):
        UserSession.objects.filter(session_key=request.session.session_key).delete()
        by = Actor("person", user.name, str(user.uid), str(request.META.get("REMOTE_ADDR", "")))
        create_entry(by, "log-out", kind="security.User", record_uid=str(user.uid))
    auth.logout(request)


def list_sessions(user: User) -> list[SessionInfo]:
    """Return where the user is logged in, newest first."""
    rows = UserSession.objects.filter(user=user).order_by("-started_at")
    live = set(Session.objects.filter(session_key__in=[row.session_key for row in rows], expire_date__gt=datetime.now(UTC)).values_list("session_key", flat=True))
    return [SessionInfo(row.session_key, row.address, row.agent, row.started_at) for row in rows if row.session_key in live]


def end_session(user: User, key: str) -> bool:
    """End one session of the user; returns whether it was his."""
    with transaction():
        mine = UserSession.objects.filter(user=user, session_key=key).delete()[0]
        if mine:
            Session.objects.filter(session_key=key).delete()
    return bool(mine)


def end_sessions(user: User, keep: str = "") -> int:
    """End all sessions of the user but `keep`; returns how many."""
    with transaction():
        rows = UserSession.objects.filter(user=user).exclude(session_key=keep)
        keys = list(rows.values_list("session_key", flat=True))
        Session.objects.filter(session_key__in=keys).delete()
        rows.delete()
    return len(keys)


def find_session_user(key: str) -> User | None:
    """Return who is logged in under a session key, for endpoints that are no Django view (live streams), or None.

    Checks what Django's middleware checks: expiry, the user being active, and the password being the one the session began with.
    """
    row = Session.objects.filter(session_key=key, expire_date__gt=datetime.now(UTC)).first()
    data = row.get_decoded() if row else {}
    user = User.objects.filter(pk=data.get(auth.SESSION_KEY), is_active=True).first() if data else None
    if user is None or not constant_time_compare(str(data.get(auth.HASH_SESSION_KEY, "")), user.get_session_auth_hash()):
        return None
    device = data.get(django_otp.DEVICE_ID_SESSION_KEY)
    user.is_verified = partial(bool, device)  # type: ignore[attr-defined]
    return user
