"""All tables of this floor, gathered for Django."""

from .fuse.models import CityEvent, EventSignal, EventSlot
from .indicator.models import IndicatorRun, IndicatorValue
from .rule.models import RuleProgress

__all__ = ["CityEvent", "EventSignal", "EventSlot", "IndicatorRun", "IndicatorValue", "RuleProgress"]
