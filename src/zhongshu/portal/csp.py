"""The content-security policy of every page: nothing inline but what carries this answer's nonce."""

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

__all__ = ["CspMiddleware", "csp_nonce"]

POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
    "worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class CspMiddleware:
    """Gives each request a nonce and each answer the policy that names it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the policy."""
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY.format(nonce=nonce))
        return response


def csp_nonce(request: HttpRequest) -> dict[str, str]:
    """Template context: the nonce of this answer."""
    return {"csp_nonce": getattr(request, "csp_nonce", "")}
