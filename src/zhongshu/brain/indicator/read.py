"""Reading indicators: a value, a series, a map, and the rows behind a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import Period, now, to_datetime, to_us

from .models import IndicatorRun, IndicatorValue
from .spec import Indicator, Question, RecordSource, State
from .tree import Tree, load_tree

__all__ = ["Drill", "Value", "drill", "get_indicator", "get_value", "list_indicators", "list_series", "list_values"]


@dataclass(frozen=True)
class Value:
    """One number as stored. `computed_at` is when the value last changed, None: not counted yet; `value` None: nothing there to count or to divide by."""

    indicator: str
    division: int
    period: Period
    numerator: float | None = None
    denominator: float | None = None
    value: float | None = None
    state: State = State.NONE
    note: str = ""
    computed_at: datetime | None = None


@dataclass(frozen=True)
class Drill:
    """The rows behind a number: records of `kind` by Django look-ups, to be narrowed by the reader's `Scope` and shown as an ordinary list.

    `numerator` are those that count, `denominator` those counted among (None where there is no such thing).
    `as_of`: the stock as known then, read from the history; None: as it is now.
    """

    kind: str
    numerator: dict[str, Any]
    denominator: dict[str, Any] | None
    as_of: datetime | None


def get_indicator(name: str) -> Indicator:
    """Return a declaration; raises `RegistryError`."""
    found: Indicator = registry.get("indicator", name)
    return found


def list_indicators(prefix: str = "") -> list[Indicator]:
    """Return all declarations, or those of one pack (`environment.`), sorted by name."""
    return [i for name, i in registry.list("indicator").items() if name.startswith(prefix)]


def get_value(name: str, division: int, period: Period) -> Value:
    """Return one value; one query, two where there is no row."""
    return list_series(name, division, [period])[0]


def list_series(name: str, division: int, periods: Sequence[Period]) -> list[Value]:
    """Return the values of one division in the order of `periods` (all of one unit), gaps included."""
    indicator = get_indicator(name)
    if not periods:
        return []
    starts = {_start(p): p for p in periods}
    rows = IndicatorValue.objects.filter(indicator=name, version=indicator.version, division=division, unit=periods[0].unit, start__in=list(starts))
    found = {starts[row.start]: _build_value(row, starts[row.start]) for row in rows}
    missing = [p for p in periods if p not in found]
    return [found.get(p) or value for p, value in zip(periods, _fill(indicator, [division] * len(periods), periods, bool(missing)), strict=True)]


def list_values(name: str, divisions: Sequence[int], period: Period) -> list[Value]:
    """Return the values of many divisions for one period, in their order: for a map or a table of counties."""
    indicator = get_indicator(name)
    rows = IndicatorValue.objects.filter(indicator=name, version=indicator.version, unit=period.unit, start=_start(period))
    found = {row.division_id: _build_value(row, period) for row in rows.filter(division__in=divisions)}
    empty = _fill(indicator, divisions, [period] * len(divisions), len(found) < len(divisions))
    return [found.get(d) or value for d, value in zip(divisions, empty, strict=True)]


def drill(name: str, division: int, period: Period) -> Drill:
    """Tell which rows stand behind a number.

    The divisions are today's sub-tree (that of the period where the indicator says `as_then`); what boundary changes carried in is found where it was recorded.
    Raises `ValueError` for an indicator whose source names no rows.
    """
    indicator, moment = get_indicator(name), now()
    plain = Question(period, settings.TIME_ZONE, load_tree(), moment)
    tree: Tree = load_tree(min(plain.last_on, moment.date())) if indicator.as_then else plain.tree
    question = Question(period, settings.TIME_ZONE, tree, moment)
    inside, source = tree.list_inside(division), indicator.counts
    if not isinstance(source, RecordSource):
        if source.rows is None:
            raise ValueError(f"{name} is computed from readings and names no rows")
        return Drill(source.kind, source.rows(question, inside), None, None)
    place: dict[str, Any] = {f"{source.division}__in": inside}
    if source.at:
        place |= source.build_bounds(question.start, question.end, question.zone)
    ended = not source.at and question.end <= moment
    both = {**source.where, **source.among} if source.measure == "share" else dict(source.where)
    return Drill(
        source.kind._meta.label,
        {**both, **place},
        {**source.among, **place} if source.measure == "share" else None,
        question.end - timedelta(microseconds=1) if ended else None,
    )


def _fill(indicator: Indicator, divisions: Sequence[int], periods: Sequence[Period], wanted: bool) -> list[Value]:
    """Values for rows that are not there: a count that ran and found nothing is 0, a quotient is no value."""
    ran: dict[int, datetime | None] = {}
    if wanted:
        runs = IndicatorRun.objects.filter(indicator=indicator.name, version=indicator.version, unit=periods[0].unit, computed_at__isnull=False)
        ran = {to_us(run.start): run.computed_at for run in runs.filter(start__in=[_start(p) for p in periods])}
    counts = isinstance(indicator.counts, RecordSource) and indicator.counts.measure in ("count", "total")
    made = []
    for division, period in zip(divisions, periods, strict=True):
        at = ran.get(period.start_us(settings.TIME_ZONE))
        zero = 0.0 if counts and at else None
        made.append(Value(indicator.name, division, period, zero, None, zero, indicator.get_state(zero), "", at))
    return made


def _start(period: Period) -> datetime:
    return to_datetime(period.start_us(settings.TIME_ZONE))


def _build_value(row: IndicatorValue, period: Period) -> Value:
    return Value(row.indicator, row.division_id, period, row.numerator, row.denominator, row.value, State(row.state), row.note, row.computed_at)
