"""Declaring which signals become which city event."""

from dataclasses import dataclass
from typing import Any

from zhongshu.brain.rule import LEVELS
from zhongshu.kernel.registry import registry

__all__ = ["EventRule"]


@dataclass(frozen=True)
class EventRule:
    """Which alarms, or results of window rules, become a city event of `kind`, and which of them are one event. Declaring it registers it.

    Alarms are taken by `feed` (product code, "" any) and `measures` (property codes, empty any) from `min_level` up; results of window rules by `kind` alone.
    One event per subject (the thing): a further signal joins the open event, or re-opens one that closed less than `within_h` hours before it began.
    With `radius_m` > 0 signals of other
    subjects nearer than that join too. The event closes when all its signals have cleared. `title` may use {thing}, {title}, {value}, {limit}, {unit} and {count}.
    """

    name: str
    kind: str
    label: Any
    feed: str = ""
    measures: tuple[str, ...] = ()
    alarms: bool = True
    min_level: str = "blue"
    title: str = "{thing}: {title}"
    within_h: float = 6.0
    radius_m: float = 0.0

    def __post_init__(self) -> None:
        if self.min_level not in LEVELS:
            raise ValueError(f"event rule {self.name}: level {self.min_level!r} is none of {', '.join(LEVELS)}")
        self.title.format(thing="", title="", value="", limit="", unit="", count=0)
        registry.add("event_rule", self.name, self)

    def takes(self, product: str, measure: str, level: str) -> bool:
        """Tell whether an alarm of this product, property and level is one of ours."""
        if not self.alarms or self.feed not in ("", product) or (self.measures and measure not in self.measures):
            return False
        return LEVELS.index(level) >= LEVELS.index(self.min_level)

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return f"{self.kind};{self.feed};{','.join(self.measures)};{self.min_level};{self.within_h};{self.radius_m}"
