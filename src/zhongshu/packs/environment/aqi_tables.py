"""Tables of the air-quality index: editions, steps, categories, bits (HJ 633-2012 and HJ 633-2026).

Concentrations here are whole numbers of the last digit the standards keep (2026: 4.2.2, 4.2.3): µg/m³, and tenths of
mg/m³ for CO, so that 2 mg/m³ is 20.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Edition(StrEnum):
    """Which standard an index follows. Stored with every index value."""

    HJ633_2012 = "HJ 633-2012"
    HJ633_2026 = "HJ 633-2026"


IN_FORCE_2026: Final = date(2026, 3, 1)
"""First day of HJ 633-2026, which repealed HJ 633-2012."""


def edition_on(day: date) -> Edition:
    """The edition for air measured on that day (not computed on it).

    >>> edition_on(date(2026, 2, 28)).value, edition_on(date(2026, 3, 1)).value
    ('HJ 633-2012', 'HJ 633-2026')
    """
    return Edition.HJ633_2026 if day >= IN_FORCE_2026 else Edition.HJ633_2012


POLLUTANTS: Final = ("so2", "no2", "co", "pm10", "pm25", "o3")
"""Pollutants in the order of the standards' tables; bit `1 << position` in a primary-pollutant mask."""

POLLUTANT_NAMES: Final[Mapping[str, str]] = {
    "so2": "SO2",
    "no2": "NO2",
    "co": "CO",
    "pm10": "PM10",
    "pm25": "PM2.5",
    "o3": "O3",
}

POLLUTANT_BIT: Final[Mapping[str, int]] = {name: 1 << index for index, name in enumerate(POLLUTANTS)}

HJ212_FACTOR: Final[Mapping[str, str]] = {
    "so2": "a21026",
    "no2": "a21004",
    "co": "a21005",
    "pm10": "a34002",
    "pm25": "a34004",
    "o3": "a05024",
}
"""HJ 212 factor code of each pollutant."""

INDEX_STEPS: Final = np.array([0, 50, 100, 150, 200, 300, 400, 500], dtype=np.int64)

O3_8H_LIMIT: Final = 160
"""µg/m³, daily largest 8-hour mean, GB 3095-2012 and -2026 level 2; for the validity of an ozone day (HJ 663)."""

SO2_1H_END: Final = 800
O3_8H_END: Final = 800
"""µg/m³ where these columns end (notes under the step tables): see `aqi.compute_hourly`, `aqi.compute_daily`."""

Steps = NDArray[np.int64]


def _steps(*values: int) -> Steps:
    return np.array(values, dtype=np.int64)


_COMMON: Mapping[str, Steps] = {
    "so2_24h": _steps(0, 50, 150, 475, 800, 1600, 2100, 2620),
    "so2_1h": _steps(0, 150, 500, 650, 800),
    "no2_24h": _steps(0, 40, 80, 180, 280, 565, 750, 940),
    "no2_1h": _steps(0, 100, 200, 700, 1200, 2340, 3090, 3840),
    "co_24h": _steps(0, 20, 40, 140, 240, 360, 480, 600),
    "co_1h": _steps(0, 50, 100, 350, 600, 900, 1200, 1500),
    "o3_8h": _steps(0, 100, 160, 215, 265, 800),
    "o3_1h": _steps(0, 160, 200, 300, 400, 800, 1000, 1200),
}

STEPS: Final[Mapping[Edition, Mapping[str, Steps]]] = {
    Edition.HJ633_2012: {
        **_COMMON,
        "pm10_24h": _steps(0, 50, 150, 250, 350, 420, 500, 600),
        "pm25_24h": _steps(0, 35, 75, 115, 150, 250, 350, 500),
    },
    Edition.HJ633_2026: {
        **_COMMON,
        "pm10_24h": _steps(0, 50, 120, 250, 350, 420, 500, 600),
        "pm25_24h": _steps(0, 35, 60, 115, 150, 250, 350, 500),
    },
}
"""Concentrations at INDEX_STEPS by item (HJ 633-2012, table 1; HJ 633-2026, table 3). Shorter columns end early."""


class Level(IntEnum):
    """Category of the index; 0 when there is none (NA)."""

    NA = 0
    EXCELLENT = 1
    GOOD = 2
    LIGHT = 3
    MODERATE = 4
    HEAVY = 5
    SEVERE = 6


class Category(NamedTuple):
    """`high` is the last index of the category; `rgb` the colour of annex A, the same in both editions."""

    level: Level
    code: str
    label: str
    low: int
    high: int
    rgb: tuple[int, int, int]


CATEGORIES: Final = (
    Category(Level.EXCELLENT, "excellent", "Excellent", 0, 50, (0, 228, 0)),
    Category(Level.GOOD, "good", "Good", 51, 100, (255, 255, 0)),
    Category(Level.LIGHT, "light", "Lightly polluted", 101, 150, (255, 126, 0)),
    Category(Level.MODERATE, "moderate", "Moderately polluted", 151, 200, (255, 0, 0)),
    Category(Level.HEAVY, "heavy", "Heavily polluted", 201, 300, (153, 0, 76)),
    Category(Level.SEVERE, "severe", "Severely polluted", 301, 500, (126, 0, 35)),
)
"""HJ 633-2012, table 2; HJ 633-2026, table 1 and annex A. In 2026 the first category begins at 1."""
