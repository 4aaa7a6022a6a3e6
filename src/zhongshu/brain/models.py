"""All tables of this floor, gathered for Django."""

from .indicator.models import IndicatorRun, IndicatorValue

__all__ = ["IndicatorRun", "IndicatorValue"]
