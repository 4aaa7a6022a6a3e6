"""Exact means of hourly concentrations, their validity and their rounding (GB 3095, HJ 663, GB/T 8170).

Every mean is a whole numerator over a common denominator, so that a mean of exactly 60.5 is a tie and not 60.499….
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zhongshu.packs.environment.aqi_tables import O3_8H_LIMIT

SCALE: Final = 100_000
"""Scaled values are whole hundred-thousandths of the unit (µg/m³; mg/m³ for CO): five decimals are exact."""

NA: Final = np.iinfo(np.int64).min
"""Stands for "no valid value" in arrays of rounded concentrations."""

MAX_VALUE: Final = 100_000
"""Larger magnitudes are no concentrations; beyond them int64 would not be exact for areas of 100 stations."""

MIN_HOURS_DAY: Final = 20
"""Valid hours in a natural day for SO2, NO2, CO, PM10, PM2.5 (GB 3095-2012 and -2026, table 4)."""

MIN_HOURS_8H: Final = 6
"""Valid hours in eight for an 8-hour ozone mean (the same tables)."""

MIN_8H_MEANS: Final = 14
"""Valid 8-hour means among those ending 8:00 … 24:00 for an ozone day (HJ 663-2026, 6.1.2)."""

_DAY_DENOMINATOR: Final = math.lcm(*range(MIN_HOURS_DAY, 25))
_8H_DENOMINATOR: Final = math.lcm(*range(MIN_HOURS_8H, 9))

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means of any shape. The mean is `numerator / (denominator × SCALE)`; where not `valid` the numerator is 0.

    `count` is how many hours (8-hour means, stations) took part, also where they were too few.
    """

    numerator: Ints
    denominator: int | Ints
    count: Ints
    valid: Bools

    def rounded(self, *, tenths: bool = False) -> Ints:
        """Whole units, or whole tenths (CO), ties to even (GB/T 8170); `NA` where invalid."""
        factor = 10 if tenths else 1
        whole = round_half_even(self.numerator * factor, np.asarray(self.denominator, dtype=np.int64) * SCALE)
        return np.where(self.valid, whole, NA)

    def as_float(self) -> NDArray[np.float64]:
        """Unrounded, to show beside the rounded value; NaN where invalid."""
        mean = self.numerator / (np.asarray(self.denominator, dtype=np.float64) * SCALE)
        return np.where(self.valid, mean, np.nan)


def scale_values(values: ArrayLike) -> tuple[Ints, Bools]:
    """Concentrations as floats to scaled integers and their validity; NaN, infinite and absurd values are invalid.

    A decimal of up to five places that went through float64 comes out exact.

    >>> scaled, valid = scale_values([60.5, float("nan")])
    >>> scaled.tolist(), valid.tolist()
    ([6050000, 0], [True, False])
    """
    given = np.asarray(values, dtype=np.float64)
    valid = np.isfinite(given) & (np.abs(np.where(np.isfinite(given), given, 0.0)) <= MAX_VALUE)
    return np.rint(np.where(valid, given, 0.0) * SCALE).astype(np.int64), valid


def round_half_even(numerator: ArrayLike, denominator: ArrayLike) -> Ints:
    """Round numerator / denominator (> 0) to the nearest integer, ties to even, in integers.

    >>> round_half_even([121, 123, -1, 5], [2, 2, 2, 3]).tolist()
    [60, 62, 0, 2]
    """
    top, bottom = np.asarray(numerator, dtype=np.int64), np.asarray(denominator, dtype=np.int64)
    quotient, rest = np.divmod(top, bottom)
    twice = 2 * rest
    is_up = (twice > bottom) | ((twice == bottom) & (quotient % 2 != 0))
    return np.asarray(quotient + is_up, dtype=np.int64)


def compute_hour_values(scaled: Ints, valid: Bools) -> Means:
    """Hourly concentrations as `Means` of one hour each, any shape."""
    return Means(np.where(valid, scaled, 0), 1, valid.astype(np.int64), valid)


def compute_day_means(scaled: Ints, valid: Bools) -> Means:
    """Natural-day means of hours `(…, 24)` to `(…)`; valid from 20 hours on. All valid hours take part."""
    _check_day(scaled)
    return _mean(np.where(valid, scaled, 0).sum(axis=-1), valid.sum(axis=-1), MIN_HOURS_DAY, _DAY_DENOMINATOR)


def compute_running_24h(scaled: Ints, valid: Bools) -> Means:
    """For each hour of `(…, hour)` the mean of it and the 23 before; valid from 20 hours on, so not before the 20th."""
    return _mean(*_running_sums(scaled, valid, 24), MIN_HOURS_DAY, _DAY_DENOMINATOR)


def compute_running_8h(scaled: Ints, valid: Bools) -> Means:
    """For each hour of `(…, hour)` the mean of it and the 7 before; valid from 6 hours on."""
    return _mean(*_running_sums(scaled, valid, 8), MIN_HOURS_8H, _8H_DENOMINATOR)


def compute_o3_day(scaled: Ints, valid: Bools) -> Means:
    """Largest 8-hour ozone mean of the day, hours `(…, 24)` to `(…)`.

    Of the 17 means that end at 8:00 … 24:00, whose hours all lie in the day; `count` of them are valid. The day is
    valid with 14, or with fewer when the largest, rounded as it is published, is above 160 µg/m³ (HJ 663).
    """
    _check_day(scaled)
    running = compute_running_8h(scaled, valid)
    numerator, is_mean = running.numerator[..., 7:], running.valid[..., 7:]
    largest = np.where(is_mean, numerator, np.iinfo(np.int64).min).max(axis=-1)
    count = is_mean.sum(axis=-1)
    best = Means(np.where(count > 0, largest, 0), _8H_DENOMINATOR, count, count > 0)
    day_valid = (count >= MIN_8H_MEANS) | (best.valid & (best.rounded() > O3_8H_LIMIT))
    return Means(np.where(day_valid, best.numerator, 0), _8H_DENOMINATOR, count, day_valid)


def compute_largest_hour(scaled: Ints, valid: Bools, *, min_hours: int = MIN_HOURS_DAY) -> Means:
    """Largest hourly value of the day, hours `(…, 24)` to `(…)`: ozone's second daily item of HJ 633-2012.

    No text read fixes how many hours it needs; 20 are taken as for the other daily values.
    """
    _check_day(scaled)
    count = valid.sum(axis=-1)
    is_day = count >= min_hours
    largest = np.where(valid, scaled, np.iinfo(np.int64).min).max(axis=-1)
    return Means(np.where(is_day & (count > 0), largest, 0), 1, count, is_day & (count > 0))


def compute_area_means(stations: Means, *, min_stations: int = 1) -> Means:
    """Mean over stations, `(station, …)` to `(…)`, of their valid unrounded means; valid from `min_stations` on.

    Indices of an area come from these concentrations, never from the stations' indices (HJ 633-2026, 4.2). Which
    stations count (assessment points only) is the caller's choice.
    """
    if not isinstance(stations.denominator, int):
        raise ValueError("means over stations need one common denominator")
    count = stations.valid.sum(axis=0)
    total = np.where(stations.valid, stations.numerator, 0).sum(axis=0)
    valid = count >= max(1, min_stations)
    return Means(np.where(valid, total, 0), np.maximum(count, 1) * stations.denominator, count, valid)


def _check_day(scaled: Ints) -> None:
    if scaled.shape[-1:] != (24,):
        raise ValueError(f"a day has 24 hours on the last axis, not shape {scaled.shape}")


def _mean(total: Ints, count: Ints, least: int, denominator: int) -> Means:
    valid = count >= least
    factor = denominator // np.where(valid, count, denominator)
    return Means(np.where(valid, total * factor, 0), denominator, count, valid)


def _running_sums(scaled: Ints, valid: Bools, hours: int) -> tuple[Ints, Ints]:
    """Sum and count of the last `hours` values at each place of the last axis."""

    def window(values: Ints) -> Ints:
        total = np.cumsum(values, axis=-1)
        out = total.copy()
        out[..., hours:] -= total[..., :-hours]
        return out

    return window(np.where(valid, scaled, 0)), window(valid.astype(np.int64))
