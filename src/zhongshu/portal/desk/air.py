"""What an air station shows beside its fields: its index now, what it measures, and a day of indices."""

from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from zhongshu.kernel.time import now
from zhongshu.packs.environment.facade import AirPoint, StationDetail, get_station_detail
from zhongshu.portal.records.detail import Panel, add_panels
from zhongshu.portal.render import Cell
from zhongshu.portal.screen.air import format_primary

from .words import POLLUTANTS

__all__ = ["station_panels"]

DAY = timedelta(days=1)
SPLIT = 100
"""From this index on the air is polluted (HJ 633-2026, table 2: good ends at 100)."""


@add_panels("environment.AirStation")
def station_panels(record: Any) -> list[Panel]:
    """The latest hour with its category and pollutants, and the indices of 24 hours."""
    end = now()
    found = get_station_detail(str(record.uid), end - DAY - timedelta(hours=2), end)
    panels = [Panel(_("Air quality now"), _build_now(found), url=_thing_url(found))]
    if found.hours:
        points = [[p.start.isoformat(), p.aqi, 0] for p in found.hours]
        limit = {"value": SPLIT, "label": _("end of “good”"), "level": "yellow"}
        data = {"unit": "", "kind": "line", "series": [{"name": _("AQI"), "points": points}], "limits": [limit]}
        panels.append(Panel(f"{_('AQI')} · {_('24 hours')}", chart={"id": "station-aqi", "data": data}))
    return panels


def _build_now(found: StationDetail) -> list[Cell]:
    point = found.station.point
    if point is None:
        return [Cell(_("no valid value"), label=_("AQI"))]
    category = Cell(_print_category(point.level), label=_("Category"))
    index = Cell(str(point.aqi) if point.aqi is not None else "–", label=_("AQI"), aqi=point.level, note="" if found.station.valid else _("not current"))
    primary = [Cell(format_primary(point), label=_("Primary pollutant"))] if point.primary else []
    return [index, category, *primary, Cell("", label=_("Hour from"), at=point.start), Cell(point.edition, label=_("Counted by")), *_build_values(found, point)]


def _print_category(level: int) -> str:
    labels = [_("Excellent"), _("Good"), _("Light pollution"), _("Moderate pollution"), _("Heavy pollution"), _("Severe pollution")]
    return labels[level - 1] if 1 <= level <= len(labels) else _("no valid value")


def _build_values(found: StationDetail, point: AirPoint) -> list[Cell]:
    return [
        Cell("–" if point.values[name] is None else f"{point.values[name]:.3g}", label=POLLUTANTS.get(name, name), unit="mg/m³" if name == "co" else "µg/m³")
        for name in found.programme
        if name in point.values
    ]


def _thing_url(found: StationDetail) -> str:
    return reverse("record", args=["sense-thing", found.station.thing]) if found.station.thing else ""
