"""HJ 212: what air, water and emission monitoring stations in China send (2005, 2017; of 2025 the common ground).

Of HJ 212-2025 the envelope, the checksum, the head and the Flag's version 2 are the same as in 2017 and are read;
its heartbeat 9015 is answered. Encrypted data areas (SM4) are recognised and refused, its file transfer is not known.
These points rest on public implementations made from the standard's text, not on the text itself.
"""

from zhongshu.sense.protocol.base import Codec
from zhongshu.sense.protocol.hj212.answers import (
    Execution,
    RequestResult,
    build_answer,
    build_result,
    find_answer_code,
)
from zhongshu.sense.protocol.hj212.crc import compute_crc
from zhongshu.sense.protocol.hj212.factors import AMBIENT_UNITS, FACTORS, Factor, find_factor, find_unit_doubts
from zhongshu.sense.protocol.hj212.flags import FLAG_QUALITY, get_quality
from zhongshu.sense.protocol.hj212.format import format_envelope, format_message, format_packet, format_packets
from zhongshu.sense.protocol.hj212.framing import HJ212Framer
from zhongshu.sense.protocol.hj212.message import EDITIONS, HJ212Message, to_json
from zhongshu.sense.protocol.hj212.parse import decode, is_start, parse_segment
from zhongshu.sense.protocol.hj212.readings import Profile, Reading, Text, parse_profile, parse_time, readings, texts
from zhongshu.sense.protocol.hj212.reassembly import Reassembler
from zhongshu.sense.protocol.hj212.tolerance import TOLERANT, WORDS, HJ212Tolerance

CODEC = Codec(
    name="hj212",
    title="HJ 212",
    editions=EDITIONS,
    is_text=True,
    tolerances=TOLERANT,
    decode=decode,
    decode_part=parse_segment,
    build_framer=HJ212Framer,
    to_json=to_json,
    is_start=is_start,
    tolerance_words=WORDS,
)

__all__ = [
    "AMBIENT_UNITS",
    "CODEC",
    "EDITIONS",
    "FACTORS",
    "FLAG_QUALITY",
    "TOLERANT",
    "Execution",
    "Factor",
    "HJ212Framer",
    "HJ212Message",
    "HJ212Tolerance",
    "Profile",
    "Reading",
    "Reassembler",
    "RequestResult",
    "Text",
    "build_answer",
    "build_result",
    "compute_crc",
    "decode",
    "find_answer_code",
    "find_factor",
    "find_unit_doubts",
    "format_envelope",
    "format_message",
    "format_packet",
    "format_packets",
    "get_quality",
    "is_start",
    "parse_profile",
    "parse_segment",
    "parse_time",
    "readings",
    "texts",
    "to_json",
]
