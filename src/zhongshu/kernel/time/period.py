"""Civil days and periods of the city's zone: hour, day, ISO week, month, quarter, year. Vectorised over µs UTC."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .clock import to_datetime, to_us

__all__ = ["Period", "PeriodUnit", "civil_day", "compute_ordinals", "to_civil_us"]

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()


class PeriodUnit(StrEnum):
    """Length of a period; the values are stored."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_FORMS: dict[PeriodUnit, str] = {
    PeriodUnit.HOUR: r"(\d{4})-(\d\d)-(\d\d)T(\d\d)",
    PeriodUnit.DAY: r"(\d{4})-(\d\d)-(\d\d)",
    PeriodUnit.WEEK: r"(\d{4})-W(\d\d)",
    PeriodUnit.MONTH: r"(\d{4})-(\d\d)",
    PeriodUnit.QUARTER: r"(\d{4})-Q([1-4])",
    PeriodUnit.YEAR: r"(\d{4})",
}


@functools.lru_cache(maxsize=4096)
def _list_offsets(zone: str, year: int) -> tuple[list[int], list[int]]:
    """Moments (µs UTC) of a year from which an offset from UTC (µs) holds; the first is the start of the year."""
    info = ZoneInfo(zone)

    def offset(us: int) -> int:
        shift = to_datetime(us).astimezone(info).utcoffset() or dt.timedelta(0)
        return shift // dt.timedelta(microseconds=1)

    start, end = (to_us(dt.datetime(y, 1, 1, tzinfo=dt.UTC)) for y in (year, year + 1))
    moments, offsets = [start], [offset(start)]
    for day in range(start, end, _DAY_US):
        low, high = day, min(day + _DAY_US, end - 1)
        after = offset(high)
        if after == offsets[-1]:
            continue
        while high - low > 1_000_000:
            middle = (low + high) // 2_000_000 * 1_000_000
            low, high = (low, middle) if offset(middle) == after else (middle, high)
        moments.append(high)
        offsets.append(after)
    return moments, offsets


def to_civil_us(us: ArrayLike, zone: str) -> NDArray[np.int64]:
    """Local wall-clock microseconds (as if 1970 were local) of µs UTC, any length.

    By the zone database's rules, also after 2037, where Arrow's own conversion leaves summer time out. Moments outside
    the years 1900-2199 take the offset of the nearest of these years.
    """
    moments = np.atleast_1d(np.asarray(us, dtype=np.int64))
    if not len(moments):
        return moments
    first, last = (int(np.clip(1970 + edge // (31_556_952 * 10**6), 1900, 2199)) for edge in (moments.min(), moments.max()))
    years = [_list_offsets(zone, year) for year in range(max(first - 1, 1900), min(last + 1, 2199) + 1)]
    turns = np.array([at for year in years for at in year[0]], dtype=np.int64)
    offsets = np.array([shift for year in years for shift in year[1]], dtype=np.int64)
    if (offsets == offsets[0]).all():
        return np.asarray(moments + offsets[0])
    return np.asarray(moments + offsets[np.maximum(np.searchsorted(turns, moments, side="right") - 1, 0)])


def civil_day(us: ArrayLike, zone: str) -> NDArray[np.datetime64]:
    """The civil day, ``datetime64[D]``, on which each moment falls in a zone.

    >>> civil_day([1772294400000000], "Asia/Shanghai")      # 2026-02-28 16:00 UTC
    array(['2026-03-01'], dtype='datetime64[D]')
    """
    return (to_civil_us(us, zone) // _DAY_US).astype("datetime64[D]")


def compute_ordinals(us: ArrayLike, unit: PeriodUnit, zone: str) -> NDArray[np.int64]:
    """Ordinal of the period each moment falls in: equal exactly for moments of one :class:`Period`."""
    civil = to_civil_us(us, zone)
    if unit == PeriodUnit.HOUR:
        return np.asarray(civil // _HOUR_US)
    days = civil // _DAY_US
    if unit == PeriodUnit.DAY:
        return np.asarray(days)
    if unit == PeriodUnit.WEEK:
        return np.asarray((days + 3) // 7)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.YEAR: 12}[unit])


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """One named stretch of civil time; ``ordinal`` counts from the one that holds 1970-01-01.

    Written ``2026-11-21T14``, ``2026-11-21``, ``2026-W47`` (ISO 8601 week), ``2026-11``, ``2026-Q4``, ``2026``.
    Starts and ends need a zone; where a zone repeats an hour in autumn, that hour period lasts two hours.

    >>> Period.parse("2026-11").shift(-12), str(Period.parse("2026-12-31").widen(PeriodUnit.WEEK))
    (Period.parse('2025-11'), '2026-W53')
    """

    unit: PeriodUnit
    ordinal: int

    def __repr__(self) -> str:
        return f"Period.parse({str(self)!r})"

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read a written period; raises ``ValueError`` with the forms that are taken."""
        for unit, form in _FORMS.items():
            found = re.fullmatch(form, text, re.ASCII)
            if found:
                try:
                    return cls(unit, _parse_ordinal(unit, [int(part) for part in found.groups()]))
                except ValueError as error:
                    raise ValueError(f"There is no {unit} {text}: {error}.") from None
        raise ValueError(f"{text!r} is no period; write 2026, 2026-Q4, 2026-11, 2026-W47, 2026-11-21 or 2026-11-21T14.")

    @classmethod
    def of(cls, at: dt.datetime | int, unit: PeriodUnit, zone: str) -> Period:
        """The period that holds a moment (aware datetime or µs UTC)."""
        us = at if isinstance(at, int) else to_us(at)
        return cls(unit, int(compute_ordinals(us, unit, zone)[0]))

    @classmethod
    def of_day(cls, day: dt.date, unit: PeriodUnit) -> Period:
        """The period that holds a civil day; ``hour`` raises ``ValueError``."""
        if unit == PeriodUnit.HOUR:
            raise ValueError("A day holds 24 hour periods, not one.")
        days = day.toordinal() - _EPOCH_DAY
        months = (day.year - 1970) * 12 + day.month - 1
        return cls(
            unit,
            {
                PeriodUnit.DAY: days,
                PeriodUnit.WEEK: (days + 3) // 7,
                PeriodUnit.MONTH: months,
                PeriodUnit.QUARTER: months // 3,
                PeriodUnit.YEAR: day.year - 1970,
            }[unit],
        )

    @property
    def first_on(self) -> dt.date:
        """Its first civil day."""
        if self.unit == PeriodUnit.HOUR:
            return dt.date.fromordinal(_EPOCH_DAY + self.ordinal // 24)
        if self.unit == PeriodUnit.DAY:
            return dt.date.fromordinal(_EPOCH_DAY + self.ordinal)
        if self.unit == PeriodUnit.WEEK:
            return dt.date.fromordinal(_EPOCH_DAY + self.ordinal * 7 - 3)
        months = self.ordinal * {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.YEAR: 12}[self.unit]
        return dt.date(1970 + months // 12, months % 12 + 1, 1)

    def __str__(self) -> str:
        day = self.first_on
        if self.unit == PeriodUnit.HOUR:
            return f"{day}T{self.ordinal % 24:02d}"
        if self.unit == PeriodUnit.DAY:
            return day.isoformat()
        if self.unit == PeriodUnit.WEEK:
            year, week, _ = day.isocalendar()
            return f"{year:04d}-W{week:02d}"
        if self.unit == PeriodUnit.MONTH:
            return f"{day.year:04d}-{day.month:02d}"
        if self.unit == PeriodUnit.QUARTER:
            return f"{day.year:04d}-Q{day.month // 3 + 1}"
        return f"{day.year:04d}"

    def shift(self, n: int) -> Period:
        """The period ``n`` later (earlier when negative)."""
        return Period(self.unit, self.ordinal + n)

    def start_us(self, zone: str) -> int:
        """First microsecond, UTC."""
        hour = self.ordinal % 24 if self.unit == PeriodUnit.HOUR else 0
        return to_us(dt.datetime.combine(self.first_on, dt.time(hour), ZoneInfo(zone)))

    def end_us(self, zone: str) -> int:
        """First microsecond after it, UTC (the end is excluded)."""
        return self.shift(1).start_us(zone)

    def list_parts(self, unit: PeriodUnit) -> list[Period]:
        """The periods of a finer unit whose first day lies in it, in order; a week counts by its Monday."""
        if unit == PeriodUnit.HOUR:
            first = (self.first_on.toordinal() - _EPOCH_DAY) * 24
            last = (self.shift(1).first_on.toordinal() - _EPOCH_DAY) * 24
            return [self] if self.unit == unit else [Period(unit, i) for i in range(first, last)]
        first_part, end = Period.of_day(self.first_on, unit), self.shift(1).first_on
        return [p for p in _iterate(first_part, end) if p.first_on >= self.first_on]

    def widen(self, unit: PeriodUnit) -> Period:
        """The period of a coarser unit that holds its first day."""
        return Period.of_day(self.first_on, unit)


def _iterate(first: Period, end: dt.date) -> Iterator[Period]:
    while first.first_on < end:
        yield first
        first = first.shift(1)


def _parse_ordinal(unit: PeriodUnit, parts: list[int]) -> int:
    if unit == PeriodUnit.WEEK:
        day = dt.date.fromisocalendar(parts[0], parts[1], 1)
    elif unit == PeriodUnit.QUARTER:
        day = dt.date(parts[0], parts[1] * 3 - 2, 1)
    else:
        day = dt.date(*[*parts[:3], 1, 1][:3])
    if unit == PeriodUnit.HOUR:
        if parts[3] > 23:
            raise ValueError("hours run from 00 to 23")
        return (day.toordinal() - _EPOCH_DAY) * 24 + parts[3]
    return Period.of_day(day, unit).ordinal
