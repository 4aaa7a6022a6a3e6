"""Writing the trail: each act one step, with the time the clock ran since the one before."""

from datetime import datetime
from typing import Any

from zhongshu.kernel.record import Actor

from .clock import compute_used_s, set_step_limit
from .declare import CaseKind
from .models import Case, CaseStep

__all__ = ["add_step", "enter_state"]


def enter_state(kind: CaseKind, case: Case, state: str, now: datetime) -> None:
    """Move the case to a state, with that state's own limit."""
    case.state_before, case.state, case.state_since = case.state, state, now
    set_step_limit(kind, case)


def add_step(
    kind: CaseKind, case: Case, act: str, by: Actor, now: datetime, *, before: str, note: str = "", late: bool = False, data: dict[str, Any] | None = None
) -> CaseStep:
    """Write one step of the trail. The case itself must be saved in the same change, so that its version tells of the step."""
    last = CaseStep.objects.filter(case_id=case.pk).order_by("-number").first()
    step = CaseStep(
        case=case,
        number=last.number + 1 if last else 1,
        at=now,
        act=act,
        by_uid=by.uid,
        by_name=by.name,
        state_from=before,
        state_to=case.state,
        note=note,
        used_s=compute_used_s(kind, before, last.at, now) if last else 0.0,
        late=late,
        data=data or {},
    )
    step.save()
    return step
