"""Cut a TCP stream into HJ 212 packets, whatever the device and the network made of it."""

from __future__ import annotations

import re

from zhongshu.sense.protocol.base import Refusal
from zhongshu.sense.protocol.hj212.parse import MAX_SEGMENT

KEPT_RAW = 1024
"""Bytes of refused stretches that are kept as evidence; their true size is in `Refusal.size`."""

_MAX_PACKET = 2 + 5 + MAX_SEGMENT + 4
_REACH = 16
"""An end mark or a new start is at most this long, so a search resumes this many bytes before where it stopped."""

_MARK = re.compile(rb"##(?!#)")
_LENGTH = re.compile(rb"##([0-9]{1,5})(?=[^0-9])")
_END = re.compile(rb"&&[0-9A-Fa-f]{1,4}(?=[\r\n])|&&[0-9A-Fa-f]{4}(?=##)")
_START = re.compile(rb"##[0-9]{1,5}[A-Za-z]{2,5}=")
_LAST_END = re.compile(rb"&&[0-9A-Fa-f]{1,4}\Z")
_PAUSE = b"\r\n\x00 \t"


class HJ212Framer:
    """One per connection. `feed` gives packets without their line end, and refusals, in the order of the stream.

    A packet is complete when its stated length fits: two `&` and four hex digits stand where they should. Where a
    checksum stands before a line end or the next `##` sooner, or the length does not fit, it ends there (its length is
    wrong; `decode` says so). It is refused as `cut-short` when the next packet begins or the stream closes first, as
    `too-long` when no end comes within the longest packet there is. Other bytes between packets are refused as
    `rubbish`, one refusal per stretch, given when the stretch ends. What comes out does not depend on how the stream
    was cut. At most one longest packet (about 10 kB) is buffered, besides what `feed` was just given.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._buffer = bytearray()
        self._searched = 0
        self._rubbish = bytearray()
        self._rubbish_size = 0

    def feed(self, data: bytes) -> list[bytes | Refusal]:
        """Take what arrived; give the packets now complete and what is refused."""
        out: list[bytes | Refusal] = []
        self._buffer += data
        while self._cut_one(out):
            pass
        return out

    def close(self) -> list[bytes | Refusal]:
        """The stream ended: a last packet that lacks only its line end is given, anything else refused."""
        out: list[bytes | Refusal] = []
        left = bytes(self._buffer).rstrip(_PAUSE)
        self._buffer.clear()
        self._searched = 0
        if left.startswith(b"##"):
            self._end_rubbish(out)
            if _LAST_END.search(left):
                out.append(left)
            else:
                self._refuse(out, "cut-short", "The connection ended inside a packet.", left, len(left))
        elif left:
            self._add_rubbish(left)
        self._end_rubbish(out)
        return out

    def _cut_one(self, out: list[bytes | Refusal]) -> bool:
        """Take one thing off the buffer's front; False when more bytes are needed."""
        buffer = self._buffer
        if not self._skip_to_start():
            return False
        match = _LENGTH.match(buffer)
        if match is None:
            if len(buffer) == 2 or (len(buffer) < 8 and buffer[2:].isdigit()):
                return False
            self._drop_rubbish(2)
            return True
        size = match.end() + int(match[1]) + 4
        has_size = size <= _MAX_PACKET and len(buffer) >= size and _fits(buffer, size)
        begin = max(2, self._searched - _REACH)
        limit = size if has_size else _MAX_PACKET + _REACH
        end = _END.search(buffer, begin, limit)
        start = _START.search(buffer, begin, limit)
        if start is not None and (end is None or start.start() < end.end()):
            self._refuse_front(out, "cut-short", "The packet is cut short: the next one begins inside it.", start.start())
        elif end is not None:
            self._take_front(out, end.end())
        elif has_size:
            self._take_front(out, size)
        elif len(buffer) >= limit:
            words = f"A packet has begun, but no end came within {_MAX_PACKET} bytes."
            self._refuse_front(out, "too-long", words, _MAX_PACKET)
        else:
            self._searched = len(buffer)
            return False
        return True

    def _skip_to_start(self) -> bool:
        """Bring a `##` to the buffer's front; False when there is none yet."""
        match = _MARK.search(self._buffer)
        if match is None:
            kept = 1 if self._buffer.endswith(b"#") else 0
            self._drop_rubbish(len(self._buffer) - kept)
            return False
        self._drop_rubbish(match.start())
        return True

    def _take_front(self, out: list[bytes | Refusal], size: int) -> None:
        self._end_rubbish(out)
        out.append(bytes(self._buffer[:size]))
        self._drop(size)

    def _refuse_front(self, out: list[bytes | Refusal], reason: str, words: str, size: int) -> None:
        self._end_rubbish(out)
        self._refuse(out, reason, words, self._buffer, size)
        self._drop(size)

    def _drop_rubbish(self, size: int) -> None:
        if size:
            self._add_rubbish(bytes(self._buffer[:size]))
            self._drop(size)

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._searched = 0

    def _add_rubbish(self, data: bytes) -> None:
        if not self._rubbish_size:
            data = data.lstrip(_PAUSE)
        self._rubbish_size += len(data)
        self.skipped += len(data)
        self._rubbish += data[: max(0, KEPT_RAW - len(self._rubbish))]

    def _end_rubbish(self, out: list[bytes | Refusal]) -> None:
        if self._rubbish_size:
            words = f"{self._rubbish_size} bytes belong to no packet."
            out.append(Refusal("rubbish", words, bytes(self._rubbish), self._rubbish_size))
        self._rubbish.clear()
        self._rubbish_size = 0

    def _refuse(self, out: list[bytes | Refusal], reason: str, words: str, data: bytes | bytearray, size: int) -> None:
        out.append(Refusal(reason, words, bytes(data[: min(size, KEPT_RAW)]), size))
        self.skipped += size


def _fits(buffer: bytearray, size: int) -> bool:
    crc = buffer[size - 4 : size]
    return buffer[size - 6 : size - 4] == b"&&" and all(byte in b"0123456789abcdefABCDEF" for byte in crc)
