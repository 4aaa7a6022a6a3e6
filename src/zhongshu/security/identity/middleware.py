"""Puts who acts on each request, lets API tokens in, and speaks the user's language."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import translation

from zhongshu.kernel.record import Actor

from .models import User
from .people import get_actor
from .token import find_token

__all__ = ["ActorMiddleware", "find_bearer_user"]

NOBODY = "anonymous"


class ActorMiddleware:
    """Sets `request.actor` (`kernel.record.Actor`) and, under `Authorization: Bearer <token>`, `request.user` with its `limit`.

    Stands after Django's and django-otp's authentication. A request with a token needs no CSRF proof (a browser does not send the header by itself) and its
    session is not looked at; a token that does not count is answered 401 at once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Complete the request."""
        address = str(request.META.get("REMOTE_ADDR", ""))
        given = request.headers.get("Authorization", "")
        if given[:7].lower() == "bearer ":
            user = find_bearer_user(given)
            if user is None:
                return JsonResponse({"error": "the API token is unknown, expired or revoked"}, status=401, headers={"WWW-Authenticate": "Bearer"})
            request.user = user
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        known = bool(given) or settings.SESSION_COOKIE_NAME in request.COOKIES  # without either nobody can be logged in: spare the look-up
        user = request.user if known and isinstance(request.user, User) else None  # type: ignore[assignment]
        request.actor = get_actor(user, address) if user else Actor("person", NOBODY, "", address)  # type: ignore[attr-defined]
        if user is None:
            return self.get_response(request)
        request.LANGUAGE_CODE = user.language
        with translation.override(user.language):
            return self.get_response(request)


def find_bearer_user(header: str) -> User | None:
    """Return the user of an `Authorization` header's API token, limited as the token says, or None; for endpoints that are no Django view too."""
    scheme, _, text = header.partition(" ")
    token = find_token(text.strip()) if scheme.lower() == "bearer" else None
    return token.user if token else None
