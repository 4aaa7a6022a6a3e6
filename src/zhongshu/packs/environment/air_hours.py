"""From the lake's readings to hourly arrays of stations: what HJ 633 is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from zhongshu.kernel.lake import Lake
from zhongshu.kernel.time import Period, PeriodUnit
from zhongshu.kernel.units import convert, parse_unit
from zhongshu.sense.device.models import Stream

from .air import AirStation, get_property
from .aqi import POLLUTANTS, scale_values

__all__ = ["BEFORE", "HOUR_US", "Hours", "StationRow", "list_stations", "read_hours"]

HOUR_US = 3_600_000_000
BEFORE = 23
"""Hours before the first day that the running means of 24 and 8 hours reach back to."""

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class StationRow:
    """What of a station counts for the index."""

    id: int
    thing: int | None
    division: int | None
    kind: str
    programme: frozenset[str]
    opened_on: date | None
    closed_on: date | None

    def is_open(self, on: date) -> bool:
        """Tell whether readings are due on a day; without an opening day nothing is due."""
        return self.opened_on is not None and self.opened_on <= on and (self.closed_on is None or on < self.closed_on)


@dataclass(frozen=True, eq=False)
class Hours:
    """Hourly concentrations of consecutive civil days, `BEFORE` hours first.

    `scaled` and `valid` by pollutant `(station, hour)`; `heard` `(station, hour)`: any row, valid or not.
    """

    first: date
    start_us: int
    days: int
    scaled: Mapping[str, Ints]
    valid: Mapping[str, Bools]
    heard: Bools


def list_stations() -> list[StationRow]:
    """Return all stations that have a thing, by id."""
    columns = ("pk", "thing_id", "division_id", "kind", "programme", "opened_on", "closed_on")
    rows = AirStation.objects.filter(thing__isnull=False).order_by("pk").values_list(*columns)
    return [StationRow(pk, thing, division, kind, frozenset(programme.split(",")), opened, closed) for pk, thing, division, kind, programme, opened, closed in rows]


def read_hours(lake: Lake, stations: list[StationRow], first: date, last: date) -> Hours:
    """Read the hourly means of the civil days `first` to `last` in one query.

    A reading's time is the start of its hour. Only quality 0 is valid (flag N; HJ 212-2017, 6.6.4). Units of streams are converted to µg/m³ (CO mg/m³).
    Raises `ValueError` where a day of the city's zone has not 24 hours: the standards know no such day.
    """
    zone = settings.TIME_ZONE
    days = (last - first).days + 1
    begin = Period.of_day(first, PeriodUnit.DAY).start_us(zone)
    end = Period.of_day(last, PeriodUnit.DAY).end_us(zone)
    if end - begin != days * 24 * HOUR_US:
        raise ValueError(f"between {first} and {last} a day of {zone} has not 24 hours; the index is defined for natural days of 24 hours")
    start, hours = begin - BEFORE * HOUR_US, days * 24 + BEFORE
    shape = (len(stations), len(POLLUTANTS), hours)
    value, heard = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
    ordinals, place, factor = _list_streams(stations)
    if len(ordinals):
        stream, t, got, quality = _query(lake, ordinals, start, end, (first - timedelta(days=1), last))
        at = np.searchsorted(ordinals, stream)
        cell = np.ravel_multi_index((place[at, 0], place[at, 1], (t - start) // HOUR_US), shape)
        heard.ravel()[cell] = True
        good = quality == 0
        value.ravel()[cell[good]] = got[good] * factor[at[good]]
    pairs = {name: scale_values(value[:, n]) for n, name in enumerate(POLLUTANTS)}
    return Hours(first, begin, days, {n: p[0] for n, p in pairs.items()}, {n: p[1] for n, p in pairs.items()}, np.asarray(heard.any(axis=1)))


def _query(lake: Lake, ordinals: Ints, start: int, end: int, days: tuple[date, date]) -> tuple[Ints, Ints, NDArray[np.float64], Ints]:
    with lake.connect(("observation",), days) as connection:
        connection.execute("CREATE TEMP TABLE wanted(stream BIGINT)")
        connection.execute("INSERT INTO wanted SELECT unnest(?)", [ordinals.tolist()])
        sql = """
            SELECT stream, t, coalesce(value, 'nan'::DOUBLE) AS value, quality::BIGINT AS quality
            FROM observation JOIN wanted USING (stream) WHERE t >= ? AND t < ? AND sub = 0 ORDER BY stream, t
        """
        found = connection.execute(sql, [start, end]).fetchnumpy()
    return found["stream"], found["t"], found["value"], found["quality"]


def _list_streams(stations: list[StationRow]) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Ordinals (sorted), their (station, pollutant) place, and the factor to the unit of the index; streams outside a station's programme are left out."""
    codes = {get_property(name): n for n, name in enumerate(POLLUTANTS)}
    at = {row.thing: n for n, row in enumerate(stations)}
    rows = Stream.objects.filter(thing__in=[row.thing for row in stations], property__code__in=list(codes)).order_by("ordinal")
    listed = rows.values_list("ordinal", "thing_id", "property__code", "unit", "property__unit")
    found = [row for row in listed if POLLUTANTS[codes[row[2]]] in stations[at[row[1]]].programme]
    place = np.array([(at[thing], codes[code]) for _o, thing, code, _u, _p in found], dtype=np.int64).reshape(-1, 2)
    factor = np.array([_find_factor(unit or usual, "mg/m3" if POLLUTANTS[codes[code]] == "co" else "ug/m3") for _o, _t, code, unit, usual in found])
    return np.array([row[0] for row in found], dtype=np.int64), place, factor


def _find_factor(unit: str, wanted: str) -> float:
    return float(convert([1.0], parse_unit(unit.replace("^", "")).code, wanted)[0])
