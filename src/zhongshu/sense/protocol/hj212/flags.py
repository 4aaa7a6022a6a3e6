"""Data flags of HJ 212 to the house's quality codes (docs/house.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GOOD: Final = 0
FAULT: Final = 13
MISSING: Final = 20

FLAG_QUALITY: Mapping[str, int] = {
    "N": GOOD,
    "F": 10,
    "M": 11,
    "S": 12,
    "D": FAULT,
    "C": 14,
    "T": 15,
    "B": 16,
    "P": FAULT,
    "0": 14,
    "1": GOOD,
    "2": FAULT,
    "3": GOOD,
}
"""HJ 212-2017: N normal, F stopped, M maintenance, S set by hand, D fault, C calibration, T over range, B no link.

HJ/T 212-2005 besides: P power fault; for air stations 0 calibration, 1 meteorological parameter, 2 abnormal, 3 normal.
"""


def get_quality(flag: str) -> int:
    """Quality of a flag letter; one we do not know is a fault, never valid. Case does not matter.

    >>> get_quality("N"), get_quality("d"), get_quality("?")
    (0, 13, 13)
    """
    return FLAG_QUALITY.get(flag.upper(), FAULT)
