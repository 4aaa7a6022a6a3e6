"""The to-do list: the first thing seen after log-in."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from zhongshu.portal.render import Cell, tone_of
from zhongshu.portal.shell import get_user, page_context
from zhongshu.security.access import scope_for
from zhongshu.work.case import TodoRow, list_todo

__all__ = ["desk", "format_left"]


@dataclass(frozen=True)
class Column:
    """A column of a table that is not derived from a kind."""

    label: str
    align: str = ""
    unit: str = ""
    help: str = ""
    sortable: bool = False


@dataclass(frozen=True)
class Row:
    """A row of such a table."""

    url: str
    cells: list[Cell]


@login_required
def desk(request: HttpRequest) -> HttpResponse:
    """Show what waits for the caller, most urgent first."""
    rows = list_todo(get_user(request))
    overdue = sum(row.overdue for row in rows)
    labels = [_("Case"), _("Level"), _("What"), _("Where"), _("State"), _("Time left"), _("Opened")]
    parts = [ngettext("%(n)s waits for you", "%(n)s wait for you", len(rows)) % {"n": len(rows)}]
    if overdue:
        parts.append(_("%(n)s overdue") % {"n": overdue})
    context = {
        **page_context(request, "desk", _("To do")),
        "spec": {"title": _("To do"), "subtitle": " · ".join(parts) if rows else "", "columns": [Column(label) for label in labels]},
        "rows": [Row(reverse("case", args=[row.case_uid]), _build_cells(row, labels)) for row in rows],
        "empty": {
            "icon": "checks",
            "title": _("Nothing waits for you"),
            "text": _("New cases of your organisation appear here by themselves."),
            "action": {"url": reverse("records", args=["work-case"]), "label": _("All cases")} if scope_for(request.user, "work.Case", "view") else None,
        },
        "topic": "work.Case",
    }
    return render(request, "portal/desk/list.html", context)


def _build_cells(row: TodoRow, labels: list[str]) -> list[Cell]:
    left = format_left(row.left_s)
    return [
        Cell(row.case_no, label=labels[0], note=row.kind_label),
        Cell(_level_word(row.level), label=labels[1], badge=tone_of(row.level)),
        Cell(row.title, label=labels[2], note=_("worked again %(n)s×") % {"n": row.rework} if row.rework else ""),
        Cell(row.division or "–", label=labels[3], note=row.organisation),
        Cell(row.state_label, label=labels[4], badge=tone_of(row.state), note=row.assignee),
        Cell(_("overdue by %(time)s") % {"time": left} if row.overdue and (row.left_s or 0) < 0 else left, label=labels[5], badge="danger" if row.overdue else ""),
        Cell("", label=labels[6], at=row.opened_at),
    ]


def _level_word(level: str) -> str:
    words: dict[str, Any] = {"red": _("red"), "orange": _("orange"), "yellow": _("yellow"), "blue": _("blue")}
    return str(words.get(level, level))


def format_left(seconds: float | None) -> str:
    """Print a time left or past, coarse enough to be read at a glance."""
    if seconds is None:
        return "–"
    minutes = int(abs(seconds)) // 60
    if minutes >= 2 * 24 * 60:
        return _("%(n)s d") % {"n": minutes // (24 * 60)}
    if minutes >= 120:
        return _("%(n)s h") % {"n": minutes // 60}
    return _("%(n)s min") % {"n": minutes}
