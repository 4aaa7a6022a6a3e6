"""Cases: what people do about it, from opening to closing, on the clock and on the record."""

from .declare import CaseKind, TimeLimit, parse_limit

__all__ = ["CaseKind", "TimeLimit", "parse_limit"]
