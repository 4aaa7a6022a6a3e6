"""Messages to HJ 212 bytes: strict, whatever was forgiven on the way in. Used by answers, simulators and tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from zhongshu.sense.protocol.hj212.crc import compute_crc
from zhongshu.sense.protocol.hj212.message import Group, HJ212Message

MAX_STANDARD_SEGMENT = 1024
"""Bytes of a data segment that the standard allows (HJ 212-2017, 6.3, table of the packet)."""

VERSION_2017 = 1


def format_envelope(segment: bytes) -> bytes:
    """`##`, length, the segment, checksum in capitals, line end. `ValueError` above 9999 bytes."""
    if len(segment) > 9999:
        raise ValueError(f"a data segment has at most 9999 bytes, not {len(segment)}")
    return b"##%04d%b%04X\r\n" % (len(segment), segment, compute_crc(segment))


def format_packet(
    *,
    cn: str,
    mn: str,
    st: str,
    pw: str,
    qn: str | None,
    groups: Iterable[Sequence[tuple[str, str]]] = (),
    is_answer_wanted: bool = False,
    packet: tuple[int, int] | None = None,
    version: int | None = VERSION_2017,
) -> bytes:
    """One packet. `packet` is (number, total); `version` None writes the 2005 form without Flag.

    Values are text exactly as it shall be sent. `ValueError` for names or values that would break the grammar (log text
    between `//` may hold separators) and for a segment above 1024 bytes: use `format_packets` for those.

    >>> format_packet(cn="1062", mn="010000A8900016F000169DC0", st="32", pw="100000", qn="20160801085857223",
    ...               groups=[[("RtdInterval", "30")]], is_answer_wanted=True)[-34:]
    b'Flag=5;CP=&&RtdInterval=30&&1C80\\r\\n'
    """
    flag = None if version is None else version << 2 | (2 if packet else 0) | (1 if is_answer_wanted else 0)
    head = {"QN": qn, "ST": st, "CN": cn, "PW": pw, "MN": mn, "Flag": None if flag is None else str(flag)}
    if packet:
        head |= {"PNUM": str(packet[1]), "PNO": str(packet[0])}
    segment = _format_segment({k: v for k, v in head.items() if v is not None}.items(), groups)
    if len(segment) > MAX_STANDARD_SEGMENT:
        raise ValueError(f"the data segment has {len(segment)} bytes; HJ 212 allows {MAX_STANDARD_SEGMENT} in one packet")
    return format_envelope(segment)


def format_packets(
    *,
    cn: str,
    mn: str,
    st: str,
    pw: str,
    qns: Iterator[str],
    groups: Sequence[Sequence[tuple[str, str]]],
    is_answer_wanted: bool = False,
) -> list[bytes]:
    """As many 2017 packets as the groups need, each at most 1024 bytes and with its own QN from `qns`.

    A group is never cut; `DataTime`, when it is the first group, is repeated in every packet. One packet alone is not
    numbered.
    """
    first = [group for group in groups[:1] if group and group[0][0] == "DataTime"]
    rest = groups[len(first) :]
    room = MAX_STANDARD_SEGMENT - len(_format_segment([("QN", "0" * 17), ("ST", st), ("CN", cn), ("PW", pw)], first))
    room -= len(f"MN={mn};Flag=7;PNUM=9999;PNO=9999;".encode())
    parts: list[list[Sequence[tuple[str, str]]]] = [[]]
    used = 0
    for group in rest:
        size = len(_format_area([group]).encode()) + 1
        if size > room:
            raise ValueError(f"one group has {size} bytes and fits no packet")
        if used + size > room:
            parts.append([])
            used = 0
        parts[-1].append(group)
        used += size
    return [
        format_packet(
            cn=cn, mn=mn, st=st, pw=pw, qn=next(qns), groups=[*first, *part], is_answer_wanted=is_answer_wanted,
            packet=(number, len(parts)) if len(parts) > 1 else None,
        )
        for number, part in enumerate(parts, 1)
    ]  # fmt: skip


def format_message(message: HJ212Message) -> bytes:
    """The packet that says exactly what the message says (head fields in their order)."""
    return format_envelope(_format_segment(message.head.items(), message.groups))


def _format_segment(head: Iterable[tuple[str, str]], groups: Iterable[Group | Sequence[tuple[str, str]]]) -> bytes:
    fields = []
    for name, value in head:
        _check(name, value, may_quote=False)
        fields.append(f"{name}={value};")
    return f"{''.join(fields)}CP=&&{_format_area(groups)}&&".encode()


def _format_area(groups: Iterable[Group | Sequence[tuple[str, str]]]) -> str:
    texts = []
    for group in groups:
        for name, value in group:
            _check(name, value, may_quote=True)
        texts.append(",".join(f"{name}={value}" for name, value in group))
    return ";".join(texts)


def _check(name: str, value: str, *, may_quote: bool) -> None:
    quoted = value[2:-2] if may_quote and len(value) >= 4 and value.startswith("//") and value.endswith("//") else None
    inside = value if quoted is None else quoted
    forbidden = ";,&\r\n" if quoted is None else "&\r\n"
    if not name or any(sign in name for sign in ";,=&\r\n") or any(sign in inside for sign in forbidden):
        raise ValueError(f"{name}={value!r} cannot be sent: separators of the protocol are inside")
    if "//" in inside:
        raise ValueError(f"{name}={value!r} cannot be sent: // opens and closes log text")
