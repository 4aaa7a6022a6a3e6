"""Quality codes of one measured value."""

from enum import IntEnum

__all__ = ["Quality"]


class Quality(IntEnum):
    """Only `GOOD` counts as valid in indices and indicators.

    1-3 are ours; 10-16 are the data flags of HJ 212-2017, 6.6.4 and table 6 (F, M, S, D, C, T, B); `MISSING` is a row that says no value was got.
    """

    GOOD = 0
    OUT_OF_RANGE = 1
    STUCK = 2
    SPIKE = 3
    STOPPED = 10
    MAINTENANCE = 11
    SET_BY_HAND = 12
    FAULT = 13
    CALIBRATION = 14
    OVER_RANGE = 15
    NO_COMMUNICATION = 16
    MISSING = 20
