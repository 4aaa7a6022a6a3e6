"""An HJ 212 message: head fields, groups of the data area, what the Flag says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zhongshu.sense.protocol.base import Message

EDITIONS = ("HJ/T 212-2005", "HJ 212-2017", "HJ 212-2025")
"""Edition by the version number in the Flag's upper six bits (0, 1, 2)."""

Group = tuple[tuple[str, str], ...]
"""The (name, value) fields between two semicolons of the data area."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HJ212Message(Message):
    """One data segment, or several joined by the `Reassembler`.

    `head` has the fields before `CP` in their order (values as sent); `groups` the data area: groups were separated by
    `;`, the (name, value) fields of a group by `,`. Nothing is converted and no repetition is dropped.
    """

    head: Mapping[str, str]
    groups: tuple[Group, ...] = ()

    @property
    def qn(self) -> str | None:
        """Request number: the sender's time to the millisecond, 17 digits; answers repeat it."""
        return self.head.get("QN")

    @property
    def st(self) -> str | None:
        """System code: 22 air quality, 21 surface water, 31 and 32 air and water pollution sources, 91 interaction."""
        return self.head.get("ST")

    @property
    def cn(self) -> str:
        """Command code, four digits."""
        return self.head["CN"]

    @property
    def pw(self) -> str | None:
        """Access password as sent, in clear: never show it beside the device's name."""
        return self.head.get("PW")

    @property
    def mn(self) -> str:
        """Device number, 1 to 64 printable characters without `/`."""
        return self.head["MN"]

    @property
    def flag(self) -> int | None:
        """The Flag: six bits version, bit D "packets are numbered", bit A "an answer is wanted" (HJ 212-2017, 6.3)."""
        text = self.head.get("Flag")
        return None if text is None else int(text)

    @property
    def version(self) -> int:
        """0 for 2005 (also without Flag), 1 for 2017, 2 for 2025 and the drafts before it; others as sent."""
        return (self.flag or 0) >> 2

    @property
    def edition(self) -> str:
        """The standard the Flag names."""
        return EDITIONS[self.version] if self.version < len(EDITIONS) else f"HJ 212 (version {self.version})"

    @property
    def is_answer_wanted(self) -> bool:
        """Bit A of the Flag."""
        return bool((self.flag or 0) & 1)

    @property
    def packet(self) -> tuple[int, int] | None:
        """(number, total) when this is one of several packets, numbered from 1; None when it stands alone."""
        number, total = self.head.get("PNO", ""), self.head.get("PNUM", "")
        if not all(text.isascii() and text.isdigit() and len(text) <= 9 for text in (number, total)):
            return None
        is_part = 2 <= int(total) <= 9999 and 1 <= int(number) <= int(total)
        return (int(number), int(total)) if is_part else None

    def fields(self) -> Iterator[tuple[str, str]]:
        """All fields of the data area in order, groups forgotten."""
        for group in self.groups:
            yield from group

    def find(self, name: str) -> str | None:
        """The first field of that name in the data area."""
        return next((value for field, value in self.fields() if field == name), None)


def to_json(message: HJ212Message) -> dict[str, Any]:
    """The documented projection of a message.

    `head`: object of head fields without CP, `cp`: one object per group that is not empty. Where a name repeats inside
    one group the object has its first place and its **last** value, and `repeated` lists all values by group and name.
    `forgiven` names the tolerances used.
    """
    out: dict[str, Any] = {
        "protocol": "hj212",
        "edition": message.edition,
        "head": dict(message.head),
        "cp": [dict(group) for group in message.groups],
        "forgiven": [str(tolerance) for tolerance in message.forgiven],
    }
    repeated = []
    for index, group in enumerate(message.groups):
        names = [name for name, _ in group]
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                repeated.append({"group": index, "name": name, "values": [v for n, v in group if n == name]})
    if repeated:
        out["repeated"] = repeated
    return out
