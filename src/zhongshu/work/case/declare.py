"""Declaring kinds of cases: what opens them, who is responsible, and how long each step may take."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from zhongshu.kernel.registry import RegistryError, registry
from zhongshu.kernel.time import LimitUnit, WorkingCalendar

__all__ = ["CaseKind", "TimeLimit", "parse_limit"]

WORDS = {
    "min": (LimitUnit.URGENT_HOURS, 1 / 60),
    "h": (LimitUnit.URGENT_HOURS, 1.0),
    "urgent h": (LimitUnit.URGENT_HOURS, 1.0),
    "working h": (LimitUnit.WORKING_HOURS, 1.0),
    "working d": (LimitUnit.WORKING_DAYS, 1.0),
}


@dataclass(frozen=True)
class TimeLimit:
    """An amount on a clock: urgent hours run day and night, working hours and days only when people work (GB/T 30428.8)."""

    amount: float
    unit: LimitUnit


def parse_limit(text: str) -> TimeLimit:
    """Parse "30 min", "4 h" (both day and night), "4 working h" or "2 working d"; raises `ValueError`.

    >>> parse_limit("2 working d").amount
    2.0
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?) (min|h|urgent h|working h|working d)", text)
    if parts is None:
        raise ValueError(f"{text!r} is not a time limit such as '4 h', '4 working h' or '2 working d'")
    unit, factor = WORDS[parts[2]]
    return TimeLimit(float(parts[1]) * factor, unit)


@dataclass(frozen=True)
class CaseKind:
    """A kind of case. Declaring it registers it.

    `on` is the kind of city event that opens one ("" opened by hand only); `prefix` begins its numbers and belongs to this kind alone. `to` is the
    code of the organisation that is responsible where
    no `Responsibility` names one for the division or those above it. `within` is the limit from opening to closing; `steps` are limits of single
    states (`opened`, `accepted`, `assigned`, `acting`,
    `checking`, `returned`). `escalation` says how long after the total limit the case is told to the next superior organisation, one level each.
    `calendar` gives the working hours.
    """

    name: str
    label: Any
    on: str = ""
    prefix: str = ""
    to: str = ""
    within: str = "24 h"
    steps: Mapping[str, str] = field(default_factory=dict)
    escalation: tuple[str, ...] = ("0 h", "4 h")
    calendar: WorkingCalendar = field(default_factory=WorkingCalendar)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", self.prefix or self.name.split(".")[0][:2].upper())
        object.__setattr__(self, "steps", MappingProxyType(dict(self.steps)))
        if re.fullmatch(r"[A-Z0-9]{1,8}", self.prefix) is None:
            raise ValueError(f"case kind {self.name}: prefix {self.prefix!r} must be 1 to 8 capital letters or digits")
        for text in (self.within, *self.steps.values(), *self.escalation):
            parse_limit(text)
        unknown = set(self.steps) - {"opened", "accepted", "assigned", "acting", "checking", "returned"}
        if unknown:
            raise ValueError(f"case kind {self.name}: {sorted(unknown)[0]!r} is not a state that has a limit")
        taken = [kind.name for kind in registry.list("case_kind").values() if kind.prefix == self.prefix]
        if taken:
            raise RegistryError(f"case kind {self.name}: the prefix {self.prefix} belongs to {taken[0]}")
        registry.add("case_kind", self.name, self)

    @property
    def limit(self) -> TimeLimit:
        """The limit from opening to closing."""
        return parse_limit(self.within)

    def step_limit(self, state: str) -> TimeLimit | None:
        """The limit of one state, or None."""
        return parse_limit(self.steps[state]) if state in self.steps else None

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return f"{self.on};{self.prefix};{self.to};{self.within};{sorted(self.steps.items())};{self.escalation}"
