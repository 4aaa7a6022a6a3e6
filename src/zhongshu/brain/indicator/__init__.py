"""Indicators: one number per division and period, defined once as code, with target and colour, and with the rows behind it."""

from .compute import compute_due, compute_indicator, mark_stale
from .declare import computed, count, mean, percentile, rate, share, total
from .models import IndicatorRun, IndicatorValue
from .read import Drill, Value, drill, get_indicator, get_value, list_indicators, list_series, list_values
from .spec import Bound, ComputedSource, Indicator, Question, RecordSource, State
from .tree import Tree, load_tree

__all__ = [
    "Bound",
    "ComputedSource",
    "Drill",
    "Indicator",
    "IndicatorRun",
    "IndicatorValue",
    "Question",
    "RecordSource",
    "State",
    "Tree",
    "Value",
    "compute_due",
    "compute_indicator",
    "computed",
    "count",
    "drill",
    "get_indicator",
    "get_value",
    "list_indicators",
    "list_series",
    "list_values",
    "load_tree",
    "mark_stale",
    "mean",
    "percentile",
    "rate",
    "share",
    "total",
]
