"""Time in the house: the clock, civil days and periods of the city's zone, working time and deadlines."""

from .clock import FrozenClock, freeze, now, now_us, to_datetime, to_us
from .period import Period, PeriodUnit, civil_day, compute_ordinals, to_civil_us
from .working import (
    COVERED_YEARS,
    Deadline,
    LimitUnit,
    OpenSpan,
    Suspension,
    WorkingCalendar,
    is_china_working_day,
)

__all__ = [
    "COVERED_YEARS",
    "Deadline",
    "FrozenClock",
    "LimitUnit",
    "OpenSpan",
    "Period",
    "PeriodUnit",
    "Suspension",
    "WorkingCalendar",
    "civil_day",
    "compute_ordinals",
    "freeze",
    "is_china_working_day",
    "now",
    "now_us",
    "to_civil_us",
    "to_datetime",
    "to_us",
]
