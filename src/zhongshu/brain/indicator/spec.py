"""What an indicator is, as a frozen spec: source, unit, periods, target and colour."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

import pyarrow as pa
from django.db import models

from zhongshu.kernel.record import Record
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import Period, PeriodUnit, to_datetime

if TYPE_CHECKING:
    from .tree import Tree

__all__ = ["Bound", "ComputedSource", "Indicator", "Question", "RecordSource", "State"]

_OPS: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


class State(StrEnum):
    """How a value stands against its target; `none` where there is no value or no target. Pages show a word or shape beside the colour."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True)
class Bound:
    """One side of a target, written `>= 0.98`."""

    op: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `>= 0.98`; raises `ValueError`.

        >>> Bound.parse("<= 35")
        Bound(op='<=', limit=35.0)
        """
        found = re.fullmatch(r"\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*", text)
        if found is None:
            raise ValueError(f"{text!r} is not a target such as '>= 0.98'")
        return cls(found[1], float(found[2]))

    def is_met(self, value: float) -> bool:
        """Tell whether a value reaches the bound; it is compared as stored, never as rounded for print."""
        return _OPS[self.op](value, self.limit)

    def __str__(self) -> str:
        return f"{self.op} {self.limit:g}"


@dataclass(frozen=True)
class Question:
    """What a source is asked: a period of the city's civil time, and the divisions (a tree) to answer for.

    `start`, `end` are aware and `end` is excluded; `day` is the last civil day of the period that has begun, for which figures stand.
    """

    period: Period
    zone: str
    tree: "Tree"
    now: datetime

    @property
    def start(self) -> datetime:
        """First moment of the period."""
        return to_datetime(self.period.start_us(self.zone))

    @property
    def end(self) -> datetime:
        """First moment after the period."""
        return to_datetime(self.period.end_us(self.zone))

    @property
    def first_on(self) -> date:
        """First civil day of the period."""
        return self.period.first_on

    @property
    def last_on(self) -> date:
        """Last civil day of the period."""
        return self.first_on if self.period.unit == PeriodUnit.HOUR else self.period.shift(1).first_on - timedelta(days=1)


@dataclass(frozen=True)
class RecordSource:
    """Counting records of one kind.

    `measure`: count · share (`where` of `among`) · total (sum of `value`) · mean (of `value`) · rate (`where` per `per` of `over` or of inhabitants) ·
    percentile (`q` of `value`).
    With `at` (a time field) records are facts and count in the period in which they happened; without it they are a stock, counted as known at the end of the period.
    `division` is the field path to the division.
    """

    kind: type[Record]
    measure: str
    where: Mapping[str, Any] = field(default_factory=dict)
    among: Mapping[str, Any] = field(default_factory=dict)
    value: str = ""
    at: str = ""
    division: str = "division"
    over: type[Record] | None = None
    per: float = 1.0
    q: float = 0.5

    def build_bounds(self, start: datetime, end: datetime, zone: str) -> dict[str, Any]:
        """Return the look-ups for facts from `start` until `end` (excluded); a date field is compared by civil days."""
        if self.has_days():
            city = ZoneInfo(zone)
            return {f"{self.at}__gte": start.astimezone(city).date(), f"{self.at}__lt": end.astimezone(city).date()}
        return {f"{self.at}__gte": start, f"{self.at}__lt": end}

    def has_days(self) -> bool:
        """Tell whether facts are dated by a civil day and not by a moment."""
        return not isinstance(self.kind._meta.get_field(self.at), models.DateTimeField)

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        over = self.over._meta.label if self.over else ""
        return f"{self.kind._meta.label};{self.measure};{sorted(self.where.items())};{sorted(self.among.items())};{self.value};{self.at};{over};{self.per};{self.q}"


@dataclass(frozen=True)
class ComputedSource:
    """A function that answers with an Arrow table: `division` int64, `numerator` float64, `denominator` float64, optional `note` utf8.

    Where the denominator is null the numerator is the value.
    `adds_up`: rows are parts (stations, days) that are summed up the tree; otherwise each row is the whole answer for its division.
    `kind` and `rows` say where the rows behind the number are: `rows(question, division ids of the sub-tree)` gives the filter on `kind`.
    """

    compute: Callable[[Question], pa.Table]
    adds_up: bool = False
    kind: str = ""
    rows: Callable[[Question, list[int]], dict[str, Any]] | None = None

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return f"{self.compute.__module__}.{self.compute.__qualname__};{self.adds_up}"


@dataclass(frozen=True)
class Indicator:
    """One definition. Declaring it registers it.

    `target` is good, `warn` is still bearable, everything else is bad; `better` says which way is up for arrows.
    `source` says who set definition and target (standard and clause, plan, or `local: …`).
    `as_then`: past figures stay in the divisions of their time; otherwise they are carried into today's.
    A unit of `%` means that the value is a fraction and is shown times 100.
    """

    name: str
    label: Any
    counts: RecordSource | ComputedSource
    unit: str = ""
    periods: tuple[PeriodUnit, ...] = (PeriodUnit.MONTH,)
    target: Bound | None = None
    warn: Bound | None = None
    better: str = "high"
    weight: float = 1.0
    decimals: int = 1
    source: str = ""
    as_then: bool = False
    version: int = 1
    about: Any = ""

    def __post_init__(self) -> None:
        if self.target is not None and not self.source:
            raise ValueError(f"indicator {self.name}: a target needs a source")
        if self.better not in ("high", "low"):
            raise ValueError(f"indicator {self.name}: better is 'high' or 'low', not {self.better!r}")
        registry.add("indicator", self.name, self)

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return f"{self.version};{','.join(self.periods)};{self.target};{self.warn};{self.as_then};{self.counts.digest_text()}"

    def get_state(self, value: float | None) -> State:
        """Return the colour of a value."""
        if value is None or self.target is None:
            return State.NONE
        if self.target.is_met(value):
            return State.GOOD
        return State.WARN if self.warn is not None and self.warn.is_met(value) else State.BAD

    def get_shown(self, value: float | None) -> float | None:
        """Return the number as printed beside the unit."""
        return None if value is None else round(value * (100 if self.unit == "%" else 1), self.decimals)
