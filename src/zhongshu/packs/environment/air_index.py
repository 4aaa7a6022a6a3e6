"""The air-quality index of stations and areas, hour by hour and day by day, kept in step with the lake."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhongshu.brain.indicator import ComputedSource, list_indicators, mark_stale
from zhongshu.kernel.lake import Lake
from zhongshu.kernel.place.models import Division, DivisionLevel
from zhongshu.kernel.record import transaction
from zhongshu.kernel.time import now, to_datetime, to_us

from . import aqi
from .air import AirIndex
from .air_hours import BEFORE, HOUR_US, Hours, StationRow, list_stations, read_hours
from .aqi import POLLUTANTS, Edition, Means, edition_on
from .aqi import AirIndex as Indices
from .codes import AirScale, StationKind

__all__ = ["compute_air_index", "list_areas"]

AREAS = (DivisionLevel.COUNTY, DivisionLevel.CITY)
"""Areas that have an index: HJ 633-2026, 4.2.1 (points, counties, cities)."""

COMPARED = ("edition", "aqi", "level", "primary", *POLLUTANTS, "means", "iaqi", "counts", "valid_hours", "expected_hours", "stations")
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Subjects:
    """Stations or areas of one computation: id, what they are there to measure `(subject,)` by pollutant, and how many values are `due` each hour.

    `valid_hours` `(subject, hour)` counts the valid values; `kept_hours` and `kept_days` say which intervals become rows.
    """

    kind: str
    ids: list[int]
    programme: Mapping[str, Bools]
    due: Ints
    valid_hours: Ints
    kept_hours: Bools
    kept_days: Bools
    stations: Ints


def compute_air_index(lake: Lake, first: date, last: date, at: datetime | None = None) -> int:
    """Compute and store every hour of the civil days `first` to `last`, and those of the days that have ended; return how many rows were written or removed.

    One query of the lake, a few of the records, however many stations. The edition follows the day measured. Areas come from the mean concentrations of their assessment
    stations, never from indices. Hours of which nothing valid is known have no row. Indicators of the changed time are marked for counting again.
    """
    moment, stations = at or now(), list_stations()
    hours = read_hours(lake, stations, first, last)
    areas = list_areas(stations)
    rows: list[AirIndex] = []
    if stations:
        rows += _build_station_rows(stations, hours, moment)
        rows += _build_area_rows(stations, areas, hours, moment)
    end = hours.start_us + hours.days * 24 * HOUR_US
    return _store(rows, to_datetime(hours.start_us), to_datetime(end))


def list_areas(stations: list[StationRow]) -> dict[int, list[int]]:
    """Return the counties and cities that hold assessment stations: division id → positions of the stations in `stations`."""
    above = {pk: (parent, level) for pk, parent, level in Division.objects.values_list("pk", "parent_id", "level")}
    found: dict[int, list[int]] = defaultdict(list)
    for place, station in enumerate(stations):
        division = station.division if station.kind == StationKind.ASSESSMENT else None
        while division is not None:
            parent, level = above[division]
            if level in AREAS:
                found[division].append(place)
            division = parent
    return dict(found)


def _build_station_rows(stations: list[StationRow], hours: Hours, moment: datetime) -> Iterator[AirIndex]:
    programme = {name: np.array([name in s.programme for s in stations]) for name in POLLUTANTS}
    counted: Ints = np.stack([hours.valid[name] for name in POLLUTANTS]).sum(axis=0)[:, BEFORE:]
    due: Bools = np.array([[s.is_open(hours.first + timedelta(days=d)) for d in range(hours.days)] for s in stations])
    subjects = Subjects(
        "station",
        [s.id for s in stations],
        programme,
        np.array([len(s.programme) for s in stations]),
        counted,
        np.asarray(counted > 0),
        due | hours.heard[:, BEFORE:].reshape(len(stations), hours.days, 24).any(axis=2),
        np.ones(len(stations), dtype=np.int64),
    )
    yield from _build_rows(subjects, hours, moment, lambda means: means)


def _build_area_rows(stations: list[StationRow], areas: dict[int, list[int]], hours: Hours, moment: datetime) -> Iterator[AirIndex]:
    for division, places in areas.items():
        counted: Ints = np.stack([hours.valid[name][places] for name in POLLUTANTS]).sum(axis=(0, 1))[None, BEFORE:]
        heard: Bools = np.asarray(hours.heard[places][:, BEFORE:].reshape(-1, hours.days, 24).any(axis=(0, 2)))[None]
        subjects = Subjects(
            "division",
            [division],
            {name: np.array([any(name in stations[p].programme for p in places)]) for name in POLLUTANTS},
            np.array([sum(len(stations[p].programme) for p in places)]),
            counted,
            np.asarray(counted > 0),
            heard,
            np.array([len(places)]),
        )
        yield from _build_rows(subjects, hours, moment, _pick_area(places))


def _pick_area(places: list[int]) -> Callable[[dict[str, Means]], dict[str, Means]]:
    def pick(means: dict[str, Means]) -> dict[str, Means]:
        return {item: _cut(mean, (None, ...)) for item, mean in aqi.compute_area({item: _cut(m, (places,)) for item, m in means.items()}).items()}

    return pick


def _cut(mean: Means, where: Any) -> Means:
    denominator = mean.denominator if isinstance(mean.denominator, int) else mean.denominator[where]
    return Means(mean.numerator[where], denominator, mean.count[where], mean.valid[where])


def _build_rows(subjects: Subjects, hours: Hours, moment: datetime, gather: Callable[[dict[str, Means]], dict[str, Means]]) -> Iterator[AirIndex]:
    by_hour = gather(aqi.compute_hourly_means({n: (hours.scaled[n], hours.valid[n]) for n in POLLUTANTS}))
    shape = (-1, hours.days, 24)
    by_day = gather(aqi.compute_daily_means({n: (hours.scaled[n][:, BEFORE:].reshape(shape), hours.valid[n][:, BEFORE:].reshape(shape)) for n in POLLUTANTS}))
    programme = {name: column[:, None] for name, column in subjects.programme.items()}
    ended = (to_us(moment) - hours.start_us) // (24 * HOUR_US)
    for edition, begin, end in _list_editions(hours.first, hours.days):
        span, part = slice(begin * 24, end * 24), slice(BEFORE + begin * 24, BEFORE + end * 24)
        means = {item: _cut(mean, (slice(None), part)) for item, mean in by_hour.items()}
        table = Table(subjects, AirScale.HOUR, edition, means, aqi.compute_hourly(edition, means, programme=programme), hours.start_us + begin * 24 * HOUR_US)
        yield from table.build(subjects.kept_hours[:, span], subjects.valid_hours[:, span], 1, moment)
        last = max(begin, min(end, int(ended)))
        means = {item: _cut(mean, (slice(None), slice(begin, last))) for item, mean in by_day.items()}
        table = Table(subjects, AirScale.DAY, edition, means, aqi.compute_daily(edition, means, programme=programme), hours.start_us + begin * 24 * HOUR_US)
        valid = subjects.valid_hours.reshape(shape).sum(axis=2)[:, begin:last]
        yield from table.build(subjects.kept_days[:, begin:last], valid, 24, moment)


def _list_editions(first: date, days: int) -> Iterator[tuple[Edition, int, int]]:
    editions = [edition_on(first + timedelta(days=n)) for n in range(days)]
    cuts = [n for n in range(days) if n == 0 or editions[n] != editions[n - 1]]
    for begin, end in zip(cuts, [*cuts[1:], days], strict=True):
        yield editions[begin], begin, end


@dataclass(frozen=True, eq=False)
class Table:
    """Means and indices `(subject, interval)` of one scale and edition, ready to become rows."""

    subjects: Subjects
    scale: AirScale
    edition: Edition
    means: Mapping[str, Means]
    index: Indices
    start_us: int

    def build(self, kept: Bools, valid_hours: Ints, hours: int, moment: datetime) -> Iterator[AirIndex]:
        """Yield a row for each kept interval; `hours` is its length."""
        step = hours * HOUR_US
        floats = {item: mean.as_float() for item, mean in self.means.items()}
        for s, n in np.argwhere(kept).tolist():
            aqi_value = int(self.index.aqi[s, n])
            means = {item: round(float(column[s, n]), 5) for item, column in floats.items() if not np.isnan(column[s, n])}
            yield AirIndex(
                subject=f"{self.subjects.kind}:{self.subjects.ids[s]}",
                **{f"{self.subjects.kind}_id": self.subjects.ids[s]},
                scale=self.scale.value,
                start=to_datetime(self.start_us + n * step),
                edition=self.edition.value,
                aqi=None if aqi_value == aqi.NO_INDEX else aqi_value,
                level=int(self.index.level[s, n]),
                primary=",".join(aqi.list_primary(int(self.index.primary[s, n]))),
                **{name: means.get(self._get_item(name)) for name in POLLUTANTS},
                means=means,
                iaqi=self._list_iaqi(s, n),
                counts={item: int(mean.count[s, n]) for item, mean in self.means.items()},
                valid_hours=int(valid_hours[s, n]),
                expected_hours=hours * int(self.subjects.due[s]),
                stations=int(self.subjects.stations[s]),
                computed_at=moment,
            )

    def _get_item(self, pollutant: str) -> str:
        if self.scale == AirScale.HOUR:
            return f"{pollutant}_1h"
        return "o3_8h" if pollutant == "o3" else f"{pollutant}_24h"

    def _list_iaqi(self, s: int, n: int) -> dict[str, int | None]:
        values = {name: int(column[s, n]) for name, column in self.index.iaqi.items() if self.subjects.programme[name][s]}
        return {name: None if value == aqi.NO_INDEX else value for name, value in values.items()}


def _store(rows: list[AirIndex], start: datetime, end: datetime) -> int:
    present = {(r.subject, r.scale, r.start): r for r in AirIndex.objects.filter(start__gte=start, start__lt=end, scale__in=list(AirScale.values))}
    fresh = []
    for row in rows:
        old = present.pop((row.subject, row.scale, row.start), None)
        if old is None or any(getattr(old, name) != getattr(row, name) for name in COMPARED):
            fresh.append(row)
    gone = list(present.values())
    with transaction():
        AirIndex.objects.bulk_create(fresh, batch_size=400, update_conflicts=True, unique_fields=["subject", "scale", "start"], update_fields=[*COMPARED, "computed_at"])
        for begin in range(0, len(gone), 500):
            AirIndex.objects.filter(pk__in=[row.pk for row in gone[begin : begin + 500]]).delete()
        touched = [row.start for row in (*fresh, *gone)]
        if touched:
            for indicator in list_indicators("environment.air_"):
                if isinstance(indicator.counts, ComputedSource):
                    mark_stale(indicator.name, min(touched), max(touched) + timedelta(hours=1))
    return len(touched)
