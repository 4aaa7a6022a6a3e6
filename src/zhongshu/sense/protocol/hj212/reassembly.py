"""Put divided HJ 212 messages together (PNUM, PNO), with bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from zhongshu.sense.protocol.hj212.message import Group, HJ212Message

_Key = tuple[str, str | None, str, int]


@dataclass(slots=True)
class _Parts:
    started: float
    packets: dict[int, HJ212Message] = field(default_factory=dict)
    size: int = 0


class Reassembler:
    """One per connection. `add` gives a message when it is whole; whole ones pass straight through.

    Packets belong together by MN, ST, CN and PNUM: in annex C each packet has a QN of its own, so QN cannot bind them.
    A packet number that comes again with the same content is a resend and changes nothing; with other content it
    starts a new message. `now` is any clock in seconds that does not go back, given by the caller.
    What is dropped for age or room is counted in `dropped` and handed over by `take_incomplete`, since packets with
    their own DataTime can be read alone.
    """

    def __init__(self, *, max_messages: int = 16, max_fields: int = 20_000, max_age_s: float = 300.0) -> None:
        self.dropped = 0
        self._max_messages = max_messages
        self._max_fields = max_fields
        self._max_age_s = max_age_s
        self._open: dict[_Key, _Parts] = {}
        self._incomplete: list[HJ212Message] = []

    def add(self, message: HJ212Message, now: float) -> HJ212Message | None:
        """The whole message this packet completes, or None while others are awaited."""
        self._expire(now)
        packet = message.packet
        if packet is None:
            return message
        number, total = packet
        key = (message.mn, message.st, message.cn, total)
        parts = self._open.get(key)
        known = parts.packets.get(number) if parts else None
        if parts is None or (known is not None and known.groups != message.groups):
            if parts is not None:
                self._drop(key)
            self._make_room()
            parts = self._open[key] = _Parts(now)
        elif known is not None:
            return None
        parts.packets[number] = message
        parts.size += sum(map(len, message.groups))
        if len(parts.packets) == total:
            del self._open[key]
            return _join([parts.packets[index] for index in range(1, total + 1)])
        if parts.size > self._max_fields:
            self._drop(key)
        return None

    def take_incomplete(self) -> list[HJ212Message]:
        """Packets given up since the last call, at most `max_fields` fields, in order of arrival."""
        taken, self._incomplete = self._incomplete, []
        return taken

    def _expire(self, now: float) -> None:
        for key in [key for key, parts in self._open.items() if now - parts.started > self._max_age_s]:
            self._drop(key)

    def _make_room(self) -> None:
        while len(self._open) >= self._max_messages:
            self._drop(next(iter(self._open)))

    def _drop(self, key: _Key) -> None:
        parts = self._open.pop(key)
        self.dropped += len(parts.packets)
        kept = sum(sum(map(len, message.groups)) for message in self._incomplete)
        for message in parts.packets.values():
            kept += sum(map(len, message.groups))
            if kept <= self._max_fields:
                self._incomplete.append(message)


def _join(packets: list[HJ212Message]) -> HJ212Message:
    """First head without packet numbers; all groups in order, a DataTime equal to the one in force left out."""
    head = {name: value for name, value in packets[0].head.items() if name not in ("PNUM", "PNO")}
    if packets[0].flag is not None:
        head["Flag"] = str(packets[0].flag & ~2)
    groups: list[Group] = []
    when: Group | None = None
    for packet in packets:
        for group in packet.groups:
            if group == when:
                continue
            if len(group) == 1 and group[0][0] == "DataTime":
                when = group
            groups.append(group)
    forgiven = tuple(dict.fromkeys(tolerance for packet in packets for tolerance in packet.forgiven))
    return HJ212Message(head=head, groups=tuple(groups), forgiven=forgiven)
