"""`zhongshu decode`: recorded frames, one a line, to one JSON-ready answer a line."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any

from zhongshu.sense.protocol.base import NO_TOLERANCE, Codec, FrameError, get_codec

MAX_LINE = 1 << 20
"""Bytes of one line that are looked at; a longer line is refused."""

_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}[ \t]*)+")


def decode_lines(protocol: str, lines: Iterable[bytes | str], *, segment: bool = False, strict: bool = False) -> Iterator[dict[str, Any]]:
    """Decode each line that is not blank.

    Text protocols take a line as it is or as hex, binary ones as hex (blanks between bytes allowed). Gives, in order,
    `{"ok": True, "message": {...}}` or `{"ok": False, "error": "words", "reason": "code"}`; never raises for a bad
    line. `segment` also accepts the inside of a frame without its envelope and checksum; `strict` forgives nothing.
    An unknown protocol raises `FrameError` at once, not at the first line.
    """
    codec = get_codec(protocol)
    return _decode_each(codec, lines, segment, strict)


def _decode_each(codec: Codec, lines: Iterable[bytes | str], segment: bool, strict: bool) -> Iterator[dict[str, Any]]:
    tolerances = NO_TOLERANCE if strict else codec.tolerances
    for line in lines:
        data = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else bytes(line)
        data = data.strip(b"\r\n\t \x00\xef\xbb\xbf")
        if not data:
            continue
        try:
            raw = parse_line(codec, data)
            reads_part = segment and codec.decode_part is not None and not codec.is_start(raw)
            reader = codec.decode_part if reads_part and codec.decode_part is not None else codec.decode
            yield {"ok": True, "message": codec.to_json(reader(raw, tolerances))}
        except FrameError as error:
            yield {"ok": False, "error": error.message, "reason": error.reason}


def parse_line(codec: Codec, line: bytes) -> bytes:
    """The frame bytes that a trimmed line stands for; `FrameError` when it is neither text nor hex."""
    if len(line) > MAX_LINE:
        raise FrameError("too-long", f"The line has {len(line)} bytes; at most {MAX_LINE} are read.")
    if codec.is_text and codec.is_start(line):
        return line
    if _HEX.fullmatch(line):
        raw = binascii.unhexlify(re.sub(rb"[ \t]", b"", line))
        if not codec.is_text or codec.is_start(raw):
            return raw
    if codec.is_text:
        return line
    raise FrameError("hex", f"A {codec.title} frame is binary: write it as pairs of hex digits, one frame a line.")
