"""Log entries → flat arrays: one row per reading, with the log offset it came by."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa

from zhongshu.kernel.log import LogEntry
from zhongshu.sense.observe.dimension import StreamDimension
from zhongshu.sense.observe.quality import Quality
from zhongshu.sense.observe.reading import FRAMES, READINGS, TEXTS

__all__ = ["Decoded", "Rows", "decode_entries"]

_SCHEMAS = {"readings": READINGS, "texts": TEXTS, "frames": FRAMES}


@dataclass(frozen=True)
class Rows:
    """Readings as arrays of shape `(row,)`: ordinal (-1 unknown), t µs, sub, value (NaN missing), quality, log offset, log number, arrival µs, and the place of
    the external id in the batch's list."""

    stream: np.ndarray
    t: np.ndarray
    sub: np.ndarray
    value: np.ndarray
    quality: np.ndarray
    offset: np.ndarray
    log: np.ndarray
    received_at: np.ndarray
    name: np.ndarray

    def __len__(self) -> int:
        return len(self.t)

    def take(self, place: np.ndarray) -> "Rows":
        """Return the rows at `place` (indices or a mask)."""
        return Rows(*(getattr(self, f.name)[place] for f in fields(self)))


@dataclass
class Decoded:
    """A batch of entries: `rows` are numbers; texts and frames stay Arrow tables with `offset` and `log` columns; `unreadable` entries with their reasons."""

    rows: Rows
    names: pa.Array
    texts: list[tuple[int, LogEntry, pa.Table]] = field(default_factory=list)
    frames: list[tuple[int, LogEntry, pa.Table]] = field(default_factory=list)
    unreadable: list[tuple[int, LogEntry, str]] = field(default_factory=list)


def _read(entry: LogEntry) -> list[pa.RecordBatch]:
    schema = _SCHEMAS.get(entry.kind)
    if schema is None:
        raise pa.ArrowInvalid(f"unknown kind {entry.kind!r}")
    with pa.ipc.open_stream(entry.body) as reader:
        if not reader.schema.equals(schema):
            raise pa.ArrowInvalid(f"the schema is not that of {entry.kind}")
        return list(reader)


def decode_entries(entries: Sequence[tuple[int, LogEntry]], streams: StreamDimension) -> Decoded:
    """Decode entries, each with the number of its log, and look up the ordinals of all their streams at once."""
    parts: list[tuple[int, LogEntry, pa.RecordBatch]] = []
    found = Decoded(_EMPTY, pa.array([], pa.string()))
    for log, entry in entries:
        try:
            batches = _read(entry)
        except (pa.ArrowException, OSError, ValueError) as error:
            found.unreadable.append((log, entry, str(error)[:200]))
            continue
        if entry.kind == "readings":
            parts.extend((log, entry, batch) for batch in batches)
        elif batches:
            (found.texts if entry.kind == "texts" else found.frames).append((log, entry, pa.Table.from_batches(batches)))
    if parts:
        found.names = pa.concat_arrays([batch.column(0).dictionary for _, _, batch in parts])
        found.rows = _flatten(parts, streams.find(found.names))
    return found


def _flatten(parts: list[tuple[int, LogEntry, pa.RecordBatch]], ordinals: np.ndarray) -> Rows:
    sizes = np.array([len(batch) for _, _, batch in parts])
    dictionaries = np.array([len(batch.column(0).dictionary) for _, _, batch in parts])
    shift = np.repeat(np.cumsum(dictionaries) - dictionaries, sizes)

    def column(position: int, missing: object) -> np.ndarray:
        arrays = [batch.column(position) for _, _, batch in parts]
        return np.concatenate([(array.fill_null(missing) if array.null_count else array).to_numpy() for array in arrays])

    place = [batch.column(0).indices for _, _, batch in parts]
    index = np.concatenate([(array.fill_null(-1) if array.null_count else array).to_numpy() for array in place])
    name = index + shift
    known = (index >= 0) & (len(ordinals) > 0)
    value = column(3, np.nan)
    quality = column(4, int(Quality.GOOD))
    missing = ~np.isfinite(value)
    if missing.any():
        value[missing] = np.nan
        quality = np.where(missing & (quality == Quality.GOOD), np.uint8(Quality.MISSING), quality)
    return Rows(
        stream=np.where(known, ordinals[np.where(known, name, 0)], -1) if len(ordinals) else np.full(len(index), -1, np.int64),
        t=column(1, np.iinfo(np.int64).max),
        sub=column(2, 0).astype(np.int16),
        value=value,
        quality=quality.astype(np.int8),
        offset=np.repeat([entry.seq for _, entry, _ in parts], sizes),
        log=np.repeat(np.array([log for log, _, _ in parts], np.int32), sizes),
        received_at=np.repeat([entry.received_at_us for _, entry, _ in parts], sizes),
        name=np.where(known, name, -1),
    )


_EMPTY = Rows(
    *(np.empty(0, kind) for kind in (np.int64, np.int64, np.int16, np.float64, np.int8, np.int64, np.int32, np.int64, np.int64)),
)
