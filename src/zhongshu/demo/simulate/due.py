"""Which readings are due in a stretch of time: only the streams that have one are computed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.demo.city.episode import Episode
from zhongshu.demo.city.readings import iter_readings

__all__ = ["Due"]

_EMPTY = pa.table({"stream": pa.array([], pa.int64()), "t": pa.array([], pa.int64()), "value": pa.array([], pa.float64()), "quality": pa.array([], pa.uint8())})


class Due:
    """Readings of some streams, taken stretch by stretch."""

    def __init__(self, streams: pa.Table, seed: int, episode: Episode) -> None:
        self._streams, self._seed, self._episode = streams, seed, episode
        self._period = streams["period_s"].to_numpy().astype(np.int64) * 1_000_000
        self._phase = streams["phase_s"].to_numpy().astype(np.int64) * 1_000_000

    def take(self, start_us: int, end_us: int) -> pa.Table:
        """Readings ``(stream, t, value, quality)`` with start_us <= t < end_us, ordered by stream and time; null where a station sends a flag instead of a value."""
        if end_us <= start_us or not self._streams.num_rows:
            return _EMPTY
        chosen = (self._phase - start_us) % self._period < end_us - start_us
        if not chosen.any():
            return _EMPTY
        part = self._streams.take(pa.array(np.flatnonzero(chosen)))
        tables = [t.select(_EMPTY.column_names) for t in iter_readings(part, start_us, end_us, self._seed)]
        found = pa.concat_tables(tables) if tables else _EMPTY
        order = pc.sort_indices(found, [("stream", "ascending"), ("t", "ascending")])
        return self._episode.apply(found.take(order))
