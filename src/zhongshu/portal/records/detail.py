"""One record → what the detail template prints: panels, badges, what points to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from zhongshu.kernel.derive import KindSpec, build_surface, get_kind
from zhongshu.kernel.record import Record
from zhongshu.kernel.registry import registry
from zhongshu.portal.render import Cell, DetailSpec, tone_of
from zhongshu.security.access import Scope

from .address import record_url
from .pages import build_cells
from .query import get_rows
from .small_map import build_small_map, print_way

__all__ = ["Panel", "add_panels", "build_badges", "build_panels", "build_place_panel", "build_related", "print_when"]

RELATED = 5
BADGES = 2


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


def add_panels(kind: str) -> Callable[[PanelBuilder], PanelBuilder]:
    """Declare that the decorated function gives the first panels of a kind's detail pages: what a declaration of fields cannot say."""

    def declare(build: PanelBuilder) -> PanelBuilder:
        registry.add("panels", kind, build)
        return build

    return declare


def build_panels(kind: KindSpec, scope: Scope, record: Record, divisions: Scope) -> list[Panel]:
    """Build the panels of a record: what its kind adds, its fields that say something, and where it stands on a small map (`divisions`: which the caller may see)."""
    spec: DetailSpec = build_surface(kind, "detail")
    more: PanelBuilder | None = registry.find("panels", kind.name)
    panels = more(record) if more is not None else []
    facts = [cell for cell in build_cells(kind, scope, record, spec.fields) if cell.at or cell.text not in ("", "–")]
    panels.append(Panel(gettext_lazy("Facts"), facts))
    if spec.located:
        things = reverse("record-geojson", args=[kind.slug, record.uid])
        place = build_place_panel(record, str(record), things, divisions)
        panels += [place] if place is not None else []
    return panels


def build_place_panel(record: Any, label: str, things: str, divisions: Scope) -> Panel | None:
    """Build the card that says where a record stands: the way down to its division, its address, and a map with the divisions around it; None where nothing is known."""
    division = record if hasattr(record, "parent") else getattr(record, "division", None)
    cells = []
    if division is not None:
        way, url = print_way(division), record_url(get_kind("kernel.Division"), division)
        cells.append(Cell(way, label=_("Division"), url="" if division is record else url, wide=True))
    if getattr(record, "address", "") and record.address != str(division or ""):
        cells.append(Cell(record.address, label=_("address"), wide=True))
    if record.lon is None or record.lat is None:
        return Panel(gettext_lazy("Place"), cells) if cells else None
    at = f"{record.lat:.5f}° N, {record.lon:.5f}° E"
    if cells:
        cells[-1] = Cell(**{**vars(cells[-1]), "note": at})
    return Panel(gettext_lazy("Place"), cells, map=build_small_map(label, record.lon, record.lat, things, division, divisions))


def build_badges(kind: KindSpec, record: Record) -> list[dict[str, str]]:
    """Build the badges beside the title: the coded states among the kind's columns."""
    fields = [kind.get_field(name) for name in kind.columns]
    coded = [(f, str(getattr(record, f.name))) for f in fields if f.type == "code" and not f.classified and getattr(record, f.name)]
    return [{"tone": tone_of(code), "text": str(dict(f.codes).get(code, code)), "title": str(f.label)} for f, code in coded[:BADGES]]


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
            items = [{"url": record_url(other, row), "text": str(row), "note": print_when(other, row)} for row in rows[:RELATED]]
            groups.append({"title": relation.label, "url": more if len(rows) > RELATED else "", "items": items, "count_text": ""})
    return groups


def print_when(kind: KindSpec, record: Record) -> str:
    """Return the time by which a kind is ordered, in the city's zone, or an empty text."""
    value = getattr(record, kind.order[0].lstrip("-"), None)
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M}" if isinstance(value, datetime) else ""
