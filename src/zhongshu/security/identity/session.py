"""Logging in and out, and the sessions that follow from it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import django_otp
from django.contrib import auth
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from zhongshu.kernel.record import Actor, transaction
from zhongshu.security.audit import create_entry

from .models import User
from .token_models import UserSession

__all__ = ["LogInRefused", "SessionInfo", "confirm_log_in", "end_session", "end_sessions", "find_session_user", "list_sessions", "log_in", "log_out"]


PENDING = "zhongshu_pending"
CODE_SECONDS, CODE_TRIES = 300, 5


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
            request.session[PENDING] = {"user": str(user.uid), "backend": user.backend, "at": datetime.now(UTC).timestamp(), "left": CODE_TRIES}
            raise LogInRefused("code-needed", _("Please enter the code of your authenticator."))
        device = _prove(user, code, address)
    return _begin_session(request, user, device)


def confirm_log_in(request: HttpRequest, code: str) -> User:
    """Finish a log-in that asked for a code, within five minutes and five tries. Raises `LogInRefused`; reason `wrong` means the log-in starts over."""
    pending = request.session.get(PENDING)
    if not pending or datetime.now(UTC).timestamp() - pending["at"] > CODE_SECONDS or pending["left"] <= 0:
        request.session.pop(PENDING, None)
        raise LogInRefused("wrong", _("The log-in took too long or the code was wrong too often. Please start again."))
    user = User.objects.filter(uid=pending["user"], is_active=True).first()
    if user is None:
        raise LogInRefused("wrong", _("The log-in name or the password is wrong."))
    request.session[PENDING] = {**pending, "left": pending["left"] - 1}
    device = _prove(user, code, str(request.META.get("REMOTE_ADDR", "")))
    user.backend = pending["backend"]
    request.session.pop(PENDING, None)
    return _begin_session(request, user, device)


def _prove(user: User, code: str, address: str) -> Any:
    device = _match_code(user, code.replace(" ", "").lower())
    if device is None:
        create_entry(Actor("person", user.username, "", address), "log-in-failed", "wrong code", kind="security.User", record_uid=str(user.uid))
        raise LogInRefused("code-wrong", _("The code is wrong or was used already."))
    return device


def _begin_session(request: HttpRequest, user: User, device: Any) -> User:
    address = str(request.META.get("REMOTE_ADDR", ""))
    auth.login(request, user)
    request.user = user
    if device is not None:
        django_otp.login(request, device)
    request.session.save()
    agent = str(request.META.get("HTTP_USER_AGENT", ""))[:200]
    with transaction():
        UserSession.objects.create(session_key=str(request.session.session_key), user=user, address=address, agent=agent, started_at=datetime.now(UTC))
        create_entry(Actor("person", user.name, str(user.uid), address), "log-in", kind="security.User", record_uid=str(user.uid))
    return user


def _match_code(user: User, code: str) -> Any:
    # Recovery codes have a hyphen. Only devices of the kind that was typed are asked, because a wrong code makes a device wait,
    # twice as long each time (django-otp's throttling).
    kind = StaticDevice if "-" in code else TOTPDevice
    with transaction():
        devices = kind.objects.select_for_update().filter(user=user, confirmed=True)
        return next((device for device in devices if device.verify_token(code)), None)


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
    user = User.objects.filter(pk=data[auth.SESSION_KEY], is_active=True).first() if auth.SESSION_KEY in data else None
    if user is None or not constant_time_compare(str(data.get(auth.HASH_SESSION_KEY, "")), user.get_session_auth_hash()):
        return None
    shown = data.get(django_otp.DEVICE_ID_SESSION_KEY)
    device = Device.from_persistent_id(shown) if shown else None
    user.is_verified = partial(bool, device is not None and device.user_id == user.pk)  # type: ignore[attr-defined]
    return user
