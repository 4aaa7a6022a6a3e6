"""The air-quality index by HJ 633-2012 and HJ 633-2026, vectorised and exact.

Decided once for both editions: concentrations are rounded by GB/T 8170 (ties to even; whole µg/m³, CO to 0.1 mg/m³)
before the index. HJ 633-2026 prescribes it (4.2.2, 4.2.3); HJ 633-2012 is silent, and HJ 663-2013 rounds published
concentrations the same way. Every index is rounded **up** (2012: 6.2; 2026: 4.2.6), in integers. Above the last step
the index is 500 (common practice; neither edition writes it out). Negative concentrations count as 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zhongshu.packs.environment.aqi_means import (
    MIN_8H_MEANS,
    MIN_HOURS_8H,
    MIN_HOURS_DAY,
    NA,
    SCALE,
    Bools,
    Ints,
    Means,
    compute_area_means,
    compute_day_means,
    compute_hour_values,
    compute_largest_hour,
    compute_o3_day,
    compute_running_8h,
    compute_running_24h,
    round_half_even,
    scale_values,
)
from zhongshu.packs.environment.aqi_tables import (
    CATEGORIES,
    HJ212_FACTOR,
    INDEX_STEPS,
    O3_8H_END,
    POLLUTANT_BIT,
    POLLUTANT_NAMES,
    POLLUTANTS,
    SO2_1H_END,
    STEPS,
    Category,
    Edition,
    Level,
    edition_on,
)

NO_INDEX: Final = -1
"""In index arrays: NA, no index."""

DAILY_ITEMS: Final[Mapping[Edition, tuple[str, ...]]] = {
    Edition.HJ633_2012: ("so2_24h", "no2_24h", "co_24h", "pm10_24h", "pm25_24h", "o3_1h", "o3_8h"),
    Edition.HJ633_2026: ("so2_24h", "no2_24h", "co_24h", "pm10_24h", "pm25_24h", "o3_8h"),
}
"""Items of a daily report: five 24-hour means, ozone's largest 8-hour mean, in 2012 also its largest hour."""

HOURLY_ITEMS: Final[Mapping[Edition, tuple[str, ...]]] = {
    Edition.HJ633_2012: ("so2_1h", "so2_24h", "no2_1h", "co_1h", "pm10_24h", "pm25_24h", "o3_1h", "o3_8h"),
    Edition.HJ633_2026: ("so2_1h", "no2_1h", "co_1h", "pm10_1h", "pm25_1h", "o3_1h"),
}
"""Items that give an hourly index. 2012 (table 4): running means for particles (and for SO2 in the place of an hour
above 800) and ozone's running 8 hours; 2026 (4.2.4): 1-hour means of all six."""

Index16 = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class AirIndex:
    """Indices of any shape. `iaqi` by pollutant and `item_iaqi` by item: int16, `NO_INDEX` for NA.

    `primary` uint8 mask of `POLLUTANT_BIT`, 0 when the index is at most 50 or NA; `level` uint8 of `Level`.
    `is_not_measured` by pollutant: outside the station's programme, to be printed as `/` instead of NA.
    """

    edition: Edition
    iaqi: Mapping[str, Index16]
    item_iaqi: Mapping[str, Index16]
    aqi: Index16
    primary: NDArray[np.uint8]
    level: NDArray[np.uint8]
    is_not_measured: Mapping[str, Bools]


def compute_iaqi(edition: Edition, item: str, rounded: ArrayLike) -> Index16:
    """Sub-index of rounded concentrations (whole µg/m³; tenths of mg/m³ for CO; `NA` allowed).

    `item` is a column of the step table, `pm25_24h` or `so2_1h`; `pm10_1h` and `pm25_1h` (2026, 4.2.4) use the day's
    steps. Above the end of `so2_1h` (800): NA in 2012, 200 in 2026; of `o3_8h` (800): NA in 2012, 300 in 2026.

    >>> compute_iaqi(Edition.HJ633_2026, "pm25_24h", [60, 61, 75]).tolist()
    [100, 101, 114]
    """
    steps = STEPS[edition]["pm10_24h" if item == "pm10_1h" else "pm25_24h" if item == "pm25_1h" else item]
    given = np.asarray(rounded, dtype=np.int64)
    amount = np.clip(given, 0, steps[-1])
    upper = np.clip(np.searchsorted(steps, amount, side="left"), 1, len(steps) - 1)
    low, high = steps[upper - 1], steps[upper]
    index_low, index_high = INDEX_STEPS[upper - 1], INDEX_STEPS[upper]
    index = index_low - (-(index_high - index_low) * (amount - low)) // (high - low)
    if item in ("so2_1h", "o3_8h") and edition is Edition.HJ633_2012:
        index = np.where(given > steps[-1], NO_INDEX, index)
    return np.where(given == NA, NO_INDEX, index).astype(np.int16)


def compute_index(
    edition: Edition,
    rounded: Mapping[str, ArrayLike],
    items: Collection[str],
    *,
    programme: Mapping[str, ArrayLike] | None = None,
) -> AirIndex:
    """Sub-indices, index, primary pollutants and category of rounded concentrations by item, arrays of one shape.

    An item of `items` that `rounded` lacks is NA everywhere. `programme` tells by pollutant (bool, broadcast) whether
    the station measures it at all; default all six. Missing pollutants: 2012 takes the largest of the rest; 2026
    (5.3.1) publishes it only when it is above 100, else index, category and primary pollutant are NA.
    """
    shape = np.broadcast_shapes(*(np.shape(rounded[item]) for item in items if item in rounded))
    absent = np.full(shape, NO_INDEX, dtype=np.int16)
    by_item = {item: np.broadcast_to(compute_iaqi(edition, item, rounded[item]), shape) if item in rounded else absent for item in items}
    if edition is Edition.HJ633_2012 and "so2_1h" in by_item:
        by_item["so2_24h"] = _keep_where(by_item["so2_24h"], np.asarray(rounded.get("so2_1h", NA)) > SO2_1H_END)
    measured = {name: _get_programme(programme, name, shape) for name in POLLUTANTS}
    iaqi = dict.fromkeys(POLLUTANTS, absent)
    for item, index in by_item.items():
        name = item.partition("_")[0]
        iaqi[name] = np.where(measured[name], np.maximum(iaqi[name], index), NO_INDEX).astype(np.int16)
    largest = np.stack([iaqi[name] for name in POLLUTANTS]).max(axis=0)
    if edition is Edition.HJ633_2026:
        is_missing = np.any([measured[name] & (iaqi[name] == NO_INDEX) for name in POLLUTANTS], axis=0)
        aqi = np.where(is_missing & (largest <= 100), NO_INDEX, largest).astype(np.int16)
    else:
        aqi = largest
    primary = np.zeros(shape, dtype=np.uint8)
    for name in POLLUTANTS:
        primary |= np.where((aqi > 50) & (iaqi[name] == aqi), POLLUTANT_BIT[name], 0).astype(np.uint8)
    return AirIndex(
        edition=edition,
        iaqi=iaqi,
        item_iaqi=by_item,
        aqi=aqi,
        primary=primary,
        level=compute_level(aqi),
        is_not_measured={name: ~measured[name] for name in POLLUTANTS},
    )


def compute_level(aqi: ArrayLike) -> NDArray[np.uint8]:
    """Category level 1…6 of an index, 0 for `NO_INDEX`."""
    index = np.asarray(aqi)
    level = np.searchsorted([category.high for category in CATEGORIES], index, side="left") + 1
    return np.where(index < 0, 0, np.minimum(level, len(CATEGORIES))).astype(np.uint8)


def list_primary(mask: int) -> tuple[str, ...]:
    """Names of the primary pollutants in a mask, in the order of the standards' tables.

    >>> list_primary(34)
    ('NO2', 'O3')
    """
    return tuple(POLLUTANT_NAMES[name] for name in POLLUTANTS if mask & POLLUTANT_BIT[name])


def find_category(aqi: int) -> Category | None:
    """The category of one index; None for `NO_INDEX`."""
    level = int(compute_level(aqi))
    return CATEGORIES[level - 1] if level else None


def compute_daily_means(hours: Mapping[str, tuple[Ints, Bools]]) -> dict[str, Means]:
    """Daily concentrations by item from scaled hours `(…, 24)` and their validity, by pollutant.

    Ozone gives `o3_8h` and `o3_1h`, every other `<pollutant>_24h`. Hour *h* of the last axis is the (h+1)-th of the
    civil day. Validity: `aqi_means`. Hours are valid as GB 3095 says (flag N, ≥ 45 minutes): the caller's matter.
    """
    means: dict[str, Means] = {}
    for name, (scaled, valid) in hours.items():
        if name == "o3":
            means["o3_8h"] = compute_o3_day(scaled, valid)
            means["o3_1h"] = compute_largest_hour(scaled, valid)
        else:
            means[f"{name}_24h"] = compute_day_means(scaled, valid)
    return means


def compute_hourly_means(hours: Mapping[str, tuple[Ints, Bools]]) -> dict[str, Means]:
    """Concentrations for hourly reports by item from scaled hours `(…, hour)` without gaps in time.

    Each pollutant's hour, and the running means HJ 633-2012 uses: 24 hours of SO2, PM10, PM2.5, 8 hours of ozone.
    """
    means: dict[str, Means] = {}
    for name, (scaled, valid) in hours.items():
        means[f"{name}_1h"] = compute_hour_values(scaled, valid)
        if name in ("so2", "pm10", "pm25"):
            means[f"{name}_24h"] = compute_running_24h(scaled, valid)
        elif name == "o3":
            means["o3_8h"] = compute_running_8h(scaled, valid)
    return means


def compute_area(means: Mapping[str, Means], *, min_stations: int = 1) -> dict[str, Means]:
    """Mean concentrations over stations (first axis) by item, for `compute_daily` or `compute_hourly`."""
    return {item: compute_area_means(mean, min_stations=min_stations) for item, mean in means.items()}


def round_means(means: Mapping[str, Means]) -> dict[str, Ints]:
    """Rounded concentrations by item: whole µg/m³, tenths of mg/m³ for CO, `NA` where invalid (GB/T 8170)."""
    return {item: mean.rounded(tenths=item.startswith("co_")) for item, mean in means.items()}


def compute_daily(edition: Edition, means: Mapping[str, Means], *, programme: Mapping[str, ArrayLike] | None = None) -> AirIndex:
    """Daily index of `compute_daily_means` (or of an area). 2012: ozone's index is the larger of its two items."""
    return compute_index(edition, round_means(means), DAILY_ITEMS[edition], programme=programme)


def compute_hourly(edition: Edition, means: Mapping[str, Means], *, programme: Mapping[str, ArrayLike] | None = None) -> AirIndex:
    """Hourly index of `compute_hourly_means` (or of an area); particles by edition as `HOURLY_ITEMS` says."""
    return compute_index(edition, round_means(means), HOURLY_ITEMS[edition], programme=programme)


def _keep_where(index: Index16, condition: NDArray[np.bool_]) -> Index16:
    return np.where(condition, index, NO_INDEX).astype(np.int16)


def _get_programme(programme: Mapping[str, ArrayLike] | None, name: str, shape: tuple[int, ...]) -> Bools:
    is_measured = True if programme is None else programme.get(name, False)
    return np.broadcast_to(np.asarray(is_measured, dtype=np.bool_), shape)


__all__ = [
    "CATEGORIES",
    "DAILY_ITEMS",
    "HJ212_FACTOR",
    "HOURLY_ITEMS",
    "MIN_8H_MEANS",
    "MIN_HOURS_8H",
    "MIN_HOURS_DAY",
    "NA",
    "NO_INDEX",
    "O3_8H_END",
    "POLLUTANTS",
    "POLLUTANT_BIT",
    "POLLUTANT_NAMES",
    "SCALE",
    "SO2_1H_END",
    "AirIndex",
    "Category",
    "Edition",
    "Level",
    "Means",
    "compute_area",
    "compute_daily",
    "compute_daily_means",
    "compute_hourly",
    "compute_hourly_means",
    "compute_iaqi",
    "compute_index",
    "compute_level",
    "edition_on",
    "find_category",
    "list_primary",
    "round_half_even",
    "round_means",
    "scale_values",
]
