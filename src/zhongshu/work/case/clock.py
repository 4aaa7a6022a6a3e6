"""The clocks of a case: when limits end, what was used, what is left when the clock is stopped."""

from datetime import datetime

from zhongshu.kernel.time import LimitUnit, to_us

from .declare import CaseKind, TimeLimit, parse_limit
from .machine import CaseState
from .models import Case

__all__ = ["compute_left_s", "compute_used_s", "extend_limits", "get_due_at", "resume_limits", "set_escalation", "set_step_limit", "set_total_limit", "stop_limits"]

HOUR_S, DAY_S = 3600.0, 86_400.0


def compute_used_s(kind: CaseKind, state: str, start_at: datetime, end_at: datetime) -> float:
    """Seconds the case's clock ran between two moments spent in `state`: none while suspended; never negative, should the wall clock be set back."""
    if state == CaseState.SUSPENDED:
        return 0.0
    return max(0.0, compute_left_s(kind, start_at, end_at))


def compute_left_s(kind: CaseKind, now: datetime, due_at: datetime, limit: TimeLimit | None = None) -> float:
    """Seconds from `now` to `due_at` on the clock of a limit (the total one unless given); negative when past. A working day counts 86,400 s."""
    unit = (limit or kind.limit).unit
    return float(kind.calendar.elapsed([to_us(now)], [to_us(due_at)], unit)[0]) / 1e6


def set_total_limit(kind: CaseKind, case: Case) -> None:
    """Set the limit from opening to closing, and the first escalation."""
    case.due_at = case.first_due_at = _deadline(kind, case.opened_at, kind.limit)
    set_escalation(kind, case)


def set_step_limit(kind: CaseKind, case: Case) -> None:
    """Set the limit of the state the case has just entered; ended cases have none."""
    limit = kind.step_limit(case.state)
    case.step_due_at = _deadline(kind, case.state_since, limit) if limit else None
    case.step_overdue = False


def extend_limits(kind: CaseKind, case: Case, extra: TimeLimit) -> None:
    """Move the total limit and the step's by `extra`, counted on from where they end."""
    case.due_at = _deadline(kind, get_due_at(case), extra)
    if case.step_due_at:
        case.step_due_at = _deadline(kind, case.step_due_at, extra)
        case.step_overdue = False
    set_escalation(kind, case)


def stop_limits(kind: CaseKind, case: Case, now: datetime) -> None:
    """Stop the clocks and keep what is left; a limit that is past stays where it was."""
    step = kind.step_limit(case.state)
    case.due_left = compute_left_s(kind, now, get_due_at(case))
    case.step_left = compute_left_s(kind, now, case.step_due_at, step) if case.step_due_at else None
    if case.due_left > 0:
        case.due_at = None
    case.step_due_at = case.escalate_at = None


def resume_limits(kind: CaseKind, case: Case, now: datetime) -> None:
    """Start the clocks again with what was left."""
    if case.due_left is not None and case.due_left > 0:
        case.due_at = _deadline(kind, now, _seconds(case.due_left, kind.limit.unit))
    step = kind.step_limit(case.state)
    if step and case.step_left is not None:
        case.step_due_at = _deadline(kind, now, _seconds(max(case.step_left, 0.0), step.unit))
    case.due_left = case.step_left = None
    set_escalation(kind, case)


def set_escalation(kind: CaseKind, case: Case) -> None:
    """Set when the case is told to the next superior organisation: the next level's time after the total limit, or never again."""
    more = case.escalation < len(kind.escalation)
    case.escalate_at = _deadline(kind, get_due_at(case), parse_limit(kind.escalation[case.escalation])) if more else None


def get_due_at(case: Case) -> datetime:
    """Return when the total limit ends; raises `ValueError` for a case whose clock is stopped."""
    if case.due_at is None:
        raise ValueError(f"the clock of case {case.case_no} is stopped")
    return case.due_at


def _seconds(left: float, unit: LimitUnit) -> TimeLimit:
    return TimeLimit(left / (DAY_S if unit == LimitUnit.WORKING_DAYS else HOUR_S), unit)


def _deadline(kind: CaseKind, start_at: datetime, limit: TimeLimit) -> datetime:
    found = kind.calendar.deadline(start_at, limit.amount, limit.unit).at
    if found is None:
        raise ValueError("a limit without suspension always ends")
    return found
