"""Windows from the lake: what its commits brought since the last look, and the readings themselves."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from zhongshu.kernel.lake import Lake
from zhongshu.kernel.time import now_us
from zhongshu.sense.device.models import Stream

from .source import Arrivals, Span, build_spans
from .window import READINGS, StreamTable

__all__ = ["LakeSource"]

TABLES = ("observation", "late", "correction")
LOOKBACK_US = 3 * 86_400 * 1_000_000
"""What is looked at again when the commits since the last look are cleaned away: rows of older days are in `late` (docs/house.md)."""


class LakeSource:
    """The lake as a `WindowSource`. `lateness_us`: how long after its phenomenon time a reading may arrive and still be in time (at least the feed's
    interval, whose start `t` is).

    A position is the versions of the tables `observation`, `late` and `correction`, written `12/3/0`.
    """

    def __init__(self, lake: Lake, lateness_us: int) -> None:
        self._lake, self._lateness_us = lake, lateness_us

    def list_streams(self, feed: str, measures: tuple[str, ...]) -> StreamTable:
        """Return the active streams of a feed."""
        found = Stream.objects.filter(property__product__code=feed, active=True)
        if measures:
            found = found.filter(property__code__in=measures)
        rows = list(found.order_by("ordinal").values_list("ordinal", "property__code", "thing__uid"))
        ordinals = np.array([row[0] for row in rows], dtype=np.int64)
        return StreamTable(ordinals, np.array([row[1] for row in rows], dtype=np.str_), np.array([str(row[2]) for row in rows], dtype=np.str_))

    def list_arrivals(self, after: str) -> Arrivals:
        """Return what was committed after a position; complete is what lies `lateness_us` before now."""
        stored = [self._lake.open(table) for table in TABLES]
        reached = [table.refresh() for table in stored]
        since = [int(part) for part in after.split("/")] if after else reached
        spans: list[Span] = []
        for name, table, low, high in zip(TABLES, stored, since, reached, strict=True):
            for version in range(low + 1, high + 1):
                spans += self._list_spans(name, table.read_added(version))
        return Arrivals("/".join(str(version) for version in reached), now_us() - self._lateness_us, tuple(spans))

    def read(self, streams: NDArray[np.int64], start: int, end: int) -> pa.Table:
        """Return the readings of these streams and this span, late ones and corrections included."""
        if not len(streams):
            return READINGS.empty_table()
        zone = self._lake.days
        first, last = (zone.as_date(number) for number in zone.compute(np.array([start, max(end - 1, start)])))
        connection = self._lake.connect(("observation",), (first, last))
        try:
            connection.register("wanted", pa.table({"stream": streams}))
            question = "SELECT stream, t, value, quality FROM observation SEMI JOIN wanted USING (stream) WHERE t >= ? AND t < ?"
            return connection.sql(question, params=[start, end]).to_arrow_table().cast(READINGS)
        finally:
            connection.close()

    def _list_spans(self, table: str, added: list[str] | None) -> list[Span]:
        if added is None:
            return [(now_us() - LOOKBACK_US, now_us())]
        return [span for relative in added for span in _read_spans(self._lake.root / table / relative, exact=table != "observation")]


def _read_spans(file: Path, exact: bool) -> tuple[Span, ...]:
    """Return the phenomenon times of one file: by the hour where single late rows matter, else first and last. A file that is gone was folded into its whole day."""
    try:
        if exact:
            return build_spans(pq.read_table(file, columns=["t"], partitioning=None)["t"].to_numpy())
        metadata = pq.read_metadata(file)
    except FileNotFoundError:
        return _day_of(file)
    place = metadata.schema.names.index("t")
    stats = [metadata.row_group(n).column(place).statistics for n in range(metadata.num_row_groups)]
    known: list[Any] = [s for s in stats if s is not None and s.has_min_max]
    return ((min(s.min for s in known), max(s.max for s in known)),) if known else _day_of(file)


def _day_of(file: Path) -> tuple[Span, ...]:
    part = next((p.removeprefix("day=") for p in file.parts if p.startswith("day=")), "")
    if not part:
        return ((now_us() - LOOKBACK_US, now_us()),)
    noon = dt.datetime.combine(dt.date.fromisoformat(part), dt.time(12), tzinfo=dt.UTC)
    middle, reach = int(noon.timestamp()) * 1_000_000, 36 * 3_600 * 1_000_000
    return ((middle - reach, middle + reach),)
