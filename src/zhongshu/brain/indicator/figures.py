"""From a source to figures: what is counted where, carried into the divisions asked for and summed up the tree. A few queries per period, none per division."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from django.db import models
from django.db.models import Count, Q, Sum
from numpy.typing import NDArray

from zhongshu.kernel.place import DivisionChange, reattribute
from zhongshu.kernel.record import Record, values_as_of

from .spec import ComputedSource, Indicator, Question, RecordSource
from .tree import list_changes

__all__ = ["Figures", "count_figures"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """Numerator and denominator `(division,)` in the order of the tree; NaN in `denominator` where the numerator is the value; NaN in `numerator` where there is nothing.

    `is_value`: the numerator is already the value (a quantile) and the denominator only says of how many.
    `is_whole`: each row is the answer of its division, so that a 0 is a value.
    """

    numerator: Floats
    denominator: Floats
    note: dict[int, str]
    is_value: bool = False
    is_whole: bool = False

    @property
    def value(self) -> Floats:
        """The value `(division,)`, NaN where there is none: nothing to divide by is no value."""
        if self.is_value:
            return np.where(self.denominator > 0, self.numerator, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            quotient = np.where(self.denominator > 0, self.numerator / self.denominator, np.nan)
        return np.where(np.isnan(self.denominator), self.numerator, quotient)


@dataclass(frozen=True)
class Part:
    """A stretch of the period within which no boundary changed."""

    start: datetime
    end: datetime
    day: date
    zone: str


def count_figures(indicator: Indicator, question: Question) -> Figures:
    """Return the figures of an indicator for every division of the question's tree.

    Figures of the past are carried into today's divisions by the boundary changes since (`DivisionShift`), unless the indicator says `as_then`.
    Raises `ValueError` for a computed source whose table lacks a column.
    """
    source = indicator.counts
    if isinstance(source, ComputedSource):
        return _ask_computed(source, question)
    changes = [] if indicator.as_then else list_changes()
    if source.measure == "percentile":
        return _count_percentile(source, question, changes)
    return _count_records(source, question, changes)


def _ask_computed(source: ComputedSource, question: Question) -> Figures:
    table = source.compute(question)
    missing = {"division", "numerator", "denominator"} - set(table.column_names)
    if missing:
        raise ValueError(f"{source.digest_text()} answered without the column {sorted(missing)[0]!r}")
    ids = table["division"].to_numpy()
    pair = [np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float) for name in ("numerator", "denominator")]
    notes = dict(zip(ids.tolist(), table["note"].to_pylist(), strict=True)) if "note" in table.column_names else {}
    tree = question.tree
    if source.adds_up:
        plain = bool(len(ids)) and bool(np.isnan(pair[1]).all())
        return Figures(tree.add_up(ids, pair[0]), np.full(len(tree.ids), np.nan) if plain else tree.add_up(ids, pair[1]), notes)
    place = tree.find(ids)
    inside = place >= 0
    spread = [np.full(len(tree.ids), np.nan), np.zeros(len(tree.ids))]
    for into, values in zip(spread, pair, strict=True):
        into[place[inside]] = values[inside]
    return Figures(spread[0], spread[1], notes, is_whole=True)


def _count_records(source: RecordSource, question: Question, changes: list[DivisionChange]) -> Figures:
    tree, ids, pairs = question.tree, [np.empty(0, np.int64)], [np.empty((2, 0))]
    for part in _list_parts(source, question, changes):
        rows = _group(source, part, question.now)
        if rows:
            table = np.array(rows, dtype=float)
            own, share, row = _carry(table[:, 0].astype(np.int64), part.day, changes)
            ids.append(own)
            pairs.append(table[row, 1:].T * share)
    owner, (top, bottom) = np.concatenate(ids), np.concatenate(pairs, axis=1)
    numerator = tree.add_up(owner, top)
    if source.measure in ("count", "total"):
        return Figures(numerator, np.full(len(tree.ids), np.nan), {})
    if source.measure == "rate" and source.over is None:
        return Figures(numerator, np.nan_to_num(tree.population / source.per), {})
    return Figures(numerator, tree.add_up(owner, bottom) / (source.per if source.measure == "rate" else 1.0), {})


def _group(source: RecordSource, part: Part, now: datetime) -> list[tuple[Any, ...]]:
    both, among = Q(**source.where) & Q(**source.among), Q(**source.among)
    top: Any
    bottom: Any
    if source.measure in ("total", "mean"):
        top, bottom = Sum(source.value, filter=both), Count(source.value, filter=both)
    else:
        top, bottom = Count("pk", filter=both if source.measure == "share" else Q(**source.where)), Count("pk", filter=among)
    if source.measure != "rate" or source.over is None:
        return _list_grouped(source, source.kind, source.at, part, now, top, bottom)
    above = _list_grouped(source, source.kind, source.at, part, now, top, models.Value(0))
    below = _list_grouped(source, source.over, "", part, now, models.Value(0), bottom)
    return above + below


def _list_grouped(source: RecordSource, kind: type[Record], at: str, part: Part, now: datetime, top: Any, bottom: Any) -> list[tuple[Any, ...]]:
    rows = _select(source, kind, at, part, now).exclude(**{source.division: None}).order_by().values(source.division)
    return [(d, t or 0, b or 0) for d, t, b in rows.annotate(top=top, bottom=bottom).values_list(source.division, "top", "bottom")]


def _select(source: RecordSource, kind: type[Record], at: str, part: Part, now: datetime) -> models.QuerySet[Any]:
    """Facts are those of the stretch; a stock is as known at its end, from the history when that has passed."""
    if at:
        return kind.objects.filter(**source.build_bounds(part.start, part.end, part.zone))
    if part.end > now:
        return kind.objects.all()
    return values_as_of(kind, part.end - timedelta(microseconds=1))


def _list_parts(source: RecordSource, question: Question, changes: list[DivisionChange]) -> Iterator[Part]:
    if not source.at:
        yield Part(question.start, question.end, min(question.last_on, question.now.astimezone(ZoneInfo(question.zone)).date()), question.zone)
        return
    zone = ZoneInfo(question.zone)
    cuts = sorted({c.on for c in changes if question.first_on < c.on <= question.last_on})
    moments = [question.start, *(datetime(on.year, on.month, on.day, tzinfo=zone) for on in cuts), question.end]
    for day, start, end in zip([question.first_on, *cuts], moments, moments[1:], strict=False):
        yield Part(start, end, day, question.zone)


def _carry(ids: NDArray[np.int64], day: date, changes: list[DivisionChange]) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    later = [c for c in changes if c.on > day]
    if not later:
        return ids, np.ones(len(ids)), np.arange(len(ids))
    days = np.full(len(ids), day, dtype="datetime64[D]")
    carried = reattribute(ids, days, np.ones(len(ids)), later, date.max)
    return carried.id, carried.share, carried.row


def _count_percentile(source: RecordSource, question: Question, changes: list[DivisionChange]) -> Figures:
    whole = [c for c in changes if c.share >= 1.0]
    tree, owners, values = question.tree, [np.empty(0, np.int64)], [np.empty(0)]
    for part in _list_parts(source, question, whole):
        rows = _select(source, source.kind, source.at, part, question.now).filter(**source.where).exclude(**{source.division: None})
        found = np.array(list(rows.exclude(**{source.value: None}).values_list(source.division, source.value)), dtype=float).reshape(-1, 2)
        own, _share, row = _carry(found[:, 0].astype(np.int64), part.day, whole)
        owners.append(own)
        values.append(found[row, 1])
    place = tree.find(np.concatenate(owners))
    order = np.argsort(place, kind="stable")
    place, sorted_values = place[order], np.concatenate(values)[order]
    first, last = np.searchsorted(place, np.arange(len(tree.ids))), np.searchsorted(place, tree.right)
    numerator = np.full(len(tree.ids), np.nan)
    for at in np.flatnonzero(last > first):
        numerator[at] = np.quantile(sorted_values[first[at] : last[at]], source.q)
    return Figures(numerator, (last - first).astype(float), {}, is_value=True)
