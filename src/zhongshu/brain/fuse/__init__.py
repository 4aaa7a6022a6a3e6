"""City events: many signals, one thing the city must know."""

from .declare import EventRule

__all__ = ["EventRule"]
