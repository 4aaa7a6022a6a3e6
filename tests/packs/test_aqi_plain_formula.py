"""The index over six real stations and all their days, against a formula written straight from the standards.

Nothing of zhongshu is imported but in `compute_ours`: the reader, the means, the rounding and the index of the oracle
are plain Python with fractions. Real air knows no 800 µg/m³ of ozone, so made-up extreme hours are compared as well.
"""

import csv
import gzip
import os
import random
from fractions import Fraction
from functools import cache
from math import ceil
from pathlib import Path

import pytest

REAL = Path(os.environ.get("ZHONGSHU_REALDATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
FILES = sorted((REAL / "air_quality").glob("PRSA_Data_*.csv.gz"))
needs_files = pytest.mark.skipif(not FILES, reason=f"real air-quality files are not here: {REAL / 'air_quality'}")

COLUMNS = {"so2": "SO2", "no2": "NO2", "co": "CO", "pm10": "PM10", "pm25": "PM2.5", "o3": "O3"}
ORDER = ["so2", "no2", "co", "pm10", "pm25", "o3"]

# (index, concentration) rows as printed: HJ 633-2012 table 1, HJ 633-2026 table 3; CO in mg/m³, others µg/m³
INDEX = [0, 50, 100, 150, 200, 300, 400, 500]
TABLE = {
    "so2 day": [0, 50, 150, 475, 800, 1600, 2100, 2620],
    "so2 hour": [0, 150, 500, 650, 800],
    "no2 day": [0, 40, 80, 180, 280, 565, 750, 940],
    "no2 hour": [0, 100, 200, 700, 1200, 2340, 3090, 3840],
    "co day": [0, 2, 4, 14, 24, 36, 48, 60],
    "co hour": [0, 5, 10, 35, 60, 90, 120, 150],
    "o3 8 hours": [0, 100, 160, 215, 265, 800],
    "o3 hour": [0, 160, 200, 300, 400, 800, 1000, 1200],
}
PARTICLES = {
    2012: {"pm10": [0, 50, 150, 250, 350, 420, 500, 600], "pm25": [0, 35, 75, 115, 150, 250, 350, 500]},
    2026: {"pm10": [0, 50, 120, 250, 350, 420, 500, 600], "pm25": [0, 35, 60, 115, 150, 250, 350, 500]},
}


def read_station(path):
    """Hours by pollutant as exact fractions or None; CO from the file's µg/m³ to mg/m³."""
    hours = {name: [] for name in ORDER}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, column in COLUMNS.items():
                text = row[column].strip()
                hours[name].append(None if text in ("", "NA") else exact(text) / (1000 if name == "co" else 1))
    return hours


@cache
def exact(text):
    return Fraction(text)


@cache
def rounded(value, step):
    """GB/T 8170: to a multiple of step, ties to even (what round() of a fraction does)."""
    return round(value / step) * step


@cache
def sub_index(concentration, steps):
    """IAQI = (I_hi - I_lo) / (B_hi - B_lo) x (C - B_lo) + I_lo, rounded up."""
    if concentration > steps[-1]:
        return INDEX[len(steps) - 1]
    for place in range(1, len(steps)):
        if concentration <= steps[place]:
            low, high = steps[place - 1], steps[place]
            slope = Fraction(INDEX[place] - INDEX[place - 1]) / (high - low)
            return ceil(slope * (concentration - low) + INDEX[place - 1])
    raise AssertionError


def of(name, value, steps):
    if value is None:
        return None
    return sub_index(rounded(value, Fraction(1, 10) if name == "co" else Fraction(1)), tuple(steps))


def mean(values, least):
    there = [value for value in values if value is not None]
    return sum(there) / Fraction(len(there)) if len(there) >= least else None


def combine(edition, indices):
    """AQI (None for NA) and primary pollutants of sub-indices by pollutant (None for NA)."""
    there = [index for index in indices.values() if index is not None]
    if not there or (edition == 2026 and len(there) < 6 and max(there) <= 100):
        return None, ()
    aqi = max(there)
    return aqi, tuple(name for name in ORDER if indices[name] == aqi) if aqi > 50 else ()


def largest(*indices):
    return max((index for index in indices if index is not None), default=None)


def ozone_day(day):
    """Largest 8-hour mean of those ending 8:00 ... 24:00: 14 of them valid, or the largest above 160."""
    means = [mean(day[end - 8 : end], 6) for end in range(8, 25)]
    means = [value for value in means if value is not None]
    if not means or (len(means) < 14 and rounded(max(means), Fraction(1)) <= 160):
        return None
    return max(means)


def daily(edition, day, ozone):
    """`day`: 24 values by pollutant; `ozone`: its `ozone_day`."""
    means = {name: mean(day[name], 20) for name in ORDER if name != "o3"}
    indices = {name: of(name, means[name], TABLE[f"{name} day"]) for name in ("so2", "no2", "co")}
    for name in ("pm10", "pm25"):
        indices[name] = of(name, means[name], PARTICLES[edition][name])
    indices["o3"] = of("o3", ozone, TABLE["o3 8 hours"])
    if edition == 2012:
        if ozone is not None and rounded(ozone, Fraction(1)) > 800:
            indices["o3"] = None
        there = [value for value in day["o3"] if value is not None]
        hour = max(there) if len(there) >= 20 else None
        indices["o3"] = largest(indices["o3"], of("o3", hour, TABLE["o3 hour"]))
    return indices, *combine(edition, indices)


def hourly(edition, hour, running):
    """`hour`: value by pollutant; `running`: 24-hour means of so2, pm10, pm25 and 8-hour mean of o3."""
    indices = {name: of(name, hour[name], TABLE[f"{name} hour"]) for name in ("so2", "no2", "co", "o3")}
    if edition == 2012:
        if hour["so2"] is not None and rounded(hour["so2"], Fraction(1)) > 800:
            indices["so2"] = of("so2", running["so2"], TABLE["so2 day"])
        eight = running["o3"]
        is_beyond = eight is not None and rounded(eight, Fraction(1)) > 800
        indices["o3"] = largest(indices["o3"], None if is_beyond else of("o3", eight, TABLE["o3 8 hours"]))
    for name in ("pm10", "pm25"):
        value = running[name] if edition == 2012 else hour[name]
        indices[name] = of(name, value, PARTICLES[edition][name])
    return indices, *combine(edition, indices)


def running_means(values, length, least):
    """Mean of each hour and the ones before it, by adding what comes and taking off what goes."""
    out, total, count = [], Fraction(0), 0
    for place, value in enumerate(values):
        if value is not None:
            total, count = total + value, count + 1
        if place >= length and values[place - length] is not None:
            total, count = total - values[place - length], count - 1
        out.append(total / count if count >= least else None)
    return out


def compare(hours):
    """Compare every day and hour in both editions; give how many days have an index."""
    size = len(hours["o3"])
    ours_daily, ours_hourly = compute_ours(hours)
    ozones = [ozone_day(hours["o3"][at : at + 24]) for at in range(0, size, 24)]
    running = {name: running_means(hours[name], 24, 20) for name in ("so2", "pm10", "pm25")}
    running["o3"] = running_means(hours["o3"], 8, 6)
    indexed = 0
    for edition in (2012, 2026):
        for day, ozone in enumerate(ozones):
            values = {name: hours[name][day * 24 : day * 24 + 24] for name in ORDER}
            expected = daily(edition, values, ozone)
            assert ours_daily[edition][day] == expected, (edition, day)
            indexed += expected[1] is not None
        for place in range(size):
            hour = {name: hours[name][place] for name in ORDER}
            means = {name: running[name][place] for name in running}
            assert ours_hourly[edition][place] == hourly(edition, hour, means), (edition, place)
    return indexed


@needs_files
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split("_")[2])
def test_no_day_and_no_hour_of_a_real_station_differs_in_either_edition(path):
    hours = read_station(path)
    assert len(hours["o3"]) == 1461 * 24
    assert compare(hours) > 2000


@pytest.mark.parametrize("seed", range(4))
def test_no_made_up_extreme_day_or_hour_differs_in_either_edition(seed):
    chance = random.Random(seed)
    tops = {"so2": 3000, "no2": 4200, "co": 170, "pm10": 700, "pm25": 600, "o3": 1400}
    hours = {name: [] for name in ORDER}
    for _ in range(150):
        share, missing = chance.random() ** 2, chance.choice((0, 0, 0.1, 0.3))
        for name in ORDER:
            level = tops[name] * share * chance.random()
            for _ in range(24):
                value = Fraction(chance.randrange(0, 1 + int(1000 * level * chance.choice((1, 1, 1.2)))), 1000)
                hours[name].append(None if chance.random() < missing else round(value * 2) / Fraction(2))
    assert compare(hours) > 100


def compute_ours(hours):
    """The product's answers in the oracle's form: by edition a list of (sub-indices, AQI, primary)."""
    import numpy as np

    from zhongshu.packs.environment import aqi

    floats = {name: np.array([np.nan if v is None else float(v) for v in values]) for name, values in hours.items()}
    scaled = {name: aqi.scale_values(values) for name, values in floats.items()}
    by_day = {name: (values.reshape(-1, 24), valid.reshape(-1, 24)) for name, (values, valid) in scaled.items()}
    editions = {2012: aqi.Edition.HJ633_2012, 2026: aqi.Edition.HJ633_2026}
    daily_means, hourly_means = aqi.compute_daily_means(by_day), aqi.compute_hourly_means(scaled)

    def to_rows(index):
        columns = [index.iaqi[name].tolist() for name in ORDER]
        rows = zip(*columns, index.aqi.tolist(), index.primary.tolist(), strict=True)
        clean = lambda number: None if number == aqi.NO_INDEX else number  # noqa: E731
        return [
            (
                {name: clean(number) for name, number in zip(ORDER, row[:6], strict=True)},
                clean(row[6]),
                tuple(name for name in ORDER if row[7] & aqi.POLLUTANT_BIT[name]),
            )
            for row in rows
        ]

    return (
        {year: to_rows(aqi.compute_daily(edition, daily_means)) for year, edition in editions.items()},
        {year: to_rows(aqi.compute_hourly(edition, hourly_means)) for year, edition in editions.items()},
    )
