"""Tables of the administrator's pages, and who may open them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from zhongshu.portal.render import Cell
from zhongshu.portal.shell import page_context
from zhongshu.security.access import check_verb

__all__ = ["SYSTEM", "build_tabs", "render_table", "table", "with_right"]

SYSTEM = "ops.System"
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
            check_verb(request.user, kind, verb)
            return view(request, *args, **named)

        return guarded

    return wrap


def build_tabs(active: str) -> list[dict[str, Any]]:
    """Return the links between the administrator's pages."""
    pages = (
        ("admin", _("Processes")),
        ("admin-connections", _("Connections")),
        ("admin-refused", _("Refused input")),
        ("admin-jobs", _("Jobs")),
        ("admin-deliveries", _("Deliveries")),
        ("admin-audit", _("Trail")),
    )
    return [{"url": reverse(name), "label": label, "active": name == active} for name, label in pages]


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
        "tabs": build_tabs(active),
        "empty": {"icon": "circle-check", "title": more.pop("nothing", _("Nothing here")), "text": more.pop("advice", "")},
        **more,
    }
    return render(request, "portal/admin/table.html", context)
