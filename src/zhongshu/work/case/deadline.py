"""Deadlines: what is overdue is said once, and told upwards once per level."""

import logging
from datetime import datetime

from zhongshu.kernel.job import JobRun, job
from zhongshu.kernel.record import SYSTEM, Conflict, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now as clock_now

from .clock import get_due_at, set_escalation
from .declare import CaseKind
from .events import publish_case
from .machine import CaseState
from .models import Case
from .responsible import find_superior
from .step import add_step

__all__ = ["check_deadlines"]

BATCH = 500
log = logging.getLogger(__name__)


@job("work.case.deadlines", every="30 s")
def on_deadlines(run: JobRun) -> dict[str, int]:
    """Mark what is overdue now and tell superiors; safe to run again at any point."""
    return {"marked": check_deadlines(clock_now())}


def check_deadlines(now: datetime) -> int:
    """Mark steps and cases whose limit has passed at `now`, and escalate; returns how many marks were set.

    Each case is its own small change; one that somebody works on meanwhile is left for the next run.
    """
    going = Case.objects.filter(closed_at=None).exclude(state=CaseState.SUSPENDED)
    marked = 0
    for found, mark in (
        (going.filter(step_overdue=False, step_due_at__lt=now), _mark_step),
        (going.filter(overdue=False, due_at__lt=now), _mark_case),
        (going.filter(overdue=True, escalate_at__lt=now), _escalate),
    ):
        for pk in list(found.order_by("due_at").values_list("pk", flat=True)[:BATCH]):
            try:
                with change(SYSTEM, "a limit has passed"):
                    case = found.select_for_update(of=("self",)).filter(pk=pk).first()
                    if case is not None:
                        mark(registry.get("case_kind", case.kind), case, now)
                        marked += 1
            except Conflict:
                log.info("case %s was changed meanwhile, its limits are checked again in the next run", pk)
    return marked


def _mark_step(kind: CaseKind, case: Case, now: datetime) -> None:
    case.step_overdue = True
    due = case.step_due_at.isoformat() if case.step_due_at else ""
    add_step(kind, case, "step_overdue", SYSTEM, now, before=case.state, data={"due_at": due})
    case.save()
    publish_case("work.case.changed", case, "step_overdue")


def _mark_case(kind: CaseKind, case: Case, now: datetime) -> None:
    case.overdue = True
    add_step(kind, case, "overdue", SYSTEM, now, before=case.state, data={"due_at": get_due_at(case).isoformat()})
    case.save()
    publish_case("work.case.overdue", case, "overdue", escalation=case.escalation, told="")


def _escalate(kind: CaseKind, case: Case, now: datetime) -> None:
    """Tell the next superior organisation, one level; the highest one again where there is none above it."""
    case.escalation += 1
    told = find_superior(case.organisation, case.escalation)
    case.escalated_to = told
    set_escalation(kind, case)
    data = {"level": case.escalation, "organisation": str(told.uid) if told else "", "organisation_name": told.name if told else ""}
    add_step(kind, case, "escalate", SYSTEM, now, before=case.state, data=data)
    case.save()
    publish_case("work.case.overdue", case, "escalate", escalation=case.escalation, told=data["organisation"])
