"""The JSON that devices publish: one reading time or a batch, read strictly, refused in words."""

import math
import re
from datetime import datetime
from typing import Any

import msgspec

from .rows import Reading, Rows, Text

__all__ = ["MAX_PAYLOAD", "PayloadError", "parse_payload"]

MAX_PAYLOAD = 1 << 20
MAX_VALUES = 20_000
MISSING = 20
_PROPERTY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01


class PayloadError(ValueError):
    """A payload that cannot be taken; `reason` is a short stable code, the message says what is wrong where."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Upload(msgspec.Struct):
    values: dict[str, float | str | bool | None]
    t: int | str | None = None
    quality: dict[str, int] = {}


_DECODER = msgspec.json.Decoder(_Upload | list[_Upload])


def parse_payload(source: str, payload: bytes, received_at_us: int) -> Rows:
    """Read `{"t": …, "values": {property: value, …}}` or a list of such objects.

    `t` is RFC 3339 with its offset, or whole milliseconds since 1970; without it the arrival counts. A
    value is a number, `null` (missing), `true`/`false` (1, 0) or text;
    `quality` may give a code per property (docs/house.md). Raises `PayloadError`: `too-long`, `json`, `time`, `property`, `quality`, `empty`.
    """
    if len(payload) > MAX_PAYLOAD:
        raise PayloadError("too-long", f"The payload has {len(payload)} bytes; at most {MAX_PAYLOAD} are read.")
    try:
        given: Any = _DECODER.decode(payload)
    except msgspec.MsgspecError as error:
        raise PayloadError("json", f"The payload is not the JSON that is expected: {error}.") from None
    except (UnicodeDecodeError, RecursionError):
        raise PayloadError("json", "The payload is not JSON in UTF-8.") from None
    uploads = given if isinstance(given, list) else [given]
    rows = Rows()
    for upload in uploads:
        t = received_at_us if upload.t is None else _parse_time(upload.t)
        for name, value in upload.values.items():
            _take(rows, source, name, t, value, upload.quality.get(name))
        if len(rows.readings) + len(rows.texts) > MAX_VALUES:
            raise PayloadError("too-long", f"One message holds at most {MAX_VALUES} values.")
    if not rows:
        raise PayloadError("empty", "The payload holds no value.")
    return rows


def _take(rows: Rows, source: str, name: str, t: int, value: float | str | bool | None, quality: int | None) -> None:
    if not _PROPERTY.fullmatch(name):
        raise PayloadError("property", f"A property is 1 to 64 letters, digits, dots, hyphens or underscores, not {name[:40]!a}.")
    if quality is not None and not 0 <= quality <= 127:
        raise PayloadError("quality", f"The quality of {name} is a code from 0 to 127, not {quality}.")
    stream = f"{source}/{name}"
    if isinstance(value, str):
        text: Text = (stream, t, 0, value, quality or 0)
        rows.texts.append(text)
        return
    number = None if value is None or not math.isfinite(value) else float(value)
    reading: Reading = (stream, t, 0, number, quality or 0 if number is not None else quality or MISSING)
    rows.readings.append(reading)


def _parse_time(given: int | str) -> int:
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise PayloadError("time", f"{given[:40]!a} is not a time such as 2026-08-01T09:00:00+08:00.") from None
        if moment.tzinfo is None:
            raise PayloadError("time", f"{given[:40]!a} lacks its offset (Z or +08:00).")
        t = round(moment.timestamp() * 1_000_000)
    else:
        t = given * 1000
    if not 0 <= t < _LATEST_US:
        raise PayloadError("time", f"t = {given} is not between 1970 and 2100 (numbers are milliseconds since 1970).")
    return t
