"""What real HJ 212 devices do wrong, each deviation with its own switch."""

from __future__ import annotations

from zhongshu.sense.protocol.base import Tolerance


class HJ212Tolerance(Tolerance):
    """Named switches. A wrong checksum has none: it is always refused."""

    LENGTH_WRONG = "length-wrong"
    LENGTH_DIGITS = "length-digits"
    LONG_SEGMENT = "long-segment"
    CRC_LOWER = "crc-lower-case"
    CRC_SHORT = "crc-short"
    NO_FLAG = "no-flag"
    INCOMPLETE_HEAD = "incomplete-head"
    ODD_QN = "odd-qn"
    HEAD_SEPARATOR = "head-separator"
    STRAY_SEPARATOR = "stray-separator"
    SPACES = "spaces"
    REPEATED_NAME = "repeated-name"
    FIELD_WITHOUT_VALUE = "field-without-value"
    NO_HYPHEN = "no-hyphen"
    LONG_TIME = "long-time"
    GB18030_TEXT = "gb18030-text"


TOLERANT: frozenset[Tolerance] = frozenset(HJ212Tolerance)
"""What a new connection forgives: everything known. The counts of what was forgiven show what to ask the maker for."""

WORDS: dict[Tolerance, str] = {
    HJ212Tolerance.LENGTH_WRONG: "the stated length is not the data segment's",
    HJ212Tolerance.LENGTH_DIGITS: "the length has not four digits",
    HJ212Tolerance.LONG_SEGMENT: "the data segment is longer than 1024 bytes",
    HJ212Tolerance.CRC_LOWER: "the checksum is in lower case",
    HJ212Tolerance.CRC_SHORT: "the checksum lacks its leading zeros",
    HJ212Tolerance.NO_FLAG: "there is no Flag (HJ/T 212-2005 packet)",
    HJ212Tolerance.INCOMPLETE_HEAD: "QN, ST or PW is missing",
    HJ212Tolerance.ODD_QN: "QN is not a time of 17 digits",
    HJ212Tolerance.HEAD_SEPARATOR: "head fields are not separated by a semicolon",
    HJ212Tolerance.STRAY_SEPARATOR: "a separator stands where nothing follows",
    HJ212Tolerance.SPACES: "spaces stand around a name or value",
    HJ212Tolerance.REPEATED_NAME: "a name repeats inside one group or one time",
    HJ212Tolerance.FIELD_WITHOUT_VALUE: "a field has no '=' and was left out",
    HJ212Tolerance.NO_HYPHEN: "a field name has no hyphen and is no parameter of the standard",
    HJ212Tolerance.LONG_TIME: "a time has 17 digits instead of 14",
    HJ212Tolerance.GB18030_TEXT: "text is in GB 18030 instead of UTF-8",
}
