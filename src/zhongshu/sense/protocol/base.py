"""The shape every field protocol has: message, framer, refusal, tolerance, codec.

A codec is pure: bytes in, frozen values out, no sockets, no clock, no database. What a codec cannot read it refuses
with a `FrameError`, whose text is written for the person who looks at the device; nothing else leaves `Codec.decode`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class FrameError(ValueError):
    """A frame that is refused.

    `reason` is a short stable code (`crc`, `cut-short`, …) to count and filter by; `message` says in words what is
    wrong with this frame, with the values seen. `str()` gives the words.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Tolerance(StrEnum):
    """Base of each protocol's named switches: one member per deviation that real devices show.

    A connection holds a set of them. A deviation whose switch is off is refused with the switch's name as reason; one
    that was forgiven is listed in `Message.forgiven`. The empty set is the strict reading of the standard.
    """


NO_TOLERANCE: frozenset[Tolerance] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one frame says, before anybody interprets it. `forgiven` holds each tolerance used, once, as it came up."""

    forgiven: tuple[Tolerance, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Bytes of a stream that are no frame. `raw` is kept up to the framer's limit, `size` is the true length."""

    reason: str
    message: str
    raw: bytes
    size: int


class Framer(Protocol):
    """Cuts a byte stream into frames; one per connection, fed in the order of arrival.

    Memory is bounded whatever is fed. After rubbish it finds the next frame start. `skipped` counts bytes that belong
    to no frame (line ends between frames are not counted).
    """

    skipped: int

    def feed(self, data: bytes) -> list[bytes | Refusal]:
        """Take what arrived (any cut, also empty); give the frames that are now complete, in order, and refusals."""
        ...

    def close(self) -> list[bytes | Refusal]:
        """The stream ended: give what was left over as refusals and be empty again."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One protocol as the registry knows it.

    `decode(raw, tolerances)` reads one whole frame; `decode_part(raw, tolerances)`, where the protocol has one, reads
    the frame's inside without its envelope (no checksum then). `is_text` says that frames are printable lines.
    `to_json` gives only dict, list, str, int, float, bool and None.
    """

    name: str
    title: str
    editions: tuple[str, ...]
    is_text: bool
    tolerances: frozenset[Tolerance]
    decode: Callable[[bytes, Iterable[Tolerance]], Message]
    build_framer: Callable[[], Framer]
    to_json: Callable[[Any], dict[str, Any]]
    is_start: Callable[[bytes], bool]
    decode_part: Callable[[bytes, Iterable[Tolerance]], Message] | None = None
    tolerance_words: Mapping[Tolerance, str] = field(default_factory=dict)


PROTOCOLS: dict[str, Codec] = {}
"""Every protocol by its name; filled by `zhongshu.sense.protocol` when it is imported."""


def get_codec(name: str) -> Codec:
    """The codec of that name, or `FrameError("protocol")` that lists the known ones."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        known = ", ".join(sorted(PROTOCOLS)) or "none"
        raise FrameError("protocol", f"There is no protocol {name!r}; known are: {known}.") from None
