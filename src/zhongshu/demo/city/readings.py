"""Readings by stream number, whatever names they have on the wire: the form that history and simulators work with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .behaviour import iter_history

__all__ = ["iter_readings"]


def iter_readings(streams: pa.Table, start_us: int, end_us: int, seed: int, rows: int = 2_000_000) -> Iterator[pa.Table]:
    """Tables ``(stream int64, t, sub, value, quality)`` with start_us <= t < end_us, as `behaviour.iter_history` makes them, ``stream`` being the stream's number."""
    place = streams.column_names.index("external_id")
    numbered = streams.set_column(place, "external_id", pc.cast(streams["stream"], pa.string()))
    for batch in iter_history(numbered, start_us, end_us, seed, rows=rows):
        column = batch.column(0)
        number = column.dictionary.cast(pa.int64()).to_numpy()
        yield pa.table({"stream": number[np.asarray(column.indices)], **{name: batch.column(name) for name in ("t", "sub", "value", "quality")}})
