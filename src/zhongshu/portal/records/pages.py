"""Specs and rows → what the list and detail templates print."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from zhongshu.kernel.derive import KindSpec, build_surface, get_kind
from zhongshu.kernel.record import Record, list_history
from zhongshu.kernel.registry import registry
from zhongshu.portal.render import Cell, ColumnSpec, DetailSpec, FilterSpec, ListSpec, build_cell
from zhongshu.security.access import Scope
from zhongshu.security.mask import mask_value

from .query import COUNT_LIMIT, Page, get_model, get_rows, is_shown

__all__ = ["Panel", "add_panels", "build_list_page", "build_panels", "build_related", "build_trail", "record_url"]

RELATED = 5
TRAIL = 30
CHOICES_MOST = 200


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    url: str
    cells: list[Cell]


@dataclass(frozen=True)
class Panel:
    """One card of a detail page; `map`, `chart`, `table` or `template` where it is more than values."""

    title: Any
    items: list[Cell] = field(default_factory=list)
    map: dict[str, Any] | None = None
    chart: dict[str, Any] | None = None
    table: dict[str, Any] | None = None
    template: str = ""
    url: str = ""
    text: str = ""


PanelBuilder = Callable[[Any], list[Panel]]


def record_url(kind: KindSpec, record: Record) -> str:
    """Return the address of a record's page."""
    return reverse("record", args=[kind.slug, record.uid])


def build_list_page(kind: KindSpec, scope: Scope, page: Page, asked: Mapping[str, str]) -> dict[str, Any]:
    """Build the context of `desk/list.html` for one page of records."""
    spec: ListSpec = build_surface(kind, "list")
    base = reverse("records", args=[kind.slug])
    active = {name: value for name, value in asked.items() if value and name not in ("page", "order")}
    return {
        "spec": {"title": kind.label_plural, "subtitle": "", "columns": [_head(c, base, asked) for c in spec.columns]},
        "rows": [Row(record_url(kind, r), build_cells(kind, scope, r, spec.columns)) for r in page.rows],
        "pager": _pager(page, base, asked) if page.total else None,
        "filters": [_text_filter(asked)] * bool(spec.search) + [f for f in (_build_filter(f, asked) for f in spec.filters) if f],
        "query": {"url": base, "active": bool(active), "clear_url": base, "sort": ""},
        "empty": {"icon": kind.icon, "title": _("Nothing here yet"), "text": _("What you may see of this kind will be listed here.")},
    }


def build_cells(kind: KindSpec, scope: Scope, record: Record, columns: tuple[ColumnSpec, ...]) -> list[Cell]:
    """Print the columns of one record, masked where the caller's ceiling for this very row is too low."""
    made = []
    for column in columns:
        found = kind.get_field(column.name)
        hidden = bool(found.classified) and not is_shown(scope, kind, record, found)
        value = getattr(record, column.name)
        url = record_url(get_kind(found.target), value) if found.type == "ref" and value is not None else ""
        made.append(build_cell(found, value, mask_value if hidden else None, url))
    return made


def add_panels(kind: str) -> Callable[[PanelBuilder], PanelBuilder]:
    """Declare that the decorated function gives the first panels of a kind's detail pages: what a declaration of fields cannot say."""

    def declare(build: PanelBuilder) -> PanelBuilder:
        registry.add("panels", kind, build)
        return build

    return declare


def build_panels(kind: KindSpec, scope: Scope, record: Record) -> list[Panel]:
    """Build the panels of a record: what its kind adds, its fields, and a small map where it stands somewhere."""
    spec: DetailSpec = build_surface(kind, "detail")
    more: PanelBuilder | None = registry.find("panels", kind.name)
    panels = more(record) if more is not None else []
    panels.append(Panel(gettext_lazy("Facts"), build_cells(kind, scope, record, spec.fields)))
    lon, lat = getattr(record, "lon", None), getattr(record, "lat", None)
    if spec.located and lon is not None and lat is not None:
        bounds = f"{lon - 0.02},{lat - 0.015},{lon + 0.02},{lat + 0.015}"
        things = reverse("record-geojson", args=[kind.slug, record.uid])
        panels.append(Panel(gettext_lazy("Place"), map={"bounds": bounds, "things": things, "divisions": "", "label": str(record)}))
    return panels


def build_related(kind: KindSpec, record: Record, scopes: Mapping[str, Scope]) -> list[dict[str, Any]]:
    """Build the cards of records that point here, as far as the caller may see them."""
    groups = []
    for relation in kind.relations:
        scope = scopes.get(relation.kind)
        if not scope:
            continue
        other = get_kind(relation.kind)
        if not other.related:
            continue
        rows = list(get_rows(other, scope).filter(**{relation.field: record}).order_by("-pk")[: RELATED + 1])
        if rows:
            more = f"{reverse('records', args=[other.slug])}?{urlencode({relation.field: record.uid})}" if relation.field in other.filters else ""
            items = [{"url": record_url(other, row), "text": str(row), "note": _when(other, row)} for row in rows[:RELATED]]
            groups.append({"title": relation.label, "url": more if len(rows) > RELATED else "", "items": items, "count_text": ""})
    return groups


def _when(kind: KindSpec, record: Record) -> str:
    name = kind.order[0].lstrip("-")
    value = getattr(record, name, None)
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else ""


def build_trail(record: Record) -> list[dict[str, Any]]:
    """Build the trail: who changed what, when and why, newest first."""
    versions = list_history(record)[: TRAIL + 1]
    return [
        {
            "text": v.changed_why,
            "who": v.changed_by,
            "at": v.recorded_from,
            "note": _differences(v, versions[i + 1]) if i + 1 < len(versions) else "",
            "tone": "info",
        }
        for i, v in enumerate(versions[:TRAIL])
    ]


def _differences(newer: Any, older: Any) -> str:
    kind = get_kind(_kind_name(newer))
    changed = [f for f in kind.fields if not f.classified and f.type not in ("binary", "json") and getattr(newer, f.name, None) != getattr(older, f.name, None)]
    return "; ".join(f"{f.label}: {build_cell(f, getattr(older, f.name)).text} → {build_cell(f, getattr(newer, f.name)).text}" for f in changed[:8])


def _kind_name(version: Any) -> str:
    return str(version._meta.label).removesuffix("History")


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
