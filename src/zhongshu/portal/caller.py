"""Who asks, for endpoints that are no Django view (tiles, live streams): the session cookie or a bearer token of an ASGI request."""

import asyncio
from collections.abc import Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections
from django.utils.translation import get_supported_language_variant

from zhongshu.security.identity import User, find_session_user
from zhongshu.security.identity.middleware import find_bearer_user

__all__ = ["Caller", "Receive", "RequestScope", "Send", "call", "find_caller", "get_header", "send_plain"]

RequestScope = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[MutableMapping[str, Any]], Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """A person or program that has proved itself: by `session` (a key) or by `bearer` (the header), never both; `language` is the session's."""

    user: User
    session: str
    bearer: str
    language: str


def find_caller(scope: RequestScope) -> Caller | None:
    """Return who sent this request, or None; reads the records, so call it in a thread."""
    bearer = get_header(scope, b"authorization")
    if bearer:
        user = find_bearer_user(bearer)
        return Caller(user, "", bearer, _get_language(user)) if user else None
    key = _read_cookie(get_header(scope, b"cookie"), settings.SESSION_COOKIE_NAME)
    user = find_session_user(key) if key else None
    return Caller(user, key, "", _get_language(user)) if user else None


def get_header(scope: RequestScope, name: bytes) -> str:
    """Return the first header of this lower-case name, or an empty text."""
    return next((bytes(value).decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def call(pool: ThreadPoolExecutor, work: Callable[..., T], *given: Any) -> T:
    """Run blocking work that reads the records in a thread of `pool`; broken database connections are let go first."""

    def run() -> T:
        close_old_connections()
        return work(*given)

    return await asyncio.get_running_loop().run_in_executor(pool, run)


async def send_plain(send: Send, status: int, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Answer with a sentence."""
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind, (b"cache-control", b"no-store"), *headers]})
    await send({"type": "http.response.body", "body": text.encode()})


def _read_cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _get_language(user: User) -> str:
    try:
        return get_supported_language_variant(user.language)
    except LookupError:
        return str(settings.LANGUAGE_CODE)
