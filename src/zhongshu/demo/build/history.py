"""The past of the synthetic city, written straight into the lake: the same tables and the same rules of commits as the pipeline's."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.demo.city.readings import iter_readings
from zhongshu.kernel.lake import Lake

__all__ = ["APP", "MOST_READINGS", "Span", "plan_history", "write_history"]

APP = "demo:history"
MOST_READINGS = 20_000_000
"""How many readings of other devices than air stations the history holds at most. Larger cities have a shorter past: whole days, and less than a day in whole hours, one at
least. Air stations always have all days."""

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
PIECE = 1_500_000
"""Readings in one commit, about: some 200 MB of memory while they are made."""


@dataclass(frozen=True)
class Span:
    """Streams of one transport and the time, µs UTC, of which they have a past; the end is the first moment that is left to the simulators."""

    streams: pa.Table
    start_us: int
    end_us: int

    @property
    def per_day(self) -> float:
        """Readings a day when nothing is missing."""
        return float((86_400 / self.streams["period_s"].to_numpy()).sum())


def plan_history(streams: pa.Table, now_us: int, days: int) -> dict[str, Span]:
    """Return transport → span. Stations end one whole hour before the present, so that a running demonstration begins with an hourly upload; the rest ends at the minute."""
    hour, minute = now_us // HOUR_US * HOUR_US, now_us // 60_000_000 * 60_000_000
    transport = pc.cast(streams["transport"], pa.string())
    wired, radio = (streams.filter(pc.equal(transport, name)) for name in ("tcp", "mqtt"))
    stations = Span(wired, hour - HOUR_US - days * DAY_US, hour - HOUR_US)
    others = Span(radio, minute - days * DAY_US, minute)
    fits = MOST_READINGS / max(others.per_day, 1.0)
    if fits < days:
        length = int(fits) * DAY_US if fits >= 1 else max(1, int(fits * 24)) * HOUR_US
        others = Span(radio, minute - length, minute)
    return {"tcp": stations, "mqtt": others}


def write_history(lake: Lake, spans: dict[str, Span], seed: int, tell: Callable[[float], None], check: Callable[[pa.Table], pa.Table] | None = None) -> int:
    """Write all spans, the oldest first, and return how many readings that were. `tell` hears the share done; `check` sees every table before it is
    written and returns it with its quality judged.

    Making readings and writing them goes on side by side. Each piece is one commit that also says how far the history has come (`demo:history` = its last moment).
    """
    start, end = min(s.start_us for s in spans.values()), max(s.end_us for s in spans.values())
    written = 0
    with ThreadPoolExecutor(1) as writer:
        waiting = None
        for until, made in _iter_pieces(spans, seed, start, end):
            table = check(made) if check is not None else made
            if waiting is not None:
                waiting.result()
            waiting = writer.submit(lake.append, "observation", table, {APP: until})
            written += table.num_rows
            tell((until - start) / max(end - start, 1))
        if waiting is not None:
            waiting.result()
    lake.sync()
    return written


def _iter_pieces(spans: dict[str, Span], seed: int, start: int, end: int) -> Iterator[tuple[int, pa.Table]]:
    at = start
    while at < end:
        rate = sum(s.per_day for s in spans.values() if s.start_us < at + HOUR_US and s.end_us > at) or 1.0
        step = int(np.clip(PIECE / rate * 24, 1, 240)) * HOUR_US
        edges = [edge for s in spans.values() for edge in (s.start_us, s.end_us) if at < edge < at + step]
        until = min([at + step, end, *edges])
        parts = [table for s in spans.values() if s.start_us <= at < s.end_us for table in iter_readings(s.streams, at, until, seed)]
        if parts:
            yield until, pa.concat_tables(parts)
        at = until
