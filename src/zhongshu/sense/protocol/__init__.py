"""Field protocols: bytes of a device to typed messages and back, one room per protocol."""

from zhongshu.sense.protocol.base import (
    NO_TOLERANCE,
    PROTOCOLS,
    Codec,
    FrameError,
    Framer,
    Message,
    Refusal,
    Tolerance,
    get_codec,
)
from zhongshu.sense.protocol.decode import decode_lines
from zhongshu.sense.protocol.hj212 import CODEC as _HJ212

PROTOCOLS[_HJ212.name] = _HJ212

__all__ = [
    "NO_TOLERANCE",
    "PROTOCOLS",
    "Codec",
    "FrameError",
    "Framer",
    "Message",
    "Refusal",
    "Tolerance",
    "decode_lines",
    "get_codec",
]
