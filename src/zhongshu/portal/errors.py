"""Error pages: one plain sentence, and what to do."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

__all__ = ["bad_request", "not_allowed", "not_found", "server_error"]


def _page(request: HttpRequest, status: int, detail: str = "") -> HttpResponse:
    return render(request, "portal/error.html", {"status": status, "detail": detail, "path": request.path}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    return _page(request, 400)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 with the refusing view's own words."""
    return _page(request, 403, str(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404; only our own sentences are shown, never Django's list of addresses."""
    said = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return _page(request, 404, said)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    return _page(request, 500)
