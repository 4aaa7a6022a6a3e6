"""The wall clock of the house: one place to ask, one place to hold it still."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator

__all__ = ["FrozenClock", "freeze", "now", "now_us", "to_datetime", "to_us"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

_source: Callable[[], int] | None = None


def now_us() -> int:
    """Microseconds since 1970 UTC: what is stored."""
    return _source() if _source is not None else time.time_ns() // 1000


def now() -> dt.datetime:
    """The present moment, aware, in UTC. Deadlines and records ask here and nowhere else."""
    return to_datetime(now_us())


def to_us(at: dt.datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime, exactly; a naive one raises ``ValueError``."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone; say which clock it is from.")
    return (at - _EPOCH) // _MICROSECOND


def to_datetime(us: int) -> dt.datetime:
    """Aware UTC datetime of microseconds since 1970."""
    return _EPOCH + dt.timedelta(microseconds=int(us))


class FrozenClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: dt.datetime) -> None:
        self._us = to_us(at)

    def __call__(self) -> int:
        """Where it stands, microseconds since 1970 UTC."""
        return self._us

    def move(self, by: dt.timedelta) -> None:
        """Let time pass (or, negative, go back as a corrected clock does)."""
        self._us += by // _MICROSECOND

    def set(self, at: dt.datetime) -> None:
        """Jump to a moment."""
        self._us = to_us(at)


@contextlib.contextmanager
def freeze(at: dt.datetime) -> Iterator[FrozenClock]:
    """Hold the clock of this process, all threads, for tests and for recomputing the past; nests.

    >>> with freeze(dt.datetime(2026, 3, 1, tzinfo=dt.UTC)) as clock:
    ...     clock.move(dt.timedelta(hours=2))
    ...     now().isoformat()
    '2026-03-01T02:00:00+00:00'
    """
    global _source
    before, clock = _source, FrozenClock(at)
    _source = clock
    try:
        yield clock
    finally:
        _source = before
