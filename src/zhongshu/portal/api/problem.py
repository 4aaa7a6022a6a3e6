"""The one error shape of the house: RFC 9457 problem details."""

from collections.abc import Sequence
from typing import Any

from django.http import JsonResponse

__all__ = ["Problem", "build_problem"]

TITLES = {
    400: "Bad request",
    401: "Not logged in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Version differs",
    413: "Too large",
}


class Problem(Exception):
    """A refusal told to a program: status, one sentence, and one entry per wrong field."""

    def __init__(self, status: int, detail: str, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, list(errors)


def build_problem(problem: Problem) -> JsonResponse:
    """Render a problem as `application/problem+json`."""
    body: dict[str, Any] = {"type": "about:blank", "title": TITLES.get(problem.status, "Error"), "status": problem.status, "detail": problem.detail}
    if problem.errors:
        body["errors"] = problem.errors
    response = JsonResponse(body, status=problem.status, content_type="application/problem+json", json_dumps_params={"ensure_ascii": False})
    if problem.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="zhongshu"'
    return response
