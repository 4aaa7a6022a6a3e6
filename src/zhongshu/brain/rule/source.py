"""Where windows come from: what a rule's run asks of the lake, and the same over a table in memory."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .window import READINGS, StreamTable

__all__ = ["Arrivals", "Span", "TableSource", "WindowSource", "build_spans"]

HOUR_US = 3_600_000_000
Span = tuple[int, int]
"""First and last phenomenon time of some readings, µs UTC, both included."""


@dataclass(frozen=True)
class Arrivals:
    """What came in after some position.

    `position` is the new one, `complete_to` (µs UTC) the phenomenon time before which readings are taken as complete, `spans` where the new readings lie.
    """

    position: str
    complete_to: int
    spans: tuple[Span, ...]


def build_spans(t: NDArray[np.int64]) -> tuple[Span, ...]:
    """Return the spans of whole hours that phenomenon times (µs UTC) lie in: one reading that is a month late touches one hour, not a month."""
    hours = np.unique(t // HOUR_US)
    if not len(hours):
        return ()
    breaks = np.flatnonzero(np.diff(hours) > 1)
    first, last = hours[np.append(0, breaks + 1)], hours[np.append(breaks, len(hours) - 1)]
    return tuple((int(low) * HOUR_US, (int(high) + 1) * HOUR_US - 1) for low, high in zip(first, last, strict=True))


class WindowSource(Protocol):
    """What rules need of the lake."""

    def list_streams(self, feed: str, measures: tuple[str, ...]) -> StreamTable:
        """Return the streams of a feed (product code), of these measures only where some are given."""

    def list_arrivals(self, after: str) -> Arrivals:
        """Return what arrived after a position; "" asks for the present position, without spans."""

    def read(self, streams: NDArray[np.int64], start: int, end: int) -> pa.Table:
        """Return readings with the schema `READINGS` of these streams, `start` ≤ t < `end`, one row per identity, in any order."""


class TableSource:
    """Readings in memory, appended in batches: for trying rules on given data, and for tests."""

    def __init__(self, streams: StreamTable, feed: str = "", lateness_us: int = 0) -> None:
        self.streams, self.feed, self.lateness_us = streams, feed, lateness_us
        self._batches: list[pa.Table] = []

    def append(self, readings: pa.Table) -> None:
        """Let readings arrive."""
        self._batches.append(readings.select(READINGS.names).cast(READINGS))

    def list_streams(self, feed: str, measures: tuple[str, ...]) -> StreamTable:
        """Return the streams, of these measures only where some are given."""
        keep = np.isin(self.streams.measure, measures) if measures else np.ones(len(self.streams.ordinal), dtype=bool)
        keep &= self.feed in ("", feed)
        return StreamTable(self.streams.ordinal[keep], self.streams.measure[keep], self.streams.thing[keep])

    def list_arrivals(self, after: str) -> Arrivals:
        """Return the batches after the first `after`; complete is what lies `lateness_us` before the latest reading."""
        latest = [pc.max(batch["t"]).as_py() for batch in self._batches if batch.num_rows]
        new = [batch["t"] for batch in self._batches[int(after) :] if batch.num_rows] if after else []
        spans = build_spans(np.concatenate([t.to_numpy() for t in new])) if new else ()
        return Arrivals(str(len(self._batches)), max(latest, default=0) - self.lateness_us, spans)

    def read(self, streams: NDArray[np.int64], start: int, end: int) -> pa.Table:
        """Return the readings of these streams and this span."""
        if not self._batches:
            return READINGS.empty_table()
        table = pa.concat_tables(self._batches)
        inside = pc.and_(pc.greater_equal(table["t"], start), pc.less(table["t"], end))
        return table.filter(pc.and_(inside, pc.is_in(table["stream"], pa.array(streams, pa.int64()))))
