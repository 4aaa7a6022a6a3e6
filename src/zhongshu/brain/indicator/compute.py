"""Counting indicators: on demand for one period, and by a job for every period whose inputs were touched."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db.models import F, Q

from zhongshu.kernel.event import Offset
from zhongshu.kernel.job import JobRun, job
from zhongshu.kernel.record import transaction
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import Period, compute_ordinals, now, to_datetime, to_us

from .figures import Figures, count_figures
from .models import IndicatorRun, IndicatorValue
from .spec import Indicator, Question, RecordSource
from .tree import Tree, load_tree

__all__ = ["compute_due", "compute_indicator", "mark_stale"]

OVERLAP = timedelta(minutes=10)
BATCH = 2000
COLUMNS = ["numerator", "denominator", "value", "state", "note", "computed_at", "inputs"]


def compute_indicator(name: str, divisions: Sequence[int] | None, period: Period, at: datetime | None = None) -> int:
    """Count one indicator for one period and store what changed; returns how many values were written or removed.

    `divisions` (database ids) limits what is stored to these; None stores every division that has something to count. `at` is the moment that counts as now.
    Raises `RegistryError` for an unknown indicator and `ValueError` for a period unit it does not have.
    """
    indicator: Indicator = registry.get("indicator", name)
    if period.unit not in indicator.periods:
        raise ValueError(f"{name} is counted by {', '.join(indicator.periods)}, not by {period.unit}")
    moment = at or now()
    question = _build_question(indicator, period, moment)
    key: dict[str, Any] = {"indicator": name, "version": indicator.version, "unit": period.unit, "start": question.start}
    known = IndicatorRun.objects.filter(**key).first()
    figures = count_figures(indicator, question)
    inputs = _digest(indicator, question.tree, figures)
    with transaction():
        same = known is not None and known.inputs == inputs
        written = 0 if same else _store(indicator, question, figures, inputs, divisions)
        if divisions is None:
            defaults = {"computed_at": moment, "inputs": inputs, "counted": known.touched if known else 0}
            IndicatorRun.objects.update_or_create(**key, defaults=defaults)
        elif not same:
            IndicatorRun.objects.filter(**key).update(inputs="")
    return written


def mark_stale(name: str, start: datetime, end: datetime) -> int:
    """Ask the job to count again every period of an indicator that overlaps the time from `start` until `end` (excluded); returns how many periods that are.

    Call it where a derived table was written for a stretch of the past: readings that came late are counted too.
    """
    indicator: Indicator = registry.get("indicator", name)
    zone, marked = settings.TIME_ZONE, 0
    for unit in indicator.periods:
        period, starts = Period.of(start, unit, zone), []
        while period.start_us(zone) < to_us(end):
            starts.append(to_datetime(period.start_us(zone)))
            period = period.shift(1)
        key = {"indicator": name, "version": indicator.version, "unit": unit}
        with transaction():
            IndicatorRun.objects.bulk_create([IndicatorRun(**key, start=at) for at in starts], batch_size=BATCH, ignore_conflicts=True)
            IndicatorRun.objects.filter(**key, start__gte=starts[0], start__lte=starts[-1]).update(touched=F("touched") + 1)
        marked += len(starts)
    return marked


@job("brain.indicator.compute", every="1 min")
def compute_due(run: JobRun) -> dict[str, int]:
    """Count every period whose inputs changed since the last run."""
    indicators = list(registry.list("indicator").values())
    counted = written = 0
    for step, indicator in enumerate(indicators):
        moment = now()
        for period in _list_due(indicator, moment):
            written += compute_indicator(indicator.name, None, period, moment)
            counted += 1
        _note_seen(indicator, moment)
        run.progress((step + 1) / len(indicators), indicator.name)
    return {"periods": counted, "values": written}


def _build_question(indicator: Indicator, period: Period, moment: datetime) -> Question:
    question = Question(period, settings.TIME_ZONE, load_tree(), moment)
    if not indicator.as_then:
        return question
    return Question(period, settings.TIME_ZONE, load_tree(min(question.last_on, moment.date())), moment)


def _list_due(indicator: Indicator, moment: datetime) -> list[Period]:
    zone = settings.TIME_ZONE
    current = {Period.of(moment, unit, zone) for unit in indicator.periods}
    touched = _list_touched(indicator, moment)
    due = set(_list_stale(indicator))
    due |= touched & current if _is_stock(indicator) else touched
    ran = _list_ran(indicator, current | {p.shift(-1) for p in current})
    due |= {p for p in current if p not in ran or not isinstance(indicator.counts, RecordSource)}
    due |= {p.shift(-1) for p in current if p.shift(-1) in ran and to_us(ran[p.shift(-1)]) < p.start_us(zone)}
    return sorted(due)


def _is_stock(indicator: Indicator) -> bool:
    return isinstance(indicator.counts, RecordSource) and not indicator.counts.at


def _list_stale(indicator: Indicator) -> Iterable[Period]:
    rows = IndicatorRun.objects.filter(indicator=indicator.name, version=indicator.version, touched__gt=F("counted"), unit__in=indicator.periods)
    return [Period.of(run.start, next(u for u in indicator.periods if u == run.unit), settings.TIME_ZONE) for run in rows]


def _list_ran(indicator: Indicator, periods: set[Period]) -> dict[Period, datetime]:
    zone = settings.TIME_ZONE
    starts = {(p.unit.value, p.start_us(zone)): p for p in periods}
    rows = IndicatorRun.objects.filter(indicator=indicator.name, version=indicator.version, computed_at__isnull=False)
    oldest = min(p.start_us(zone) for p in periods)
    rows = rows.filter(start__gte=to_datetime(oldest))
    return {starts[r.unit, to_us(r.start)]: r.computed_at for r in rows if r.computed_at and (r.unit, to_us(r.start)) in starts}


def _list_touched(indicator: Indicator, moment: datetime) -> set[Period]:
    """Periods of the records that were written or removed since the job last looked, by the history of their kind."""
    source = indicator.counts
    if not isinstance(source, RecordSource):
        return set()
    zone = settings.TIME_ZONE
    last = Offset.objects.filter(consumer=_consumer(indicator)).first()
    since = to_datetime(last.position) - OVERLAP if last else datetime(1970, 1, 1, tzinfo=UTC)
    kinds = [kind for kind in (source.kind, source.over) if kind is not None]
    new = Q(recorded_from__gte=since) | Q(recorded_until__gte=since)
    found = {kind: kind.history_model._default_manager.filter(new) for kind in kinds}
    if not source.at:
        return {Period.of(moment, u, zone) for u in indicator.periods} if any(rows.exists() for rows in found.values()) else set()
    moments = [at for at in found[source.kind].values_list(source.at, flat=True).distinct() if at is not None]
    if source.has_days():
        moments = [datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) for day in moments]
    times = np.array([to_us(at) for at in moments], dtype=np.int64)
    return {Period(unit, int(n)) for unit in indicator.periods for n in np.unique(compute_ordinals(times, unit, zone))} if len(times) else set()


def _consumer(indicator: Indicator) -> str:
    return f"brain.indicator:{indicator.name}:{indicator.version}"[:100]


def _note_seen(indicator: Indicator, moment: datetime) -> None:
    with transaction():
        Offset.objects.update_or_create(consumer=_consumer(indicator), defaults={"position": to_us(moment)})


def _digest(indicator: Indicator, tree: Tree, figures: Figures) -> str:
    text = hashlib.blake2b(indicator.digest_text().encode(), digest_size=16)
    for column in (tree.ids, figures.numerator, figures.denominator):
        text.update(np.ascontiguousarray(column).tobytes())
    text.update(repr(sorted(figures.note.items())).encode())
    return text.hexdigest()


def _store(indicator: Indicator, question: Question, figures: Figures, inputs: str, divisions: Sequence[int] | None) -> int:
    key = {"indicator": indicator.name, "version": indicator.version, "unit": question.period.unit.value, "start": question.start}
    present = {row.division_id: row for row in IndicatorValue.objects.filter(**key, **({} if divisions is None else {"division__in": divisions}))}
    wanted = None if divisions is None else set(divisions)
    fresh: list[IndicatorValue] = []
    for place in np.flatnonzero(_has_something(figures)):
        division = int(question.tree.ids[place])
        if wanted is not None and division not in wanted:
            continue
        values = _build_values(indicator, figures, int(place), division)
        old = present.pop(division, None)
        if old is None or any(getattr(old, name) != value for name, value in values.items()):
            fresh.append(IndicatorValue(**key, division_id=division, computed_at=question.now, inputs=inputs, **values))
    unique = ["indicator", "version", "division", "unit", "start"]
    IndicatorValue.objects.bulk_create(fresh, batch_size=500, update_conflicts=True, unique_fields=unique, update_fields=COLUMNS)
    IndicatorValue.objects.filter(pk__in=[row.pk for row in present.values()]).delete()
    return len(fresh) + len(present)


def _has_something(figures: Figures) -> Any:
    counted = (figures.numerator != 0) | (figures.is_whole & np.isnan(figures.denominator))
    return (counted & ~np.isnan(figures.numerator)) | (figures.denominator > 0)


def _build_values(indicator: Indicator, figures: Figures, place: int, division: int) -> dict[str, Any]:
    top, bottom, value = (None if np.isnan(a[place]) else float(a[place]) for a in (figures.numerator, figures.denominator, figures.value))
    return {
        "numerator": top,
        "denominator": bottom,
        "value": value,
        "state": indicator.get_state(value).value,
        "note": (figures.note.get(division) or "")[:200],
    }
