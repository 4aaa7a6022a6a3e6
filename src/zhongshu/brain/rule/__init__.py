"""Window rules: Arrow in, flags out, declared by packs, run in the worker, tried on the past."""

from .declare import LEVELS, Rule, Using, rule
from .run import Evaluation, RuleHit, evaluate_rule, plan_windows, try_rule
from .source import Arrivals, TableSource, WindowSource
from .window import READINGS, Flags, StreamTable, Window

__all__ = [
    "LEVELS",
    "READINGS",
    "Arrivals",
    "Evaluation",
    "Flags",
    "Rule",
    "RuleHit",
    "StreamTable",
    "TableSource",
    "Using",
    "Window",
    "WindowSource",
    "evaluate_rule",
    "plan_windows",
    "rule",
    "try_rule",
]
