"""Window rules: Arrow in, flags out, declared by packs, run in the worker, tried on the past."""

from .declare import LEVELS, Rule, Using, rule
from .window import READINGS, Flags, StreamTable, Window

__all__ = ["LEVELS", "READINGS", "Flags", "Rule", "StreamTable", "Using", "Window", "rule"]
