"""What the map shows inside a division: air stations, and the other things by their state; many things as clusters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.urls import reverse
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from zhongshu.ability.geo import Clusters, PointLayer, find_tile
from zhongshu.kernel.derive import build_surface, get_kind
from zhongshu.packs.environment.facade import StationNow
from zhongshu.portal.tiles import Points, get_points
from zhongshu.sense.device.models import Band, Thing

from .air import build_station_rows, list_stations
from .place import Place
from .readings import Measured, StreamInfo, format_measured, list_streams, read_values
from .viewer import Viewer

__all__ = ["Spot", "SpotSet", "build_spots", "count_things", "format_spot", "list_clusters", "list_features"]

MOST_SPOTS = 300
WHOLE = ("town", "village", "cell")  # here every thing is shown; above only those that need somebody
ALERT = (Band.LOW, Band.HIGH)


@dataclass(frozen=True)
class Spot:
    """One thing on the map; `station` where it is an air station."""

    pk: int
    uid: str
    name: str
    product: str
    lon: float
    lat: float
    band: str
    station: StationNow | None = None


@dataclass(frozen=True)
class SpotSet:
    """What one map shows: single things with their streams, or clusters where there are too many."""

    spots: dict[int, Spot] = field(default_factory=dict)
    streams: tuple[StreamInfo, ...] = ()
    clusters: tuple[dict[str, Any], ...] = ()

    @property
    def ordinals(self) -> NDArray[np.int64]:
        """Ordinals of all streams shown."""
        return np.array([s.ordinal for s in self.streams], np.int64)


def build_spots(viewer: Viewer, place: Place) -> SpotSet:
    """Return what the viewer may see of a place's things."""
    stations = {s.thing: s for s in list_stations(viewer, place) if s.thing} if viewer.station else {}
    points, rows = _choose(viewer, place)
    single = rows if len(rows) <= MOST_SPOTS else rows[:0]
    spots = _read_spots(points, single, stations)
    for spot in _read_stations(stations, {s.uid for s in spots}):
        spots.append(spot)
    chosen = {spot.pk: spot for spot in spots}
    streams = tuple(list_streams(chosen)) if viewer.stream else ()
    clusters = tuple(list_clusters(points, rows)) if len(rows) > MOST_SPOTS else ()
    return SpotSet(chosen, streams, clusters)


def count_things(viewer: Viewer, place: Place) -> tuple[int, int, int]:
    """Return how many things stand in a place, how many of them are silent, and how many out of bounds."""
    points = _get_points()
    inside = _mask(points, viewer, place)
    bands = np.bincount(points.band[inside], minlength=len(Band.values))
    codes = list(Band.values)
    return int(inside.sum()), int(bands[codes.index(Band.SILENT)]), int(sum(bands[codes.index(b)] for b in ALERT))


def format_spot(spot: Spot, measured: Sequence[Measured], language: str) -> dict[str, Any]:
    """Return the properties of a thing as the map takes them (docs/design.md, map)."""
    rows = format_measured(list(measured), language)
    if spot.station is not None:
        point = spot.station.point if spot.station.valid else None
        value = point.aqi if point else None
        rows = [*build_station_rows(spot.station), *rows]
        mark: dict[str, Any] = {"value": value, "text": "–" if value is None else str(value), "aqi": point.level if point else 0, "band": ""}
    else:
        first = next((m for m in measured if m.info.headline and m.value is not None), None)
        text = f"{first.value:.{first.info.decimals}f}" if first and first.value is not None else ""
        mark = {"value": first.value if first else None, "text": text, "aqi": 0, "band": spot.band}
        rows = [[spot.product, str(Band(spot.band).label)], *rows]
    return {"uid": spot.uid, "name": spot.name if spot.station or len(spot.name) < 16 else "", "title": spot.name, **mark, "rows": rows}


def list_features(shown: SpotSet, language: str) -> list[dict[str, Any]]:
    """Return GeoJSON features of a map."""
    measured = read_values(shown.streams)
    made = []
    for spot in shown.spots.values():
        properties = {**format_spot(spot, measured.get(spot.pk, []), language), "url": reverse("record", args=["sense-thing", spot.uid])}
        made.append({"type": "Feature", "geometry": {"type": "Point", "coordinates": [spot.lon, spot.lat]}, "properties": properties})
    return [*made, *shown.clusters]


def _get_points() -> Points:
    return get_points(build_surface(get_kind("sense.Thing"), "layer")).get()


def _mask(points: Points, viewer: Viewer, place: Place) -> NDArray[np.bool_]:
    return points.mask(viewer.thing) & (points.division >= max(place.left, 1)) & (points.division <= place.right)


def _choose(viewer: Viewer, place: Place) -> tuple[Points, NDArray[np.int64]]:
    points = _get_points()
    inside = _mask(points, viewer, place) & np.isfinite(points.lon) & np.isfinite(points.lat)
    if place.level not in WHOLE:
        codes = list(Band.values)
        inside &= np.isin(points.band, [codes.index(b) for b in ALERT])
    return points, np.flatnonzero(inside)


def _read_spots(points: Points, rows: NDArray[np.int64], stations: dict[str, StationNow]) -> list[Spot]:
    pks = points.pk[rows].tolist()
    found = Thing.objects.filter(pk__in=pks).values_list("pk", "uid", "name", "product__name", "lon", "lat", "band")
    return [
        Spot(pk, str(uid), name, product, lon, lat, str(band), stations.get(str(uid)))
        for pk, uid, name, product, lon, lat, band in found
        if lon is not None and lat is not None
    ]


def _read_stations(stations: dict[str, StationNow], there: Iterable[str]) -> list[Spot]:
    missing = set(stations) - set(there)
    found = Thing.objects.filter(uid__in=missing).values_list("pk", "uid", "product__name", "lon", "lat", "band")
    made = []
    for pk, uid, product, lon, lat, band in found:
        station = stations[str(uid)]
        x, y = station.lon if station.lon is not None else lon, station.lat if station.lat is not None else lat
        if x is not None and y is not None:
            made.append(Spot(pk, str(uid), station.name, product, x, y, str(band), station))
    return made


def list_clusters(points: Points, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return GeoJSON features of clusters that cover some rows of a table: as fine as the map around them is wide."""
    lon, lat = points.lon[rows], points.lat[rows]
    layer = PointLayer(lon, lat, points.band[rows], len(Band.values))
    zoom = 16
    corners = set()
    while zoom >= 0:
        corners = {find_tile(x, y, zoom) for x in (lon.min(), lon.max()) for y in (lat.min(), lat.max())}
        if max(t.x for t in corners) - min(t.x for t in corners) <= 1 and max(t.y for t in corners) - min(t.y for t in corners) <= 1:
            break
        zoom -= 1
    return [feature for tile in sorted(corners) for feature in _format_clusters(layer.cluster(tile, splits=3), f"{tile}")]


def _format_clusters(found: Clusters, name: str) -> list[dict[str, Any]]:
    codes = list(Band.values)
    made = []
    for i in range(len(found.count)):
        count = int(found.count[i])
        rows = [[str(Band(codes[b]).label), f"{n:,}"] for b, n in enumerate(found.by_band[i].tolist()) if n]
        properties = {"uid": f"cluster-{name}-{i}", "name": "", "title": _("%(count)s things") % {"count": f"{count:,}"}, "value": count}
        properties |= {"text": _shorten(count), "aqi": 0, "band": codes[int(found.band[i])], "count": count, "rows": rows}
        point = {"type": "Point", "coordinates": [round(float(found.lon[i]), 6), round(float(found.lat[i]), 6)]}
        made.append({"type": "Feature", "geometry": point, "properties": properties})
    return made


def _shorten(count: int) -> str:
    return str(count) if count < 1000 else f"{count / 1000:.1f}k" if count < 100_000 else f"{count // 1000}k"
