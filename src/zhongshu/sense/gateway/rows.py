"""What one arrival brings: readings, texts and raw frames as columns, and their Arrow form on the log (docs/house.md, "Intake schema")."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from zhongshu.kernel.log import Entry

__all__ = ["FRAME_SCHEMA", "READING_SCHEMA", "REFUSED", "TAKEN", "TEXT_SCHEMA", "TOLERATED", "Rows", "build_entries"]

TAKEN, TOLERATED, REFUSED = 0, 1, 2
ROW_BYTES = 120
"""What one reading costs in memory while it waits, about (CPython objects)."""

_NAMES = pa.dictionary(pa.int32(), pa.utf8())
_IDENTITY = [("stream", _NAMES), ("t", pa.int64()), ("sub", pa.uint8())]
READING_SCHEMA = pa.schema([*_IDENTITY, ("value", pa.float64()), ("quality", pa.uint8())])
TEXT_SCHEMA = pa.schema([*_IDENTITY, ("value", pa.utf8()), ("quality", pa.uint8())])
FRAME_SCHEMA = pa.schema(
    [("connection", pa.utf8()), ("received_at", pa.int64()), ("raw", pa.binary()), ("state", pa.uint8()), ("reason", pa.utf8()), ("forgiven", pa.utf8())]
)
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")

Reading = tuple[str, int, int, float | None, int]
"""Stream's external id, start (µs UTC), sub-index, value, quality."""
Text = tuple[str, int, int, str, int]
Frame = tuple[str, int, bytes, int, str, str]
"""Connection, received at (µs UTC), raw bytes, state, reason, names of what was forgiven."""


@dataclass(slots=True)
class Rows:
    """Everything one chunk of a connection, or one MQTT message, puts on the log; `keys` are ids by which a repetition is recognised."""

    readings: list[Reading] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes this holds in memory, about."""
        return ROW_BYTES * (len(self.readings) + len(self.texts) + len(self.keys)) + sum(ROW_BYTES + len(frame[2]) for frame in self.frames)

    def __bool__(self) -> bool:
        return bool(self.readings or self.texts or self.frames)


def build_entries(parts: Sequence[Rows], received_at_us: int, source: str) -> list[Entry]:
    """Put the rows of many arrivals into at most three log entries (`readings`, `texts`, `frames`), in order of arrival."""
    entries = []
    for kind, schema, rows in (
        ("readings", READING_SCHEMA, [row for part in parts for row in part.readings]),
        ("texts", TEXT_SCHEMA, [row for part in parts for row in part.texts]),
        ("frames", FRAME_SCHEMA, [row for part in parts for row in part.frames]),
    ):
        if rows:
            entries.append(Entry(kind, _serialise(rows, schema), received_at_us, source))
    return entries


def _serialise(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> bytes:
    columns = []
    for values, column in zip(zip(*rows, strict=True), schema, strict=True):
        if pa.types.is_dictionary(column.type):
            columns.append(pa.array(values, pa.utf8()).dictionary_encode())
        else:
            columns.append(pa.array(values, column.type))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return bytes(sink.getvalue())
