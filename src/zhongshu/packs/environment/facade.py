"""What other floors may know of the environment: the air now, of a city, of one station. Frozen data, few queries however many stations."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.time import now
from zhongshu.security.access import Scope

from .air import AirIndex, AirStation
from .aqi import CATEGORIES, POLLUTANTS
from .codes import AirScale

__all__ = ["AirPoint", "CityAir", "StationDetail", "StationNow", "get_city_air", "get_station_detail", "list_station_now"]

FRESH = timedelta(hours=2)
"""An hourly figure is current for one hour after the latest moment it may come: its own hour and one more (HJ 633-2026, 5.2)."""

SHOWN = timedelta(hours=3)
"""How far behind the newest hour of the city a station's last figure is still shown."""

NO_CATEGORY = "na"


@dataclass(frozen=True)
class AirPoint:
    """One index of an hour or day. `aqi` None is NA; `category` is a code of `aqi.CATEGORIES` or `na`.

    `values` by pollutant in µg/m³ (CO mg/m³), None where invalid.
    `rgb` is the colour of HJ 633, annex A; None for NA. `valid_hours` of `expected_hours` hourly values were valid.
    """

    start: datetime
    scale: str
    edition: str
    aqi: int | None
    level: int
    category: str
    rgb: tuple[int, int, int] | None
    primary: tuple[str, ...]
    values: dict[str, float | None]
    iaqi: dict[str, int | None]
    valid_hours: int
    expected_hours: int


@dataclass(frozen=True)
class StationNow:
    """One station on the map. `point` None: nothing valid in the last hours known; `valid`: the figure is current and has an index. `division` is the division's uid."""

    uid: str
    station_no: str
    name: str
    kind: str
    network: str
    lon: float | None
    lat: float | None
    division: str
    division_name: str
    thing: str
    point: AirPoint | None
    valid: bool


@dataclass(frozen=True)
class CityAir:
    """The air of a county or city: the latest hour, the last ended day, and `trend`: one point per hour of the last 24 that has a figure, oldest first."""

    division: str
    name: str
    hour: AirPoint | None
    day: AirPoint | None
    stations: int
    trend: tuple[AirPoint, ...]


@dataclass(frozen=True)
class StationDetail:
    """One station with its hours and days of a stretch of time, oldest first; `programme` are the pollutants it is there to measure."""

    station: StationNow
    programme: tuple[str, ...]
    hours: tuple[AirPoint, ...]
    days: tuple[AirPoint, ...]


def list_station_now(scope: Scope, at: datetime | None = None) -> list[StationNow]:
    """Return the stations that lie in a reader's `scope`, with their latest hour up to `at` (now); three queries.

    Where all data are old (a replay with original times) the latest hour known is shown, and is not `valid`.
    """
    moment = at or now()
    stations = list(AirStation.objects.filter(scope.q(get_kind("environment.AirStation"))).select_related("division", "thing").order_by("station_no"))
    latest = AirIndex.objects.filter(scale=AirScale.HOUR, station__isnull=False, start__lte=moment).aggregate(last=Max("start"))["last"]
    points: dict[int, AirPoint] = {}
    if latest is not None:
        recent = AirIndex.objects.filter(scale=AirScale.HOUR, station__isnull=False, start__gt=latest - SHOWN, start__lte=moment)
        points = {row.station_id: _build_point(row) for row in recent.order_by("start") if row.station_id is not None}
    return [_build_now(station, points.get(station.pk), moment) for station in stations]


def get_city_air(division: str, at: datetime | None = None) -> CityAir:
    """Return the air of a county or city by the division's uid; raises `Division.DoesNotExist`. Three queries.

    A division without assessment stations has no hour, no day and an empty trend.
    """
    area, moment = Division.objects.get(uid=division), at or now()
    rows = AirIndex.objects.filter(subject=f"division:{area.pk}", start__lte=moment).order_by("-start")
    hours = list(rows.filter(scale=AirScale.HOUR)[:24])
    hours = [row for row in hours if row.start > hours[0].start - timedelta(hours=24)]
    day = rows.filter(scale=AirScale.DAY).first()
    trend = tuple(_build_point(row) for row in reversed(hours))
    return CityAir(str(area.uid), area.name, trend[-1] if trend else None, _build_point(day) if day else None, hours[0].stations if hours else 0, trend)


def get_station_detail(uid: str, start: datetime, end: datetime, at: datetime | None = None) -> StationDetail:
    """Return one station with its figures from `start` until `end` (excluded); raises `AirStation.DoesNotExist`. Two queries.

    The caller checks that the reader may see the station.
    """
    station = AirStation.objects.select_related("division", "thing").get(uid=uid)
    rows = list(AirIndex.objects.filter(subject=f"station:{station.pk}", start__gte=start, start__lt=end).order_by("start"))
    hours, days = (tuple(_build_point(row) for row in rows if row.scale == scale) for scale in (AirScale.HOUR, AirScale.DAY))
    return StationDetail(_build_now(station, hours[-1] if hours else None, at or now()), tuple(station.programme.split(",")), hours, days)


def _build_now(station: AirStation, point: AirPoint | None, moment: datetime) -> StationNow:
    return StationNow(
        uid=str(station.uid),
        station_no=station.station_no,
        name=station.name,
        kind=station.kind,
        network=station.level,
        lon=station.lon,
        lat=station.lat,
        division=str(station.division.uid) if station.division else "",
        division_name=station.division.name if station.division else "",
        thing=str(station.thing.uid) if station.thing else "",
        point=point,
        valid=point is not None and point.aqi is not None and point.start + timedelta(hours=1) + FRESH > moment,
    )


def _build_point(row: AirIndex) -> AirPoint:
    category = CATEGORIES[row.level - 1] if row.level else None
    return AirPoint(
        start=row.start,
        scale=row.scale,
        edition=row.edition,
        aqi=row.aqi,
        level=row.level,
        category=category.code if category else NO_CATEGORY,
        rgb=category.rgb if category else None,
        primary=_split(row.primary),
        values={name: getattr(row, name) for name in POLLUTANTS},
        iaqi=dict(row.iaqi),
        valid_hours=row.valid_hours,
        expected_hours=row.expected_hours,
    )


def _split(text: str) -> tuple[str, ...]:
    parts: Iterable[str] = text.split(",") if text else ()
    return tuple(parts)
