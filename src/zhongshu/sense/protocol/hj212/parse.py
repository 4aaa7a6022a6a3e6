"""HJ 212 bytes to message: envelope, checksum, head, data area (HJ 212-2017, 6.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from zhongshu.sense.protocol.base import FrameError, Tolerance
from zhongshu.sense.protocol.hj212.crc import compute_crc
from zhongshu.sense.protocol.hj212.message import Group, HJ212Message
from zhongshu.sense.protocol.hj212.tolerance import TOLERANT, WORDS, HJ212Tolerance

MAX_SEGMENT = 9999
"""Bytes of a data segment that four digits of length can state; more is never read. The standard allows 1024."""

MAX_REPEATS = 255
"""Values of one name at one time: what the sub-index of a reading can tell apart."""

PARAMETERS = frozenset(
    (
        *("DataTime", "BeginTime", "EndTime", "SystemTime", "RestartTime", "QnRtn", "ExeRtn", "RtnInfo", "OverTime"),
        *("ReCount", "RtdInterval", "MinInterval", "NewPW", "PolId", "InfoId", "CstartTime", "CTime", "Stime", "VaseNo"),
        *("QN", "CN", "SampleType", "AlarmTime", "AlarmType", "AlarmEvent", "WarnTime"),
    )
)
"""Data-area names that rightly have no hyphen (HJ 212-2017, 6.3 and annex C; the alarm names are of 2005)."""

_ENVELOPE = re.compile(rb"##([0-9]{1,5})(?![0-9])")
_TAIL = re.compile(rb"&&([0-9A-Fa-f]{1,4})\Z")
_QUOTED = re.compile(r"=//.{0,900}?//(?=[;,]|\Z)|[;,]", re.DOTALL)
_MN = re.compile(r"[!-.0-~]{1,64}")
MAX_NAME = 64
"""Characters of a field name: it becomes part of a stream's name."""
_OPENING = re.compile(r"(?:(?<=;)[ \t]+)?CP[ \t]*=[ \t]*&&")
_CIPHER = re.compile(r"[0-9A-Za-z+/]{16,}={0,2}")
_TIMES = frozenset(("DataTime", "BeginTime", "EndTime"))


class _Forgiver:
    """Collects deviations: an allowed one is noted once, any other is refused."""

    def __init__(self, tolerances: Iterable[Tolerance]) -> None:
        self.allowed = frozenset(tolerances)
        self.used: dict[Tolerance, None] = {}

    def forgive(self, tolerance: HJ212Tolerance, detail: str = "") -> None:
        if tolerance not in self.allowed:
            seen = f": {detail}" if detail else ""
            raise FrameError(str(tolerance), f"Refused because {WORDS[tolerance]}{seen}.")
        self.used[tolerance] = None


def is_start(raw: bytes) -> bool:
    """Does this begin as an HJ 212 packet does?"""
    return raw.startswith(b"##")


def decode(raw: bytes, tolerances: Iterable[Tolerance] = TOLERANT) -> HJ212Message:
    """Read one packet, `##` to checksum, with or without its line end.

    Raises `FrameError`: `start`, `length`, `too-long`, `no-crc`, `crc`, the reasons of `parse_segment`, or the name of
    a tolerance that is switched off.
    """
    packet = bytes(raw).rstrip(b"\r\n\x00 \t")
    envelope = _ENVELOPE.match(packet)
    if envelope is None:
        if not is_start(packet):
            raise FrameError("start", "A packet starts with ## and four digits of length; this does not.")
        raise FrameError("length", f"After ## four digits of length must follow, not {_show(packet[2:6])}.")
    if len(packet) - envelope.end() > MAX_SEGMENT + 4:
        raise FrameError("too-long", f"The packet has {len(packet)} bytes; at most {MAX_SEGMENT} of data are read.")
    stated_length = int(envelope[1])
    segment, stated_crc = _split_crc(packet[envelope.end() :], stated_length)
    crc = compute_crc(segment)
    if int(stated_crc, 16) != crc:
        length_words = "" if stated_length == len(segment) else f" The length is wrong too: {stated_length} stated."
        raise FrameError(
            "crc",
            f"The checksum is wrong: {stated_crc.decode()} stated, {crc:04X} computed over {len(segment)} bytes." + length_words,
        )
    notes = _Forgiver(tolerances)
    if len(envelope[1]) != 4:
        notes.forgive(HJ212Tolerance.LENGTH_DIGITS, envelope[1].decode())
    if stated_length != len(segment):
        notes.forgive(HJ212Tolerance.LENGTH_WRONG, f"{stated_length} stated, {len(segment)} found")
    if len(stated_crc) != 4:
        notes.forgive(HJ212Tolerance.CRC_SHORT, stated_crc.decode())
    if stated_crc != stated_crc.upper():
        notes.forgive(HJ212Tolerance.CRC_LOWER, stated_crc.decode())
    return _parse(segment, notes)


def parse_segment(segment: bytes, tolerances: Iterable[Tolerance] = TOLERANT) -> HJ212Message:
    """Read a data segment, `QN=…` to the closing `&&`, as the standard's annex C prints them (no checksum to check).

    Raises `FrameError`: `too-long`, `text`, `data-area`, `head`, `mn`, `flag`, `packet-number`, `name`, `repeats`, `encrypted`,
    or the name of a tolerance that is switched off.
    """
    data = bytes(segment).strip(b"\r\n\x00 \t")
    if len(data) > MAX_SEGMENT:
        raise FrameError("too-long", f"The data segment has {len(data)} bytes; at most {MAX_SEGMENT} are read.")
    return _parse(data, _Forgiver(tolerances))


def _split_crc(body: bytes, stated_length: int) -> tuple[bytes, bytes]:
    """Data segment and stated checksum of what follows the length."""
    tail = _TAIL.search(body)
    if tail is None:
        raise FrameError("no-crc", f"The packet does not end in && and a checksum of four hex digits: {_show(body[-8:])}.")
    if len(body) == stated_length + 4 and body[stated_length - 2 : stated_length] == b"&&":
        return body[:stated_length], body[stated_length:]
    return body[: tail.start() + 2], tail[1]


def _parse(segment: bytes, notes: _Forgiver) -> HJ212Message:
    if len(segment) > 1024:
        notes.forgive(HJ212Tolerance.LONG_SEGMENT, f"{len(segment)} bytes")
    text = _decode_text(segment, notes)
    opening = _OPENING.search(text)
    if opening is None or not text.endswith("&&", opening.end()):
        raise FrameError("data-area", "The data segment has no data area CP=&&…&&, or it is not closed at the end.")
    if opening[0] != "CP=&&":
        notes.forgive(HJ212Tolerance.SPACES, "before the data area")
    head = _parse_head(text[: opening.start()], notes)
    _check_head(head, notes)
    area = text[opening.end() : -2]
    message = HJ212Message(head=head)
    if message.version >= 2 and area and _CIPHER.fullmatch(area):
        raise FrameError("encrypted", "The data area looks encrypted (HJ 212-2025, SM4); encrypted data are not read.")
    groups = _parse_area(area, notes)
    return HJ212Message(head=head, groups=groups, forgiven=tuple(notes.used))


def _decode_text(segment: bytes, notes: _Forgiver) -> str:
    try:
        return segment.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        text = segment.decode("gb18030")
    except UnicodeDecodeError:
        raise FrameError("text", "The data segment is neither UTF-8 nor GB 18030 text.") from None
    notes.forgive(HJ212Tolerance.GB18030_TEXT)
    return text


def _parse_head(text: str, notes: _Forgiver) -> dict[str, str]:
    head: dict[str, str] = {}
    if text.endswith(";"):
        text = text[:-1]
    elif text:
        notes.forgive(HJ212Tolerance.HEAD_SEPARATOR, f"before CP stands {_show_text(text[-1:])}")
        text = text.rstrip(",")
    parts = text.split(";")
    if "," in text:
        notes.forgive(HJ212Tolerance.HEAD_SEPARATOR, "a comma")
        parts = text.replace(",", ";").split(";")
    for name, value in _parse_fields(parts, notes):
        if name in head:
            notes.forgive(HJ212Tolerance.REPEATED_NAME, name)
        head[name] = value
    return head


def _check_head(head: dict[str, str], notes: _Forgiver) -> None:
    """Refuse a head that does not say who speaks, what, and which packet of how many."""
    if "CN" not in head or "MN" not in head:
        raise FrameError("head", "The head lacks CN (what it is) or MN (who sends).")
    if len(head["CN"]) != 4 or not (head["CN"].isascii() and head["CN"].isdigit()):
        raise FrameError("head", f"CN must be a command code of four digits, not {_show_text(head['CN'])}.")
    if not _MN.fullmatch(head["MN"]):
        raise FrameError("mn", f"MN must be 1 to 64 printable characters without /, not {_show_text(head['MN'])}.")
    flag = head.get("Flag")
    if flag is None:
        notes.forgive(HJ212Tolerance.NO_FLAG)
    elif not (flag.isascii() and flag.isdigit() and len(flag) <= 3 and int(flag) <= 255):
        raise FrameError("flag", f"Flag must be a number from 0 to 255, not {_show_text(flag)}.")
    required = ("QN", "ST", "PW") if flag is not None and int(flag) >= 4 else ("ST", "PW")
    for name in required:
        if name not in head:
            notes.forgive(HJ212Tolerance.INCOMPLETE_HEAD, name)
    qn = head.get("QN")
    if qn is not None and not (len(qn) == 17 and qn.isascii() and qn.isdigit()):
        notes.forgive(HJ212Tolerance.ODD_QN, qn)
    _check_packet_number(head)


def _check_packet_number(head: dict[str, str]) -> None:
    """Bit D of the Flag promises PNUM and PNO; without it whatever they say is not looked at."""
    if not int(head.get("Flag", "0")) & 2:
        return
    number, total = head.get("PNO", ""), head.get("PNUM", "")
    are_numbers = all(text.isascii() and text.isdigit() and len(text) <= 9 for text in (number, total))
    if not are_numbers or not 1 <= int(number) <= int(total) <= 9999:
        raise FrameError(
            "packet-number",
            f"Packets are numbered PNO 1 to PNUM; this one says PNUM={total or 'nothing'}, PNO={number or 'nothing'}.",
        )


def _parse_area(area: str, notes: _Forgiver) -> tuple[Group, ...]:
    if not area:
        return ()
    if "&&" in area and not any("&&" in match[0] for match in _QUOTED.finditer(area)):
        raise FrameError("data-area", "The data area is closed by && more than once.")
    groups: list[Group] = []
    counts: dict[str, int] = {}
    for group_text in _split(area, ";"):
        fields = _parse_fields(_split(group_text, ","), notes)
        if fields:
            if any(name == "DataTime" for name, _ in fields):
                counts.clear()
            for name, value in fields:
                _check_field(name, value, counts, notes)
            groups.append(tuple(fields))
    return tuple(groups)


def _check_field(name: str, value: str, counts: dict[str, int], notes: _Forgiver) -> None:
    if len(name) > MAX_NAME or not name.isprintable() or "/" in name:
        raise FrameError("name", f"{_show_text(name)} is no field name: at most {MAX_NAME} printable characters without /.")
    count = counts[name] = counts.get(name, 0) + 1
    if count > 1:
        notes.forgive(HJ212Tolerance.REPEATED_NAME, name)
        if count > MAX_REPEATS:
            raise FrameError("repeats", f"{_show_text(name)} repeats more than {MAX_REPEATS} times.")
    if "-" not in name and name not in PARAMETERS:
        notes.forgive(HJ212Tolerance.NO_HYPHEN, name)
    if name in _TIMES and len(value) == 17 and value.isascii() and value.isdigit():
        notes.forgive(HJ212Tolerance.LONG_TIME, f"{name}={value}")


def _parse_fields(parts: list[str], notes: _Forgiver) -> list[tuple[str, str]]:
    fields = []
    for part in parts:
        name, equals, value = part.partition("=")
        clean_name, clean_value = name.strip(), value.strip()
        if not equals:
            if not clean_name:
                notes.forgive(HJ212Tolerance.STRAY_SEPARATOR)
            else:
                notes.forgive(HJ212Tolerance.FIELD_WITHOUT_VALUE, clean_name)
            continue
        if clean_name != name or clean_value != value:
            notes.forgive(HJ212Tolerance.SPACES, clean_name)
        if not clean_name:
            notes.forgive(HJ212Tolerance.FIELD_WITHOUT_VALUE, "=" + clean_value)
            continue
        fields.append((clean_name, clean_value))
    return fields


def _split(text: str, separator: str) -> list[str]:
    """Split at the separator, but not inside log text between // and // (HJ 212-2017, annex B, code i11001)."""
    if "//" not in text:
        return text.split(separator)
    parts, start = [], 0
    for match in _QUOTED.finditer(text):
        if match[0] == separator:
            parts.append(text[start : match.start()])
            start = match.end()
    parts.append(text[start:])
    return parts


def _show(data: bytes) -> str:
    return _show_text(data.decode("latin-1"))


def _show_text(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:37] + "...")
