"""The working-time clock: working hours, holidays and moved working days, deadlines, suspensions.

Limits of city-management cases are given in urgent hours (紧急工作时, day and night), working hours (工作时) or working
days (工作日), GB/T 30428.8-2020 and local tables; the standard's clause on how to count was not at hand, so the count
is stated here: working time is a clock that stands outside opening hours; a working day is one turn of that clock
whatever its length, so that *n* working days from 10:00 end at 10:00 on the n-th following working day of equal hours.

Holidays and moved working days are those of the State Council's yearly notices, from ``chinese_calendar``. Beyond the
years it covers (:data:`COVERED_YEARS`) Monday to Friday count as working days, and results say ``assumed``.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

import chinese_calendar
import numpy as np
from chinese_calendar import constants as _notices
from numpy.typing import ArrayLike, NDArray

from .clock import to_datetime, to_us

__all__ = [
    "COVERED_YEARS",
    "Deadline",
    "LimitUnit",
    "OpenSpan",
    "Suspension",
    "WorkingCalendar",
    "is_china_working_day",
]

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000

COVERED_YEARS: tuple[int, int] = (min(_notices.holidays).year, max(_notices.holidays).year)
"""First and last year whose notice the installed ``chinese_calendar`` knows."""


class LimitUnit(StrEnum):
    """Unit of a time limit; the values are stored."""

    URGENT_HOURS = "urgent_hours"
    WORKING_HOURS = "working_hours"
    WORKING_DAYS = "working_days"
    CALENDAR_HOURS = "calendar_hours"


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """Opening hours within one civil day, local time; ``until`` midnight (00:00) means the end of the day."""

    from_: dt.time
    until: dt.time


@dataclass(frozen=True, slots=True)
class Suspension:
    """Time that does not count (挂账); ``until_at`` ``None``: still suspended."""

    from_at: dt.datetime
    until_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a limit ends. ``at`` is ``None`` while the clock is suspended without end; ``assumed``: see the module."""

    at: dt.datetime | None
    assumed: bool


def is_china_working_day(day: dt.date) -> bool | None:
    """Whether people work by the State Council's notice; ``None`` for years without a notice in the package.

    >>> is_china_working_day(dt.date(2026, 10, 1)), is_china_working_day(dt.date(2026, 10, 10))
    (False, True)
    """
    if not COVERED_YEARS[0] <= day.year <= COVERED_YEARS[1]:
        return None
    return bool(chinese_calendar.is_workday(day))


_OFFICE = (OpenSpan(dt.time(8, 30), dt.time(12)), OpenSpan(dt.time(14), dt.time(17, 30)))


@dataclass(frozen=True)
class WorkingCalendar:
    """Opening hours of one organisation.

    ``hours`` by weekday (0 Monday; the default of 8:30-12:00, 14:00-17:30 is a setting, not a rule); a moved working
    Saturday or Sunday without hours of its own opens as Monday does. ``overrides`` replace single days (an empty tuple closes). ``always_open``
    makes a 24-hour organisation: hours run through, every day is a working day.
    """

    zone: str = "Asia/Shanghai"
    hours: Mapping[int, tuple[OpenSpan, ...]] = field(default_factory=lambda: dict.fromkeys(range(5), _OFFICE))
    overrides: Mapping[dt.date, tuple[OpenSpan, ...]] = field(default_factory=dict)
    always_open: bool = False
    working_day: Callable[[dt.date], bool | None] = is_china_working_day

    def __post_init__(self) -> None:
        for name, spans in [*self.hours.items(), *self.overrides.items()]:
            ends = [_minutes(t, end) for s in spans for t, end in ((s.from_, False), (s.until, True))]
            if ends != sorted(set(ends)):
                raise ValueError(f"Opening hours of {name} overlap or run backwards.")
        if not self.always_open and not any(self.hours.values()):
            raise ValueError("A calendar without opening hours has no deadline.")
        object.__setattr__(self, "_build_year", functools.lru_cache(maxsize=64)(self._compute_year))

    def list_spans(self, day: dt.date) -> tuple[OpenSpan, ...]:
        """Opening hours on a civil day, empty when closed."""
        if day in self.overrides:
            return self.overrides[day]
        if self.always_open:
            return (OpenSpan(dt.time(0), dt.time(0)),)
        verdict = self.working_day(day)
        weekday = day.weekday()
        if verdict is None:
            verdict = weekday < 5 or bool(self.hours.get(weekday))
        if not verdict:
            return ()
        return self.hours.get(weekday) or self.hours.get(0, ())

    def is_open(self, at: dt.datetime) -> bool:
        """Whether a moment lies in opening hours."""
        us = to_us(at)
        return bool(self.elapsed([us], [us + 1], LimitUnit.WORKING_HOURS)[0] > 0)

    def working_seconds(self, a: dt.datetime, b: dt.datetime, suspended: Iterable[Suspension] = ()) -> float:
        """Seconds of opening hours from ``a`` to ``b`` (negative when b is before a), suspensions left out."""
        if b < a:
            return -self.working_seconds(b, a, suspended)
        start, end = to_us(a), to_us(b)
        cuts = [(max(lo, start), end if hi is None else min(hi, end)) for lo, hi in _merge(suspended)]
        cuts = [(lo, hi) for lo, hi in cuts if lo < hi]
        total = self.elapsed([start], [end], LimitUnit.WORKING_HOURS)[0]
        if cuts:
            total -= self.elapsed([c[0] for c in cuts], [c[1] for c in cuts], LimitUnit.WORKING_HOURS).sum()
        return float(total) / 1e6

    def elapsed(self, start_us: ArrayLike, end_us: ArrayLike, unit: LimitUnit) -> NDArray[np.float64]:
        """Time used between pairs of moments (µs UTC, arrays of one length) on the unit's clock, in microseconds.

        One working day counts 86 400 000 000 µs whatever its opening hours. Vectorised: for evaluation over many cases.
        """
        a, b = np.asarray(start_us, dtype=np.int64), np.asarray(end_us, dtype=np.int64)
        if unit in (LimitUnit.URGENT_HOURS, LimitUnit.CALENDAR_HOURS) or a.size == 0:
            return (b - a).astype(float)
        table = self._table(min(int(a.min()), int(b.min())), max(int(a.max()), int(b.max())), unit)
        return _read(table, b) - _read(table, a)

    def deadline(self, start_at: dt.datetime, amount: float, unit: LimitUnit, suspended: Iterable[Suspension] = ()) -> Deadline:
        """When ``amount`` of ``unit`` is used up after ``start_at``, suspensions left out; aware UTC.

        A limit that is used up at closing time ends then, not at the next opening. Raises ``ValueError`` on a
        negative amount or one beyond fifty years.
        """
        if amount < 0:
            raise ValueError("A time limit cannot be negative.")
        start, left = to_us(start_at), amount * (_DAY_US if unit == LimitUnit.WORKING_DAYS else _HOUR_US)
        at = start
        for lo, hi in _merge(suspended):
            if hi is not None and hi <= at:
                continue
            pause = max(lo, at)
            used = float(self.elapsed([at], [pause], unit)[0])
            if used >= left:
                break
            if hi is None:
                return Deadline(None, False)
            left, at = left - used, hi
        due = self._advance(at, left, unit)
        years = range(self._year_of(start), self._year_of(due) + 1)
        plain = unit in (LimitUnit.URGENT_HOURS, LimitUnit.CALENDAR_HOURS) or self.always_open
        assumed = not plain and any(self.working_day(dt.date(y, 1, 1)) is None for y in years)
        return Deadline(to_datetime(due), assumed)

    def _advance(self, start: int, amount: float, unit: LimitUnit) -> int:
        if unit in (LimitUnit.URGENT_HOURS, LimitUnit.CALENDAR_HOURS):
            return start + round(amount)
        horizon = max(int(amount * 8), 60 * _DAY_US)
        for _ in range(8):
            table = self._table(start, start + horizon, unit)
            starts, ends, cumulated = table
            target = float(_read(table, np.array([start]))[0]) + amount
            if len(starts) and cumulated[-1] >= target:
                i = int(np.searchsorted(cumulated, target, side="left"))
                base = cumulated[i - 1] if i else 0.0
                share = (target - base) / (cumulated[i] - base)
                return max(start, int(starts[i]) + round(share * (ends[i] - starts[i])))
            horizon *= 4
            if horizon > 60 * 366 * _DAY_US:
                break
        raise ValueError("The limit does not end within fifty years.")

    def _year_of(self, us: int) -> int:
        return to_datetime(us).astimezone(ZoneInfo(self.zone)).year

    def _table(self, low: int, high: int, unit: LimitUnit) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Opening spans of whole years as (start µs, end µs, clock reading at the end)."""
        years = [self._build_year(y) for y in range(self._year_of(low), self._year_of(high) + 1)]  # type: ignore[attr-defined]
        starts, ends, weights = (np.concatenate(part) for part in zip(*years, strict=True))
        length = weights if unit == LimitUnit.WORKING_DAYS else ends - starts
        return starts, ends, np.cumsum(length, dtype=float)

    def _compute_year(self, year: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        zone = ZoneInfo(self.zone)
        rows: list[tuple[int, int, float]] = []
        day = dt.date(year, 1, 1)
        while day.year == year:
            spans = [(_at(day, s.from_, False, zone), _at(day, s.until, True, zone)) for s in self.list_spans(day)]
            total = sum(hi - lo for lo, hi in spans)
            rows += [(lo, hi, _DAY_US * (hi - lo) / total) for lo, hi in spans]
            day += dt.timedelta(days=1)
        lo, hi, weight = zip(*rows, strict=True) if rows else ((), (), ())
        return np.array(lo, dtype=np.int64), np.array(hi, dtype=np.int64), np.array(weight, dtype=float)


def _minutes(t: dt.time, end: bool) -> int:
    minutes = t.hour * 60 + t.minute
    return 1440 if end and minutes == 0 else minutes


def _at(day: dt.date, t: dt.time, end: bool, zone: ZoneInfo) -> int:
    if end and t == dt.time(0):
        day += dt.timedelta(days=1)
    return to_us(dt.datetime.combine(day, t, zone))


def _read(table: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Clock reading at moments: full spans before, and the share of the one that is open."""
    starts, ends, cumulated = table
    if not len(starts):
        return np.zeros(len(at))
    i = np.searchsorted(ends, at, side="right")
    before = np.where(i > 0, cumulated[np.maximum(i - 1, 0)], 0.0)
    j = np.minimum(i, len(starts) - 1)
    share = np.clip((at - starts[j]) / (ends[j] - starts[j]), 0.0, 1.0)
    return np.asarray(np.where(i < len(starts), before + share * (cumulated[j] - before), before))


def _merge(suspended: Iterable[Suspension]) -> Sequence[tuple[int, int | None]]:
    merged: list[tuple[int, int | None]] = []
    for s in sorted(suspended, key=lambda s: s.from_at):
        lo, hi = to_us(s.from_at), None if s.until_at is None else to_us(s.until_at)
        if hi is not None and hi < lo:
            raise ValueError(f"A suspension ends at {s.until_at}, before it begins at {s.from_at}.")
        if merged and (merged[-1][1] is None or lo <= merged[-1][1]):
            last = merged[-1]
            merged[-1] = (last[0], None if last[1] is None or hi is None else max(last[1], hi))
        else:
            merged.append((lo, hi))
    return merged
