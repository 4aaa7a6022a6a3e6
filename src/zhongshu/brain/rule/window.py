"""What a rule is given and what it answers: readings grouped by stream, and flags on streams."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

__all__ = ["READINGS", "Flags", "StreamTable", "Window"]

READINGS = pa.schema([("stream", pa.int64()), ("t", pa.int64()), ("value", pa.float64()), ("quality", pa.uint8())])
"""Readings as a window source gives them: stream ordinal, µs UTC, value (NaN when missing), quality code (0 good)."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StreamTable:
    """The streams a rule looks at, one entry each, sorted by ordinal: what they measure and whose they are (uid of the thing as text)."""

    ordinal: Ints
    measure: NDArray[np.str_]
    thing: NDArray[np.str_]

    def __post_init__(self) -> None:
        if not len(self.ordinal) == len(self.measure) == len(self.thing):
            raise ValueError("ordinal, measure and thing must have one entry per stream")
        if len(self.ordinal) and not bool(np.all(np.diff(self.ordinal) > 0)):
            raise ValueError("streams must be sorted by ordinal, each once")

    def find(self, ordinals: ArrayLike) -> Ints:
        """Return the position of each ordinal; raises `ValueError` for one that is not here."""
        wanted = np.asarray(ordinals, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.ordinal, wanted), max(len(self.ordinal) - 1, 0))
        if wanted.size and (not len(self.ordinal) or bool(np.any(self.ordinal[at] != wanted))):
            raise ValueError("a rule flagged a stream that it was not given")
        return np.asarray(at, dtype=np.int64)


@dataclass(frozen=True)
class Window:
    """The readings of one span of phenomenon time, `start` ≤ t < `end` in µs UTC.

    Columns have one entry per reading, sorted by stream and time. `streams` has one entry per stream that has readings here, its rows are
    `offsets[i]:offsets[i + 1]`; `measure` and `thing` tell per such stream what it measures and the uid of its thing. `known` are all streams of the
    rule, also the silent ones.
    """

    start: int
    end: int
    stream: Ints
    t: Ints
    value: Floats
    quality: NDArray[np.uint8]
    streams: Ints
    offsets: Ints
    measure: NDArray[np.str_]
    thing: NDArray[np.str_]
    known: StreamTable

    @classmethod
    def build(cls, start: int, end: int, readings: pa.Table, streams: StreamTable) -> Self:
        """Build a window from readings with the schema `READINGS`, in any order; rows outside the span or of unknown streams are left out."""
        columns = readings.select(READINGS.names).cast(READINGS)
        stream, t = (columns[name].to_numpy().astype(np.int64) for name in ("stream", "t"))
        value = columns["value"].to_numpy(zero_copy_only=False).astype(np.float64)
        quality = columns["quality"].to_numpy().astype(np.uint8)
        keep = np.flatnonzero((t >= start) & (t < end) & np.isin(stream, streams.ordinal))
        keep = keep[np.lexsort((t[keep], stream[keep]))]
        stream, t, value, quality = stream[keep], t[keep], value[keep], quality[keep]
        present, first = np.unique(stream, return_index=True)
        at = streams.find(present)
        offsets = np.append(first, len(stream)).astype(np.int64)
        return cls(start, end, stream, t, value, quality, present, offsets, streams.measure[at], streams.thing[at], streams)

    def pick(self, *measures: str) -> "Window":
        """Return the window with the streams of these measures only."""
        return self._take(np.isin(self.measure, measures)[self._group()])

    def valid(self) -> "Window":
        """Return the window with good readings only (quality 0 and a value)."""
        return self._take((self.quality == 0) & ~np.isnan(self.value))

    def count(self) -> Ints:
        """Readings per stream, shape (streams,)."""
        return np.diff(self.offsets)

    def reduce(self, by: np.ufunc) -> Floats:
        """Reduce the values of each stream, shape (streams,): `reduce(np.maximum)`, `reduce(np.add)`. A missing value makes the result NaN; call `valid()` first."""
        return by.reduceat(self.value, self.offsets[:-1]) if len(self.streams) else np.empty(0)

    def mean(self) -> Floats:
        """Mean value of each stream, shape (streams,)."""
        return self.reduce(np.add) / np.maximum(self.count(), 1)

    def first(self) -> Ints:
        """Time of the first reading of each stream, µs UTC, shape (streams,)."""
        return self.t[self.offsets[:-1]]

    def last(self) -> Floats:
        """Last value of each stream, shape (streams,)."""
        return self.value[self.offsets[1:] - 1] if len(self.streams) else np.empty(0)

    def _group(self) -> Ints:
        return np.repeat(np.arange(len(self.streams)), np.diff(self.offsets))

    def _take(self, mask: NDArray[np.bool_]) -> "Window":
        group = self._group()[mask]
        kept, first = np.unique(group, return_index=True)
        offsets = np.append(first, len(group)).astype(np.int64)
        columns = (self.stream[mask], self.t[mask], self.value[mask], self.quality[mask])
        return Window(self.start, self.end, *columns, self.streams[kept], offsets, self.measure[kept], self.thing[kept], self.known)


@dataclass(frozen=True)
class Flags:
    """Where a rule is true: stream ordinals, since when (µs UTC), the value that shows it, and the level ("" means the rule's own). One entry per flag."""

    subject: Ints
    start: Ints
    value: Floats
    level: NDArray[np.str_]

    @classmethod
    def of(cls, subject: ArrayLike, start: ArrayLike, value: ArrayLike, level: ArrayLike = "") -> Self:
        """Build flags; `start`, `value` and `level` may be one for all."""
        ordinals = np.atleast_1d(np.asarray(subject, dtype=np.int64))
        shape = ordinals.shape
        return cls(
            ordinals,
            np.broadcast_to(np.asarray(start, dtype=np.int64), shape),
            np.broadcast_to(np.asarray(value, dtype=np.float64), shape),
            np.broadcast_to(np.asarray(level, dtype=np.str_), shape),
        )

    @classmethod
    def none(cls) -> Self:
        """No flag at all."""
        return cls.of([], [], [])

    def __len__(self) -> int:
        return len(self.subject)
