"""What pages and programs ask about measurements: latest values, series, what a thing shows, what its connection said."""

import builtins
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import QuerySet

from zhongshu.kernel.home import House
from zhongshu.kernel.lake import Lake
from zhongshu.sense.device.models import Connection, Stream, Thing
from zhongshu.sense.gateway.again import RefusedArrival, Replayed, count_refused, replay_refused
from zhongshu.sense.gateway.again import list_refused as _list_refused
from zhongshu.sense.gateway.counters import SourceCounters, read_counters

from .latest import NEVER, LatestReader
from .quality import Quality

__all__ = [
    "ConnectionView",
    "FrameView",
    "LatestValue",
    "Point",
    "RefusedArrival",
    "Replayed",
    "Series",
    "ThingView",
    "get_series",
    "get_thing_view",
    "list_connections",
    "list_frames",
    "list_latest",
    "list_refused",
    "list_refused_counts",
    "mask_password",
    "replay_quarantine",
]

HOUR_US = 3_600_000_000
LONG = timedelta(days=14)
"""Windows longer than this are answered from hourly roll-ups (HOUSE.md: roll-ups for screens, raw rows for questions)."""

MAX_POINTS = 5000
FRAME_DAYS = 7
_PASSWORD = re.compile(rb"(?<![A-Za-z])(PW|NewPW)=[^;,&]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_lakes = threading.local()
_readers: dict[Path, LatestReader] = {}


@dataclass(frozen=True)
class LatestValue:
    """The latest reading of one stream. `value` None and `t` None: nothing measured yet; `quality` as in docs/house.md, `age_s` since the measured interval began."""

    thing: str
    stream: str
    ordinal: int
    property: str
    name: str
    name_en: str
    unit: str
    decimals: int
    headline: bool
    value: float | None
    quality: Quality
    t: datetime | None
    age_s: float | None

    @builtins.property
    def is_valid(self) -> bool:
        """Whether the value counts."""
        return self.quality == Quality.GOOD and self.value is not None


@dataclass(frozen=True)
class ThingView:
    """A thing with everything it shows now, headline properties first."""

    uid: str
    external_id: str
    name: str
    product: str
    state: str
    band: str
    lon: float | None
    lat: float | None
    division: str
    values: tuple[LatestValue, ...]
    connections: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """One step of a series: mean, least and greatest of the valid values, and how many of how many were valid. All None where none was."""

    t: datetime
    value: float | None
    low: float | None
    high: float | None
    n: int
    n_valid: int


@dataclass(frozen=True)
class Series:
    """A stream's points in order; `step_s` 0 means single readings."""

    stream: str
    unit: str
    step_s: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class FrameView:
    """One raw frame: `state` is taken, tolerated or refused. The device's password in it is masked."""

    received_at: datetime
    raw: bytes
    state: str
    reason: str
    forgiven: tuple[str, ...]


@dataclass(frozen=True)
class ConnectionView:
    """A source with what it sent so far; `uid` is empty for one that nobody registered."""

    source: str
    uid: str
    protocol: str
    thing: str
    active: bool
    is_connected: bool
    last_seen_at: datetime | None
    counters: SourceCounters


def _house() -> House:
    house: House = settings.HOUSE
    return house


def _get_lake(house: House) -> Lake:
    """One lake per thread: a handle is not for several."""
    kept: dict[Path, Lake] = _lakes.__dict__.setdefault("kept", {})
    if house.home not in kept:
        kept[house.home] = Lake(house.path("lake"), house.city.zone, check=False)
    return kept[house.home]


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(us))


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def list_latest(things: Sequence[str] | QuerySet[Thing]) -> list[LatestValue]:
    """Return the latest value of every active stream of the things (uids, or a query already cut to what the asker may see), by thing and property order."""
    chosen = Stream.objects.filter(active=True, thing__in=things) if isinstance(things, QuerySet) else Stream.objects.filter(active=True, thing__uid__in=list(things))
    streams = list(chosen.select_related("property", "thing").order_by("thing_id", "property_id"))
    house = _house()
    reader = _readers.setdefault(house.home, LatestReader(house.path("latest")))
    latest = reader.read(np.array([stream.ordinal for stream in streams], np.int64))
    now = time.time_ns() // 1000
    found = []
    for place, stream in enumerate(streams):
        t, value = int(latest.t[place]), float(latest.value[place])
        never = t == NEVER
        found.append(_build_latest(stream, None if never or np.isnan(value) else value, Quality(int(latest.quality[place])), None if never else t, now))
    return found


def _build_latest(stream: Stream, value: float | None, quality: Quality, t: int | None, now: int) -> LatestValue:
    prop = stream.property
    return LatestValue(
        thing=str(stream.thing.uid),
        stream=stream.external_id,
        ordinal=stream.ordinal,
        property=prop.code,
        name=prop.name,
        name_en=prop.name_en,
        unit=stream.unit or prop.unit,
        decimals=prop.decimals,
        headline=prop.headline,
        value=value,
        quality=quality,
        t=None if t is None else _moment(t),
        age_s=None if t is None else (now - t) / 1e6,
    )


def get_thing_view(uid: str) -> ThingView:
    """Return what a thing shows now. Raises `Thing.DoesNotExist`. The caller has checked that the asker may see it."""
    thing = Thing.objects.select_related("product", "division").get(uid=uid)
    values = sorted(list_latest([str(thing.uid)]), key=lambda latest: not latest.headline)
    return ThingView(
        uid=str(thing.uid),
        external_id=thing.external_id,
        name=thing.name,
        product=thing.product.name,
        state=str(thing.state),
        band=str(thing.band),
        lon=thing.lon,
        lat=thing.lat,
        division=thing.division.name if thing.division else "",
        values=tuple(values),
        connections=tuple(thing.connections.order_by("id").values_list("source", flat=True)),
    )


def get_series(stream: str, start: datetime, end: datetime, step_s: int = 0) -> Series:
    """Return a stream's readings with `start` <= t < `end` (aware), single ones for `step_s` 0, else one point per step that has any.

    Windows over 14 days with steps of whole hours come from roll-ups, as far as there are some, and from raw rows after these. At most 5,000 points:
    a window that would give more gets a longer step, told in the answer. Raises `Stream.DoesNotExist`.
    """
    row = Stream.objects.select_related("property").get(external_id=stream)
    unit, first, last = row.unit or row.property.unit, _us(start), _us(end)
    period = step_s or row.property.period_s or 1
    if (last - first) / 1e6 / period > MAX_POINTS:
        step_s = -(-(last - first) // (MAX_POINTS * HOUR_US)) * 3600 if last - first > MAX_POINTS * HOUR_US // 60 else 60
    is_rolled = step_s > 0 and step_s % 3600 == 0 and end - start > LONG
    rows = (_read_rolled if is_rolled else _read_raw)(row.ordinal, first, last, step_s)
    return Series(stream, unit, step_s, tuple(Point(_moment(t), *rest) for t, *rest in rows))


def _days(lake: Lake, first: int, last: int) -> Any:
    return lake.days.on(first), lake.days.on(max(last - 1, first))


def _read_raw(ordinal: int, first: int, last: int, step_s: int) -> list[tuple[Any, ...]]:
    lake = _get_lake(_house())
    step = max(step_s, 0) * 1_000_000
    bucket = "t" if not step else f"t - (t - {first}) % {step}"
    query = f"""
        SELECT {bucket} AS b, avg(value) FILTER (good), min(value) FILTER (good), max(value) FILTER (good), count(*), count(*) FILTER (good)
        FROM (SELECT t, value, quality = 0 AND value IS NOT NULL AS good FROM observation WHERE stream = ? AND t >= ? AND t < ?)
        GROUP BY b ORDER BY b"""  # noqa: S608 numbers of our own
    with lake.connect(("observation",), _days(lake, first, last), threads=2) as connection:
        return connection.execute(query, [ordinal, first, last]).fetchall()


def _read_rolled(ordinal: int, first: int, last: int, step_s: int) -> list[tuple[Any, ...]]:
    lake = _get_lake(_house())
    step = step_s * 1_000_000
    query = f"""
        SELECT hour - (hour - {first}) % {step} AS b, sum(sum) / nullif(sum(n_valid), 0), min(min), max(max), sum(n)::BIGINT, sum(n_valid)::BIGINT
        FROM rollup_hour WHERE stream = ? AND hour >= ? AND hour < ? GROUP BY b ORDER BY b"""  # noqa: S608 numbers of our own
    with lake.connect(("rollup_hour",), _days(lake, first, last), threads=2) as connection:
        newest = connection.execute("SELECT max(hour) FROM rollup_hour WHERE stream = ? AND hour >= ? AND hour < ?", [ordinal, first, last]).fetchone()
        reached = first if newest is None or newest[0] is None else int(newest[0]) + HOUR_US
        # raw from the start of the step in which the roll-ups end, so that no point is half of each
        edge = first + (reached - first) // step * step
        rows = connection.execute(query, [ordinal, first, edge]).fetchall()
    return rows + (_read_raw(ordinal, edge, last, step_s) if edge < last else [])


def mask_password(raw: bytes) -> bytes:
    """Return an HJ 212 frame with the password (PW, NewPW) taken out: it opens a door and leaves the house on no surface."""
    return _PASSWORD.sub(rb"\1=******", raw)


def list_frames(connection: str, count: int = 50) -> list[FrameView]:
    """Return the newest raw frames of a connection (at most `count`, of the last week), newest first."""
    lake = _get_lake(_house())
    now = time.time_ns() // 1000
    query = "SELECT received_at, raw, state, reason, forgiven FROM frame WHERE connection = ? ORDER BY received_at DESC LIMIT ?"
    with lake.connect(("frame",), _days(lake, now - FRAME_DAYS * 24 * HOUR_US, now + HOUR_US), threads=2) as opened:
        rows = opened.execute(query, [connection, count]).fetchall()
    words = ("taken", "tolerated", "refused")
    return [
        FrameView(_moment(at), mask_password(bytes(raw)), words[state], reason, tuple(filter(None, forgiven.split(",")))) for at, raw, state, reason, forgiven in rows
    ]


def list_connections(connections: QuerySet[Connection] | None = None, *, strangers: bool = False) -> list[ConnectionView]:
    """Return connections (all, or a query already cut to what the asker may see) with their counters; with `strangers` also sources that nobody registered."""
    counted = read_counters(_house().path("run")).get("sources", {})
    rows = (Connection.objects.all() if connections is None else connections).select_related("thing").order_by("source")
    found = [_build_connection(row.source, str(row.uid), str(row.protocol), str(row.thing.uid) if row.thing else "", row.active, counted.get(row.source)) for row in rows]
    if strangers:
        names = {view.source for view in found} | set(Connection.objects.filter(source__in=list(counted)[:5000]).values_list("source", flat=True))
        found += [_build_connection(source, "", source.partition(":")[0], "", False, values) for source, values in counted.items() if source not in names]
    return found


def _build_connection(source: str, uid: str, protocol: str, thing: str, active: bool, values: dict[str, Any] | None) -> ConnectionView:
    counters = SourceCounters(**values) if values else SourceCounters(is_known=bool(uid))
    seen = _moment(counters.last_seen_us) if counters.last_seen_us else None
    return ConnectionView(source, uid, protocol, thing, active, counters.open > 0, seen, counters)


def list_refused(limit: int = 100) -> list[RefusedArrival]:
    """Return the newest refused frames, messages and bodies, newest first."""
    return [replace(one, body=mask_password(one.body)) for one in _list_refused(_house(), limit)]


def list_refused_counts() -> dict[tuple[str, str], int]:
    """Return how many refused arrivals are kept, by source and reason."""
    return count_refused(_house())


def replay_quarantine(partition: str, id: int) -> Replayed:
    """Take one refused arrival again, with the connections and profiles in force now. Raises `LookupError` when it is no longer kept."""
    return replay_refused(_house(), partition, id)
