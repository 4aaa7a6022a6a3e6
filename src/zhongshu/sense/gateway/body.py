"""Bodies of `POST /intake/v1/observations` → the log's readings. All or nothing: one wrong row refuses the body and says which."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.sense.observe.quality import Quality
from zhongshu.sense.observe.reading import READINGS, encode_readings, encode_table

__all__ = ["BodyError", "Parsed", "parse_body"]

_ARROW = "application/vnd.apache.arrow.stream"
_CODES = np.zeros(256, bool)
_CODES[[int(code) for code in Quality]] = True
# 1971-01-01 and 2200-01-01 in µs: an integer below the first times 1000 is read as milliseconds
_FIRST_US, _LAST_US = 31_536_000_000_000, 7_258_118_400_000_000
_MAX_ID = 256


class BodyError(ValueError):
    """A body that cannot be taken; the message says what is wrong, and in which reading."""


class Parsed(msgspec.Struct, frozen=True):
    """A checked body: the log entry's `body`, its distinct streams, and its rows."""

    body: bytes
    streams: list[str]
    rows: int


class _Reading(msgspec.Struct, gc=False):
    stream: str
    t: str | int
    value: float | None = None
    quality: int = 0
    sub: int = 0


class _Columns(msgspec.Struct):
    streams: list[str]
    stream: list[int]
    t: list[int | str]
    value: list[float | None]
    quality: list[int] | None = None
    sub: list[int] | None = None


_READINGS = msgspec.json.Decoder(list[_Reading])
_COLUMNS = msgspec.json.Decoder(_Columns)


def parse_body(content_type: str, body: bytes, max_rows: int = 1_000_000) -> Parsed:
    """Read a JSON body (a list of readings, or columns) or an Arrow IPC stream. Raises `BodyError`.

    A reading: `{"stream": id, "t": RFC 3339 text or integer ms or µs, "value": number or null, "quality"?: code, "sub"?: 0-255}`. Columns: `{"streams": [id, …],
    "stream": [place in streams, …], "t": […], "value": […], "quality"?: […], "sub"?: […]}`. Integers below 31,536,000,000,000 are ms, others µs.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == _ARROW:
            return _parse_arrow(body, max_rows)
        if kind not in ("application/json", ""):
            raise BodyError(f"the content type {kind[:80]} is not taken; send application/json or {_ARROW}")
        if body.lstrip()[:1] == b"[":
            return _parse_readings(_READINGS.decode(body), max_rows)
        return _parse_columns(_COLUMNS.decode(body), max_rows)
    except msgspec.MsgspecError as error:
        raise BodyError(f"the JSON cannot be read: {_in_words(str(error))}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise BodyError("the body is not UTF-8 JSON") from error


def _in_words(text: str) -> str:
    return text.replace("$", "body", 1) if "$" in text else text


def _parse_readings(readings: list[_Reading], max_rows: int) -> Parsed:
    _check_count(len(readings), max_rows)
    place: dict[str, int] = {}
    index = [place.setdefault(reading.stream, len(place)) for reading in readings]
    return _build(
        list(place),
        index,
        [reading.t for reading in readings],
        [reading.value for reading in readings],
        [reading.quality for reading in readings],
        [reading.sub for reading in readings],
    )


def _parse_columns(columns: _Columns, max_rows: int) -> Parsed:
    rows = len(columns.stream)
    _check_count(rows, max_rows)
    for name in ("t", "value", "quality", "sub"):
        given = getattr(columns, name)
        if given is not None and len(given) != rows:
            raise BodyError(f"{name} has {len(given)} entries, stream has {rows}; columns must be of one length")
    return _build(columns.streams, columns.stream, columns.t, columns.value, columns.quality, columns.sub)


def _check_count(rows: int, max_rows: int) -> None:
    if rows == 0:
        raise BodyError("the body holds no reading")
    if rows > max_rows:
        raise BodyError(f"the body holds {rows} readings; at most {max_rows} are taken at once")


def _build(streams: list[str], index: Sequence[int], t: Sequence[Any], value: Sequence[float | None], quality: Sequence[int] | None, sub: Sequence[int] | None) -> Parsed:
    _check_streams(streams)
    place = _integers(index, "stream", 0, len(streams) - 1, f"is not a place in streams, which has {len(streams)}")
    times = _parse_times(t)
    codes = None if quality is None else _integers(quality, "quality", 0, 255, "is not a quality code")
    if codes is not None:
        _check(_CODES[codes], "quality", quality, "is not a quality code")
    subs = None if sub is None else _integers(sub, "sub", 0, 255, "is not a sub-index 0-255")
    return Parsed(encode_readings(streams, place.astype(np.int32), times, value, None if codes is None else codes.astype(np.uint8), subs), streams, len(times))


def _check_streams(streams: list[str]) -> None:
    for position, stream in enumerate(streams):
        if not stream or len(stream.encode()) > _MAX_ID:
            raise BodyError(f"stream id {position} is {'empty' if not stream else f'longer than {_MAX_ID} bytes'}: {stream[:60]!r}")


def _integers(values: Sequence[int], name: str, low: int, high: int, problem: str) -> np.ndarray:
    try:
        numbers = np.array(values, np.int64)
    except OverflowError:
        numbers = np.array([-1 if abs(value) >= 1 << 62 else value for value in values], np.int64)
    _check((numbers >= low) & (numbers <= high), name, values, problem)
    return numbers


def _check(good: np.ndarray, name: str, values: Sequence[Any] | None, problem: str) -> None:
    if not good.all():
        at = int(np.argmin(good))
        raise BodyError(f"reading {at}: {name} {str(values[at] if values is not None else '')[:60]!r} {problem}")


def _parse_times(t: Sequence[Any]) -> np.ndarray:
    """Return UTC µs. Text is parsed in bulk; a text without a zone is refused, since its zone would be a guess."""
    if isinstance(t[0], int):
        for at, value in enumerate(t):
            if not isinstance(value, int):
                raise BodyError(f"reading {at}: t is text, but the first reading's is a number; use one form in a body")
        numbers = _integers(t, "t", -(1 << 61), 1 << 61, "is not a time")
        numbers = np.where(numbers < _FIRST_US, numbers * 1000, numbers)
    else:
        try:
            texts = pa.array(t, pa.string())
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            at = next(place for place, value in enumerate(t) if not isinstance(value, str))
            raise BodyError(f"reading {at}: t is a number, but the first reading's is text; use one form in a body") from None
        try:
            numbers = texts.cast(pa.timestamp("us", tz="UTC")).view(pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            raise BodyError(_find_bad_time(texts)) from None
    _check((numbers >= _FIRST_US) & (numbers <= _LAST_US), "t", t, "is not a time between 1971 and 2200")
    return numbers


def _find_bad_time(texts: pa.Array) -> str:
    low, high = 0, len(texts)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            texts[low:middle].cast(pa.timestamp("us", tz="UTC"))
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return f"reading {low}: t {texts[low].as_py()[:60]!r} is not RFC 3339 with a zone, such as 2026-03-01T08:00:00+08:00"


def _parse_arrow(body: bytes, max_rows: int) -> Parsed:
    try:
        with pa.ipc.open_stream(body) as reader:
            if reader.schema.get_field_index("stream") < 0 or reader.schema.get_field_index("t") < 0 or reader.schema.get_field_index("value") < 0:
                raise BodyError("the Arrow stream must have the columns stream, t and value")
            batches, rows = [], 0
            for batch in reader:
                rows += len(batch)
                _check_count(max(rows, 1), max_rows)
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
        _check_count(table.num_rows, max_rows)
        return _from_table(table)
    except (pa.ArrowException, OSError) as error:
        raise BodyError(f"the Arrow stream cannot be read: {str(error)[:200]}") from error


def _from_table(table: pa.Table) -> Parsed:
    stream = table.column("stream").cast(pa.string()).combine_chunks().dictionary_encode()
    if stream.null_count or table.column("t").null_count:
        raise BodyError("stream and t must not be null")
    streams = stream.dictionary.to_pylist()
    _check_streams(streams)
    t = table.column("t")
    if pa.types.is_timestamp(t.type):
        if t.type.tz is None:
            raise BodyError("t is a timestamp without a zone; use timestamp[us, tz=UTC] or int64 µs")
        t = t.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    elif t.type != pa.int64():
        raise BodyError(f"t is {t.type}; use timestamp[us, tz=UTC] or int64 µs")
    times = t.to_numpy()
    _check((times >= _FIRST_US) & (times <= _LAST_US), "t", times, "is not a time between 1971 and 2200 in µs")
    columns = [pa.DictionaryArray.from_arrays(stream.indices.cast(pa.int32()), stream.dictionary), pa.array(times)]
    for name in ("sub", "value", "quality"):
        kind = READINGS.field(name).type
        column = table.column(name).cast(kind).combine_chunks() if name in table.column_names else pa.array(np.zeros(len(times)), kind)
        columns.append(column if name == "value" else pc.fill_null(column, 0))
    _check(_CODES[columns[4].to_numpy()], "quality", columns[4].to_pylist(), "is not a quality code")
    return Parsed(encode_table(pa.record_batch(columns, schema=READINGS)), streams, len(times))
