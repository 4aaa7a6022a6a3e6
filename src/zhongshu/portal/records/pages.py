"""Specs and rows → what the list template prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import KindSpec, build_surface, get_kind
from zhongshu.kernel.record import Record
from zhongshu.portal.render import Cell, ColumnSpec, FilterSpec, ListSpec, build_cell, find_words
from zhongshu.security.access import Scope
from zhongshu.security.mask import mask_value

from .address import record_url
from .query import COUNT_LIMIT, Page, get_model, is_shown

__all__ = ["build_cells", "build_list_page"]

CHOICES_MOST = 200


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    url: str
    cells: list[Cell]


def build_list_page(kind: KindSpec, scope: Scope, page: Page, asked: Mapping[str, str]) -> dict[str, Any]:
    """Build the context of `desk/list.html` for one page of records."""
    spec: ListSpec = build_surface(kind, "list")
    base = reverse("records", args=[kind.slug])
    active = {name: value for name, value in asked.items() if value and name not in ("page", "order")}
    return {
        "spec": {"title": capfirst(kind.label_plural), "subtitle": "", "columns": [_head(c, base, asked) for c in spec.columns]},
        "rows": [Row(record_url(kind, r), build_cells(kind, scope, r, spec.columns)) for r in page.rows],
        "pager": _pager(page, base, asked) if page.total else None,
        "filters": [_text_filter(asked)] * bool(spec.search) + [f for f in (_build_filter(f, asked) for f in spec.filters) if f],
        "query": {"url": base, "active": bool(active), "clear_url": base, "sort": ""},
        "topic": kind.name,
        "empty": {"icon": kind.icon, "title": _("Nothing here yet"), "text": _("What you may see of this kind will be listed here.")},
    }


def build_cells(kind: KindSpec, scope: Scope, record: Record, columns: tuple[ColumnSpec, ...]) -> list[Cell]:
    """Print the columns of one record, masked where the caller's ceiling for this very row is too low."""
    made, units = [], dict(kind.units)
    for column in columns:
        found = kind.get_field(column.name)
        hidden = bool(found.classified) and not is_shown(scope, kind, record, found)
        value = getattr(record, column.name)
        url = record_url(get_kind(found.target), value) if found.type == "ref" and value is not None else ""
        unit = _follow(record, units.get(column.name, ""))
        made.append(build_cell(found, value, mask_value if hidden else None, url, unit, find_words(kind.name, column.name)))
    return made


def _follow(record: Any, path: str) -> str:
    for name in path.split(".") if path else ():
        record = getattr(record, name, None)
    return str(record or "") if path else ""


def _head(column: ColumnSpec, base: str, asked: Mapping[str, str]) -> dict[str, Any]:
    order = asked.get("order", "")
    now = "asc" if order == column.name else "desc" if order == f"-{column.name}" else ""
    wanted = {**asked, "order": f"-{column.name}" if now == "asc" else column.name}
    wanted.pop("page", None)
    return {
        "label": column.label,
        "unit": column.unit,
        "align": column.align,
        "sortable": column.sortable,
        "sorted": now,
        "sort_url": f"{base}?{urlencode(wanted)}",
    }


def _pager(page: Page, base: str, asked: Mapping[str, str]) -> dict[str, Any]:
    def to(number: int) -> str:
        return f"{base}?{urlencode({**asked, 'page': number})}" if 1 <= number <= page.pages else ""

    first = (page.number - 1) * page.size + 1
    total = f"{COUNT_LIMIT:,}+" if page.more else f"{page.total:,}"
    return {"first": first, "last": first + len(page.rows) - 1, "total_text": total, "prev_url": to(page.number - 1), "next_url": to(page.number + 1)}


def _text_filter(asked: Mapping[str, str]) -> dict[str, Any]:
    return {"kind": "text", "name": "q", "label": _("Search"), "value": asked.get("q", ""), "placeholder": _("name or number")}


def _build_filter(spec: FilterSpec, asked: Mapping[str, str]) -> dict[str, Any] | None:
    chosen = asked.get(spec.name, "")
    if spec.type == "flag":
        choices: list[tuple[str, Any]] = [("1", _("yes")), ("0", _("no"))]
    elif spec.choices:
        choices = list(spec.choices)
    else:
        choices = _reference_choices(spec, chosen)
    if not choices and not chosen:
        return None
    options = [{"value": "", "label": _("all"), "selected": not chosen}]
    options += [{"value": value, "label": label, "selected": str(value) == chosen} for value, label in choices]
    return {"kind": "select", "name": spec.name, "label": spec.label, "choices": options}


def _reference_choices(spec: FilterSpec, chosen: str) -> list[tuple[str, Any]]:
    rows: Any = get_model(get_kind(spec.target))._default_manager.order_by("pk")
    if spec.target == "kernel.Division":
        rows = rows.filter(level__in=["city", "county"]).order_by("left")
    found = [(str(row.uid), str(row)) for row in rows[: CHOICES_MOST + 1]]
    if len(found) > CHOICES_MOST:
        found = []
    if chosen and chosen not in dict(found):
        one = rows.model._default_manager.filter(uid=chosen).first()
        found += [(chosen, str(one))] if one is not None else []
    return found
