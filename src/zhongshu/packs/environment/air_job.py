"""Keeping the air index in step with the lake: days whose files changed are computed again, and the day after them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

from django.conf import settings

from zhongshu.kernel.job import JobRun, job
from zhongshu.kernel.lake import Lake
from zhongshu.kernel.record import SYSTEM, transaction
from zhongshu.kernel.time import Period, PeriodUnit, civil_day, now_us

from .air import AirDay, AirStation
from .air_hours import StationRow, list_stations
from .air_index import compute_air_index, list_areas
from .air_register import create_missing_stations

__all__ = ["compute_touched_days", "update_air_index"]

CHUNK_DAYS = 31
CHUNK_ROWS = 100_000
"""Rows of one computation, one write transaction: so many that a station network of any size takes seconds."""


@job("environment.air.index", every="1 min")
def update_air_index(run: JobRun) -> dict[str, int]:
    """Compute the index of every day that was touched since the last run."""
    create_missing_stations(SYSTEM)
    lake = Lake(settings.HOUSE.path("lake"), settings.TIME_ZONE, check=False)
    try:
        return compute_touched_days(lake, run)
    finally:
        lake.close()


def compute_touched_days(lake: Lake, run: JobRun | None = None) -> dict[str, int]:
    """Compute every day whose readings, stations or divisions changed; return how many days and rows that were.

    A day is touched when the list of its files is another (readings, late readings, corrections), when it has ended, or when what stations count for has changed.
    The day after goes along, because running means of 24 hours reach into it. The newest days come first: somebody waits for them.
    """
    digests = _list_digests(lake)
    known = dict(AirDay.objects.values_list("day", "digest"))
    touched = {day for day, digest in digests.items() if known.get(day) != digest}
    wanted = sorted(touched | {day + timedelta(days=1) for day in touched if day + timedelta(days=1) in digests})
    size = max(1, min(CHUNK_DAYS, CHUNK_ROWS // (25 * (AirStation.objects.count() + 1))))
    chunks, written = list(_list_chunks(wanted, size))[::-1], 0
    for step, (first, last) in enumerate(chunks):
        written += compute_air_index(lake, first, last)
        days = [AirDay(day=day, digest=digest) for day, digest in digests.items() if first <= day <= last]
        with transaction():
            AirDay.objects.bulk_create(days, update_conflicts=True, unique_fields=["day"], update_fields=["digest"])
        if run is not None:
            run.progress((step + 1) / len(chunks), f"{first} … {last}")
    return {"days": len(wanted), "rows": written}


def _list_digests(lake: Lake) -> dict[date, str]:
    parts: dict[str, list[str]] = defaultdict(list)
    with lake.connect(("observation", "late")) as connection:
        for day, arrival in connection.execute("SELECT DISTINCT day, arrival FROM late").fetchall():
            parts[day.isoformat()].append(f"late/{arrival}")
    for table in ("observation", "correction"):
        for file in lake.files(table):
            parts[str(file.partition)].append(file.relative)
    stations, moment = list_stations(), now_us()
    settled, made = _describe_stations(stations), {}
    for day, files in _add_silent_days({date.fromisoformat(text): files for text, files in parts.items()}, stations, moment).items():
        ended = Period.of_day(day, PeriodUnit.DAY).end_us(settings.TIME_ZONE) <= moment
        made[day] = hashlib.blake2b("\n".join([settled, str(ended), *sorted(files)]).encode(), digest_size=16).hexdigest()
    return made


def _add_silent_days(parts: dict[date, list[str]], stations: list[StationRow], moment: int) -> dict[date, list[str]]:
    """Days of the lake's time without a single reading count as well where a station was in operation: silence is the worst of all readings."""
    today = date.fromisoformat(str(civil_day([moment], settings.TIME_ZONE)[0]))
    day = min(parts, default=today)
    while day < today:
        if day not in parts and any(station.is_open(day) for station in stations):
            parts[day] = []
        day += timedelta(days=1)
    return parts


def _describe_stations(stations: list[StationRow]) -> str:
    """What stations count for, as text: a station that becomes a control point changes its city's past means as well."""
    lines = [f"{s.id} {s.thing} {s.kind} {sorted(s.programme)} {s.opened_on} {s.closed_on}" for s in stations]
    return "\n".join([*lines, *(f"{division} {places}" for division, places in sorted(list_areas(stations).items()))])


def _list_chunks(days: list[date], size: int) -> Iterator[tuple[date, date]]:
    """Runs of consecutive days, at most `size` long."""
    start = 0
    for n in range(1, len(days) + 1):
        if n == len(days) or days[n] != days[n - 1] + timedelta(days=1) or n - start == size:
            yield days[start], days[n - 1]
            start = n
