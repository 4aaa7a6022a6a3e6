"""Tables of the administrator's pages, and who may open them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from zhongshu.portal.render import Cell
from zhongshu.portal.shell import page_context
from zhongshu.security.access import list_verbs

__all__ = ["AUDIT", "SYSTEM", "build_tabs", "render_table", "table", "with_right"]

SYSTEM = "ops.System"
AUDIT = "security.AuditEntry"
View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Row:
    """One row; `url` may be empty."""

    url: str
    cells: Sequence[Cell]


def with_right(kind: str, verb: str = "view") -> Callable[[View], View]:
    """Let a view run only for people with the verb on a kind that is no record (`ops.System`, `security.AuditEntry`)."""

    def wrap(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
            if verb not in list_verbs(request.user, kind):
                raise PermissionDenied(_say_refusal(kind))
            return view(request, *args, **named)

        return guarded

    return wrap


def build_tabs(user: Any, active: str) -> list[dict[str, Any]]:
    """Return the links between the administrator's pages, as far as the caller may open them."""
    pages = (
        ("admin", SYSTEM, _("Processes")),
        ("admin-connections", "sense.Connection", _("Connections")),
        ("admin-refused", SYSTEM, _("Refused input")),
        ("admin-jobs", SYSTEM, _("Jobs")),
        ("admin-deliveries", SYSTEM, _("Deliveries")),
        ("admin-audit", AUDIT, _("Audit trail")),
    )
    open_to = [(name, label) for name, kind, label in pages if "view" in list_verbs(user, kind)]
    return [{"url": reverse(name), "label": label, "active": name == active} for name, label in open_to] if len(open_to) > 1 else []


def _say_refusal(kind: str) -> str:
    return _("The audit trail is open to auditors only.") if kind == AUDIT else _("This page is for those who run the installation.")


def table(labels: Sequence[str], rows: Sequence[Sequence[Cell]], ends: Sequence[int] = ()) -> dict[str, Any]:
    """Return columns and rows for the table partial; `ends` are the numbers of right-aligned columns."""
    columns = [{"label": label, "align": "end" if i in ends else ""} for i, label in enumerate(labels)]
    return {"columns": columns, "rows": [Row("", cells) for cells in rows]}


def render_table(request: HttpRequest, active: str, title: str, content: dict[str, Any], **more: Any) -> HttpResponse:
    """Render one of the administrator's tables."""
    context = {
        **page_context(request, active, title),
        "spec": {"title": title, "subtitle": more.pop("subtitle", ""), "columns": content["columns"]},
        "rows": content["rows"],
        "tabs": build_tabs(request.user, active),
        "empty": {"icon": "circle-check", "title": more.pop("nothing", _("Nothing here")), "text": more.pop("advice", "")},
        **more,
    }
    return render(request, "portal/admin/table.html", context)
