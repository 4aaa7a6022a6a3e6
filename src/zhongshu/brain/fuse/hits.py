"""Results of window rules become city events; what is no longer flagged clears."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from zhongshu.brain.rule import Evaluation, Rule, RuleHit, WindowSource, evaluate_rule, plan_windows
from zhongshu.brain.rule.models import RuleProgress
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now as clock_now
from zhongshu.kernel.time import to_datetime
from zhongshu.sense.device.models import Thing

from .declare import EventRule
from .merge import clear_signal, take_signal
from .models import EventSignal, SignalSource
from .signal import Signal

__all__ = ["HISTORICAL", "run_rule"]

HISTORICAL = timedelta(hours=48)
"""Results about data older than this open no case (docs/house.md)."""


@dataclass(frozen=True)
class _Merging:
    """How results are merged where no event rule speaks of their kind: per thing, within a day."""

    name: str
    kind: str
    title: str = "{thing}: {title}"
    within_h: float = 24.0
    radius_m: float = 0.0


def run_rule(rule: Rule, source: WindowSource) -> int:
    """Evaluate the windows of a rule that are due and those that late readings touched; returns how many new signals there are.

    The lake is read and the rule runs before the transaction; signals and the rule's progress are written in one. A window evaluated again raises
    nothing twice, and takes nothing back: what people
    were told stays on the record.
    """
    name = f"{rule.name}@{rule.version}"
    progress = RuleProgress.objects.filter(pk=name).first() or RuleProgress(rule=name)
    arrivals = source.list_arrivals(progress.position)
    plan = plan_windows(rule, progress.done_to, progress.again, arrivals)
    late, new = list(evaluate_rule(rule, source, plan.late)), list(evaluate_rule(rule, source, plan.new))
    with change(SYSTEM, f"rule {rule.name}, version {rule.version}"):
        held = RuleProgress.objects.select_for_update().filter(pk=name).first() or RuleProgress(rule=name)
        if (held.position, held.done_to) != (progress.position, progress.done_to):
            return 0
        count = _write_late(rule, late) + _write_new(rule, new)
        held.done_to, held.position, held.again = plan.done_to, arrivals.position, [list(span) for span in plan.again]
        held.save()
    return count


def _take(rule: Rule, hits: Sequence[RuleHit]) -> list[RuleHit]:
    """Give new results to the events; returns those that were new."""
    if not hits:
        return []
    known = set(EventSignal.objects.filter(key__in=[hit.key for hit in hits]).values_list("key", flat=True))
    fresh = [hit for hit in hits if hit.key not in known]
    things: dict[str, dict[str, Any]] = {
        str(t["uid"]): dict(t) for t in Thing.objects.filter(uid__in={h.thing for h in fresh}).values("uid", "pk", "name", "lon", "lat", "division_id", "organisation_id")
    }
    merging = _find_merging(rule)
    for hit in fresh:
        take_signal(merging, _signal_of(rule, hit, things.get(hit.thing, {})))
    return fresh


def _find_merging(rule: Rule) -> Any:
    declared: Iterable[EventRule] = registry.list("event_rule").values()
    return next((r for r in declared if r.kind == rule.raises), None) or _Merging(rule.name, rule.raises)


def _signal_of(rule: Rule, hit: RuleHit, where: dict[str, Any]) -> Signal:
    return Signal(
        key=hit.key,
        source=SignalSource.RULE,
        subject_kind="sense.Thing",
        subject=hit.thing,
        level=hit.level,
        title=rule.title,
        started_at=to_datetime(hit.start),
        historical=to_datetime(hit.window_end) < clock_now() - HISTORICAL,
        value=hit.value,
        name=where.get("name", ""),
        thing_id=where.get("pk"),
        division_id=where.get("division_id"),
        organisation_id=where.get("organisation_id"),
        lon=where.get("lon"),
        lat=where.get("lat"),
    )


def _write_late(rule: Rule, late: Sequence[Evaluation]) -> int:
    """A window of the past that is raised late is over already, unless it reaches into one that is still flagged: then it clears with that one."""
    taken = _take(rule, [hit for evaluation in late for hit in evaluation.hits])
    going = _list_going(rule) - {(hit.stream, hit.window_start) for hit in taken}
    for hit in sorted(taken, key=lambda hit: -hit.window_start):
        if any(stream == hit.stream and hit.window_start < start <= hit.window_end for stream, start in going):
            going.add((hit.stream, hit.window_start))
        else:
            clear_signal(hit.key, to_datetime(hit.window_end))
    return len(taken)


def _write_new(rule: Rule, new: Sequence[Evaluation]) -> int:
    """Raise what is flagged, and clear what was heard in a later window and is not flagged any more; of a silent stream nothing is known."""
    going, count = _list_going(rule), 0
    for evaluation in new:
        taken = _take(rule, evaluation.hits)
        count += len(taken)
        flagged = {hit.stream for hit in evaluation.hits}
        over = {(stream, start) for stream, start in going if stream in evaluation.heard and stream not in flagged and start < evaluation.start}
        for stream, start in sorted(over):
            clear_signal(rule.key(stream, start), to_datetime(evaluation.end))
        going = (going - over) | {(hit.stream, hit.window_start) for hit in taken}
    return count


def _list_going(rule: Rule) -> set[tuple[int, int]]:
    """Return (stream, window start) of the rule's results that have not cleared."""
    mine = EventSignal.objects.filter(source=SignalSource.RULE, cleared_at=None, key__startswith=f"{rule.name}@{rule.version}/")
    parts = (key.rsplit("/", 2) for key in mine.values_list("key", flat=True))
    return {(int(stream), int(start)) for _rule, stream, start in parts}
