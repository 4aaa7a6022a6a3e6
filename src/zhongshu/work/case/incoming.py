"""City events open cases, and tell them what happens afterwards."""

from zhongshu.brain.fuse import find_event
from zhongshu.brain.rule import LEVELS
from zhongshu.kernel.event import Event, subscribe
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now as clock_now

from .declare import CaseKind
from .events import publish_case
from .machine import ENDED
from .models import Case, CaseStep
from .open import open_case
from .step import add_step

__all__ = ["on_event_closed", "on_event_joined", "on_event_opened"]


@subscribe("brain.event.opened", "work.case.event_opened")
def on_event_opened(event: Event) -> None:
    """Open one case per kind that waits for this kind of event; a historical event opens none."""
    if not event.data["historical"]:
        for kind in _kinds_of(event):
            _open_from(kind, event, f"{event.data['event']}/{kind.name}", None)


@subscribe("brain.event.joined", "work.case.event_joined")
def on_event_joined(event: Event) -> None:
    """A further signal: a higher level goes to the case; an event that began again after its case was closed opens a new one that refers to the old."""
    data = event.data
    if data["historical"]:
        return
    for kind in _kinds_of(event):
        last = Case.objects.filter(event_uid=data["event"], kind=kind.name).order_by("-id").first()
        if last is None:
            _open_from(kind, event, f"{data['event']}/{kind.name}", None)
        elif last.state not in ENDED:
            _tell(last, event)
        elif data["reopened"]:
            _open_from(kind, event, f"{data['signal']}/{kind.name}", last)


@subscribe("brain.event.closed", "work.case.event_closed")
def on_event_closed(event: Event) -> None:
    """Note on the open cases that the measured values are back within their limits. The case stays open: people close cases."""
    with change(SYSTEM, "the event is over"):
        for case in Case.objects.filter(event_uid=event.data["event"], closed_at=None).select_for_update(of=("self",)):
            _note(case, "cleared", event)


def _kinds_of(event: Event) -> list[CaseKind]:
    return [kind for kind in registry.list("case_kind").values() if kind.on == event.data["kind"]]


def _open_from(kind: CaseKind, event: Event, key: str, repeat_of: Case | None) -> None:
    data, found = event.data, find_event(event.data["event"])
    open_case(
        kind.name,
        data["title"],
        data["level"],
        SYSTEM,
        data["title"],
        key=key,
        event_uid=data["event"],
        division_id=found.division_id if found else None,
        lon=found.lon if found else None,
        lat=found.lat if found else None,
        repeat_of=repeat_of,
    )


def _tell(case: Case, event: Event) -> None:
    with change(SYSTEM, "the event goes on"):
        if LEVELS.index(event.data["level"]) > LEVELS.index(case.level):
            case.level, case.title = event.data["level"], event.data["title"]
            _note(case, "worse", event)
        elif event.data["reopened"]:
            _note(case, "again", event)


def _note(case: Case, act: str, event: Event) -> None:
    """Write what the event says on the case, once per fact."""
    if CaseStep.objects.filter(case_id=case.pk, data__fact=event.uid).exists():
        return
    kind: CaseKind = registry.get("case_kind", case.kind)
    facts = {"fact": event.uid, "level": event.data["level"], "ended_at": event.data.get("ended_at", "")}
    add_step(kind, case, act, SYSTEM, clock_now(), before=case.state, data=facts)
    case.save()
    publish_case("work.case.changed", case, act)
