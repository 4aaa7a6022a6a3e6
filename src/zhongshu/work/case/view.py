"""One case as pages see it: what, whose, until when, and who did what."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zhongshu.brain.fuse import EventView, find_event
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now as clock_now
from zhongshu.security.identity.models import User

from .clock import compute_left_s
from .declare import CaseKind, TimeLimit
from .machine import CaseState, get_act_label
from .models import Case
from .rights import is_allowed

__all__ = ["CaseView", "LimitView", "TrailRow", "find_case"]


@dataclass(frozen=True)
class TrailRow:
    """One act: who did what when and why, from which state to which, and the clock used since the act before."""

    number: int
    at: datetime
    act: str
    label: str
    by: str
    state_from: str
    state_to: str
    state_label: str
    note: str
    used_s: float
    late: bool
    data: dict[str, Any]


@dataclass(frozen=True)
class LimitView:
    """A limit ("total" or "step").

    `left_s` runs on the limit's own clock in `unit` (a working day is 86,400 s), negative when past. While suspended `due_at` is None and `left_s` what was left.
    """

    name: str
    unit: str
    due_at: datetime | None
    first_due_at: datetime | None
    left_s: float
    overdue: bool


@dataclass(frozen=True)
class CaseView:
    """A case with its trail (oldest first), its limits and the event behind it."""

    uid: str
    version: int
    case_no: str
    kind: str
    kind_label: str
    title: str
    level: str
    state: str
    state_label: str
    lon: float | None
    lat: float | None
    address: str
    division: str
    organisation: str
    organisation_uid: str
    assignee: str
    escalated_to: str
    escalation: int
    rework: int
    overdue: bool
    opened_at: datetime
    closed_at: datetime | None
    repeat_of: str
    limits: tuple[LimitView, ...]
    trail: tuple[TrailRow, ...]
    event: EventView | None


def find_case(uid: str, user: User) -> CaseView | None:
    """Return a case with everything a page shows of it, or None where there is none that this person may see."""
    try:
        uuid.UUID(uid)
    except ValueError:
        return None
    case = Case.objects.select_related("division", "organisation", "assignee", "escalated_to", "repeat_of").filter(uid=uid).first()
    if case is None or not is_allowed(user, ("view",), case):
        return None
    kind: CaseKind = registry.get("case_kind", case.kind)
    return CaseView(
        uid=str(case.uid),
        version=case.version,
        case_no=case.case_no,
        kind=case.kind,
        kind_label=str(kind.label),
        title=case.title,
        level=case.level,
        state=case.state,
        state_label=str(CaseState(case.state).label),
        lon=case.lon,
        lat=case.lat,
        address=case.address,
        division=str(case.division or ""),
        organisation=str(case.organisation or ""),
        organisation_uid=str(case.organisation.uid) if case.organisation else "",
        assignee=str(case.assignee or ""),
        escalated_to=str(case.escalated_to or ""),
        escalation=case.escalation,
        rework=case.rework,
        overdue=case.overdue,
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        repeat_of=str(case.repeat_of.uid) if case.repeat_of else "",
        limits=_list_limits(kind, case, clock_now()),
        trail=_list_trail(case),
        event=find_event(case.event_uid) if case.event_uid else None,
    )


def _list_limits(kind: CaseKind, case: Case, now: datetime) -> tuple[LimitView, ...]:
    at, step = case.closed_at or now, kind.step_limit(case.state)
    found = [_limit_of(kind, kind.limit, "total", case.due_at, case.due_left, at, case.overdue, case.first_due_at)]
    if step is not None and case.step_due_at:
        found.append(_limit_of(kind, step, "step", case.step_due_at, None, at, case.step_overdue, None))
    return tuple(found)


def _limit_of(kind: CaseKind, limit: TimeLimit, name: str, due_at: datetime | None, kept: float | None, at: datetime, overdue: bool, first: datetime | None) -> LimitView:
    left = compute_left_s(kind, at, due_at, limit) if due_at else kept or 0.0
    return LimitView(name, str(limit.unit), due_at, first, left, overdue or bool(due_at and at > due_at))


def _list_trail(case: Case) -> tuple[TrailRow, ...]:
    steps = case.trail.order_by("number")
    return tuple(
        TrailRow(
            s.number, s.at, s.act, str(get_act_label(s.act)), s.by_name, s.state_from, s.state_to, str(CaseState(s.state_to).label), s.note, s.used_s, s.late, s.data
        )
        for s in steps
    )
