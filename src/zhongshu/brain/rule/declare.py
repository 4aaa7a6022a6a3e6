"""Declaring window rules."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from zhongshu.kernel.registry import registry
from zhongshu.sense.device.feed import Feed
from zhongshu.sense.device.models import ThresholdLevel

from .window import Flags

__all__ = ["LEVELS", "Rule", "Using", "rule"]

LEVELS: tuple[str, ...] = tuple(ThresholdLevel.values)
"""The four warning colours, least serious first."""

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


class Using(Protocol):
    """What a rule reads besides its window: asked once per window, in the worker, outside the rule."""

    name: str

    def read(self, start: int, end: int) -> Any:
        """Return arrays or an Arrow table for the window `start` ≤ t < `end` (µs UTC)."""


@dataclass(frozen=True)
class Rule:
    """One window rule. `every_s` 0 means: a window begins with the end of the one before. `version` is part of every key: raise it when the meaning changes."""

    name: str
    feed: Feed
    evaluate: Callable[..., Flags]
    raises: str
    window_s: int
    every_s: int
    level: str
    title: str
    title_en: str = ""
    version: int = 1
    measures: tuple[str, ...] = ()
    using: tuple[Using, ...] = ()

    @property
    def step_us(self) -> int:
        """µs between the starts of two windows."""
        return (self.every_s or self.window_s) * 1_000_000

    @property
    def window_us(self) -> int:
        """Length of a window in µs."""
        return self.window_s * 1_000_000

    def key(self, subject: int, start: int) -> str:
        """Return what makes a repeated result recognisable: rule, version, subject, window start."""
        return f"{self.name}@{self.version}/{subject}/{start}"

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return f"{self.version};{self.feed.code};{self.raises};{self.window_s};{self.every_s};{self.level};{','.join(u.name for u in self.using)}"


def rule(
    feed: Feed,
    *,
    raises: str,
    window: str,
    title: str,
    every: str = "",
    level: str = "yellow",
    using: Sequence[Using] = (),
    measures: Sequence[str] = (),
    version: int = 1,
    title_en: str = "",
) -> Callable[[Callable[..., Flags]], Callable[..., Flags]]:
    """Declare `function(readings: Window, *using) -> Flags` as a rule over the readings of a feed.

    It is called for every window of length `window` ("3 h") whose start is a multiple of `every` ("10 min"; the window's length unless said) since
    1970 UTC, as soon as the window is
    complete, and again when readings arrive late for it. It must be pure: equal windows give equal flags. What it flags opens or joins a city event
    of the kind `raises` (`<pack>.<kind>`); the rule is
    registered as `<pack>.<function name>`. `measures` restricts the window to these property codes. Raises `ValueError` for a pace or level that is none.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} of a rule is none of {', '.join(LEVELS)}")
    window_s, every_s = _seconds(window), _seconds(every) if every else 0
    known = {measure.code for measure in feed.measures}
    strange = [code for code in measures if code not in known]
    if strange:
        raise ValueError(f"feed {feed.code} has no measure {strange[0]!r}; it has {', '.join(sorted(known))}")

    def declare(evaluate: Callable[..., Flags]) -> Callable[..., Flags]:
        name = f"{raises.split('.')[0]}.{evaluate.__name__}"
        made = Rule(name, feed, evaluate, raises, window_s, every_s, level, title, title_en, version, tuple(measures), tuple(using))
        registry.add("rule", name, made)
        return evaluate

    return declare


def _seconds(pace: str) -> int:
    parts = re.fullmatch(r"([1-9]\d*) (s|min|h|d)", pace)
    if parts is None:
        raise ValueError(f"{pace!r} is not a length of time such as '3 h'")
    return int(parts[1]) * UNITS[parts[2]]
