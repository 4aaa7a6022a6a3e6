"""What waits for a person: the first page of the desk."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q

from zhongshu.brain.rule import LEVELS
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now as clock_now
from zhongshu.security.identity.models import User

from .declare import CaseKind
from .machine import DOING, CaseState
from .models import Case, CaseStep
from .rights import filter_cases

__all__ = ["TodoRow", "list_todo"]


@dataclass(frozen=True)
class TodoRow:
    """One case that waits for this person; `due_at` is the nearer of the step's and the total limit, `left_s` the seconds until then (negative: past)."""

    case_uid: str
    version: int
    case_no: str
    kind: str
    kind_label: str
    title: str
    level: str
    state: str
    state_label: str
    organisation: str
    division: str
    assignee: str
    opened_at: datetime
    due_at: datetime | None
    left_s: float | None
    overdue: bool
    escalation: int
    rework: int
    lon: float | None
    lat: float | None


def list_todo(user: User, limit: int = 200) -> tuple[TodoRow, ...]:
    """Return the cases that wait for this person, most urgent first.

    These are: assigned to them; to be taken or assigned, where they may; to be checked, where they may and did not work on it; returned, where they
    dispatch. Sorted overdue before not, then by what is due first, then by
    level. Only the `limit` cases that are due first are looked at.
    """
    now = clock_now()
    found = Case.objects.filter(_waiting_for(user), filter_cases(user, "view")).select_related("organisation", "division", "assignee")
    cases = found.order_by("-overdue", "-step_overdue", F("due_at").asc(nulls_last=True), "id")[:limit]
    rows = [_row_of(case, now) for case in cases]
    return tuple(sorted(rows, key=lambda r: (not r.overdue, r.left_s if r.left_s is not None else float("inf"), -LEVELS.index(r.level), r.case_no)))


def _waiting_for(user: User) -> Q:
    worked = Q(Exists(CaseStep.objects.filter(case_id=OuterRef("pk"), act__in=DOING, by_uid=str(user.uid))))
    return (
        Q(assignee=user, state__in=[CaseState.ASSIGNED, CaseState.ACTING])
        | (Q(state=CaseState.OPENED) & filter_cases(user, "act"))
        | (Q(state=CaseState.ACCEPTED) & filter_cases(user, "assign"))
        | (Q(state=CaseState.RETURNED) & filter_cases(user, "dispatch"))
        | (Q(state=CaseState.CHECKING) & filter_cases(user, "check") & ~Q(assignee=user) & ~worked)
    )


def _row_of(case: Case, now: datetime) -> TodoRow:
    kind: CaseKind | None = registry.find("case_kind", case.kind)
    dues = [due for due in (case.step_due_at, case.due_at) if due is not None]
    due = min(dues) if dues else None
    return TodoRow(
        case_uid=str(case.uid),
        version=case.version,
        case_no=case.case_no,
        kind=case.kind,
        kind_label=str(kind.label) if kind else case.kind,
        title=case.title,
        level=case.level,
        state=case.state,
        state_label=str(CaseState(case.state).label),
        organisation=str(case.organisation or ""),
        division=str(case.division or ""),
        assignee=str(case.assignee or ""),
        opened_at=case.opened_at,
        due_at=due,
        left_s=(due - now).total_seconds() if due else None,
        overdue=case.overdue or case.step_overdue or bool(due and due < now),
        escalation=case.escalation,
        rework=case.rework,
        lon=case.lon,
        lat=case.lat,
    )
