"""What a gateway puts on the log: readings, texts and frames as Arrow IPC streams (docs/house.md, "Intake schema")."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

__all__ = ["FRAMES", "READINGS", "TEXTS", "encode_frames", "encode_readings", "encode_table", "encode_texts"]

_STREAM = ("stream", pa.dictionary(pa.int32(), pa.string()))
READINGS = pa.schema([_STREAM, ("t", pa.int64()), ("sub", pa.uint8()), ("value", pa.float64()), ("quality", pa.uint8())])
TEXTS = pa.schema([_STREAM, ("t", pa.int64()), ("sub", pa.uint8()), ("value", pa.string()), ("quality", pa.uint8())])
FRAMES = pa.schema(
    [("connection", pa.string()), ("received_at", pa.int64()), ("raw", pa.binary()), ("state", pa.uint8()), ("reason", pa.string()), ("forgiven", pa.string())]
)

_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4")


def encode_table(table: pa.Table | pa.RecordBatch) -> bytes:
    """Return rows of one of the three schemas as a log entry's body."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_LZ4) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def encode_readings(
    streams: Sequence[str] | pa.Array,
    index: np.ndarray | Sequence[int],
    t: np.ndarray | Sequence[int],
    value: np.ndarray | Sequence[float | None] | pa.Array,
    quality: np.ndarray | Sequence[int] | None = None,
    sub: np.ndarray | Sequence[int] | None = None,
) -> bytes:
    """Return the body of an entry of kind `readings`.

    `streams` are the distinct external ids, `index` places each row in them, `t` is UTC µs (start of the measured interval), `value` float64 with None for
    missing, `quality` codes (0 where not given). All but `streams` have shape `(row,)`.
    """
    return _encode(READINGS, streams, index, t, value, quality, sub)


def encode_texts(
    streams: Sequence[str], index: Sequence[int], t: Sequence[int], value: Sequence[str | None], quality: Sequence[int] | None = None, sub: Sequence[int] | None = None
) -> bytes:
    """Return the body of an entry of kind `texts`: as `encode_readings`, but values are text."""
    return _encode(TEXTS, streams, index, t, value, quality, sub)


def _encode(schema: pa.Schema, streams: object, index: object, t: object, value: object, quality: object, sub: object) -> bytes:
    ids = streams if isinstance(streams, pa.Array) else pa.array(streams, pa.string())
    place = pa.array(index, pa.int32())
    rows = len(place)
    columns = [
        pa.DictionaryArray.from_arrays(place, ids),
        pa.array(t, pa.int64()),
        pa.array(np.zeros(rows, np.uint8)) if sub is None else pa.array(sub, pa.uint8()),
        value if isinstance(value, pa.Array) else pa.array(value, schema.field("value").type),
        pa.array(np.zeros(rows, np.uint8)) if quality is None else pa.array(quality, pa.uint8()),
    ]
    return encode_table(pa.record_batch(columns, schema=schema))


def encode_frames(frames: Sequence[tuple[str, int, bytes, int, str, str]]) -> bytes:
    """Return the body of an entry of kind `frames`: rows of (connection, received_at µs, raw, state 0 taken · 1 tolerated · 2 refused, reason, forgiven)."""
    columns = list(zip(*frames, strict=True)) or [()] * len(FRAMES)
    return encode_table(pa.record_batch([pa.array(column, field.type) for column, field in zip(columns, FRAMES, strict=True)], schema=FRAMES))
