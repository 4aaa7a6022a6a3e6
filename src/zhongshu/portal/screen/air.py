"""Air on the screen: the headline of a division and the colours of its parts. Area figures come from mean concentrations, never from mean indices."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.time import now
from zhongshu.packs.environment.facade import AirPoint, StationNow, get_city_air, list_station_now
from zhongshu.security.access import Scope

from .place import Place
from .viewer import Viewer

__all__ = ["build_headline", "build_station_rows", "format_primary", "list_area_values", "list_stations"]

AREAS = ("city", "county")
CURRENT = timedelta(hours=3)
PRINTED = {"SO2": "SO₂", "NO2": "NO₂", "O3": "O₃"}


def _category(level: int) -> str:
    labels = [_("Excellent"), _("Good"), _("Light pollution"), _("Moderate pollution"), _("Heavy pollution"), _("Severe pollution")]
    return labels[level - 1] if 1 <= level <= len(labels) else _("no valid value")


def build_headline(path: Iterable[Division]) -> dict[str, Any]:
    """Return the index of a place: its own, or that of the county or city around it (as far down from the viewer's root as `path` goes)."""
    for area in reversed(list(path)):
        if area.level in AREAS:
            hour = get_city_air(str(area.uid)).hour
            if hour is not None:
                return _build_headline(hour)
    return {"aqi": None, "level": 0, "category": _category(0), "primary": ""}


def _build_headline(point: AirPoint) -> dict[str, Any]:
    notes = [_("primary: %(pollutant)s") % {"pollutant": format_primary(point)}] if point.primary else []
    notes.append(point.edition)
    if point.start + CURRENT < now():
        notes.append(_format_hour(point.start))
    return {"aqi": point.aqi, "level": point.level, "category": _category(point.level), "primary": " · ".join(notes)}


def format_primary(point: AirPoint) -> str:
    """Return the primary pollutants as printed."""
    return ", ".join(PRINTED.get(name, name) for name in point.primary)


def _format_hour(start: datetime) -> str:
    return start.astimezone(settings.HOUSE.zone).strftime("%Y-%m-%d %H:%M")


def list_stations(viewer: Viewer, place: Place) -> list[StationNow]:
    """Return the air stations in a place that the viewer may see."""
    return [station for station in list_station_now(_narrow(viewer.station, place)) if station.thing]


def _narrow(scope: Scope, place: Place) -> Scope:
    """Return the part of a scope that lies in a place."""
    clauses = []
    for clause in scope.clauses:
        spans = clause.divisions if clause.divisions is not None else ((place.left, place.right),)
        inside = tuple((max(low, place.left), min(high, place.right)) for low, high in spans if low <= place.right and place.left <= high)
        clauses += [replace(clause, divisions=inside)] if inside else []
    return Scope(tuple(clauses))


def list_area_values(uids: dict[str, str]) -> dict[str, int | None]:
    """Return uid → index of the latest hour, for counties and cities (`uids`: uid → level); other levels have no area index (HJ 663 evaluates cities and counties)."""
    found: dict[str, int | None] = {}
    for uid, level in uids.items():
        hour = get_city_air(uid).hour if level in AREAS else None
        found[uid] = hour.aqi if hour else None
    return found


def build_station_rows(station: StationNow) -> list[list[str]]:
    """Return what the map says of a station's index."""
    if station.point is None:
        return [[_("AQI"), _("no valid value")]]
    rows = [["AQI", f"{station.point.aqi} {_category(station.point.level)}" if station.point.aqi is not None else _("no valid value")]]
    if station.point.primary:
        rows.append([_("Primary pollutant"), format_primary(station.point)])
    return [*rows, [_("Hour from"), _format_hour(station.point.start)]]
