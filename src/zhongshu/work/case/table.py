"""Cases as a table for figures: one row per case, what its trail says in columns."""

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from django.db.models import Count, Q, QuerySet, Sum

from zhongshu.kernel.time import to_us

from .machine import CaseState
from .models import Case, CaseStep

__all__ = ["CASES", "build_case_table", "case_table"]

CASES = pa.schema(
    [
        ("case_uid", pa.string()),
        ("case_no", pa.string()),
        ("kind", pa.string()),
        ("division", pa.int64()),
        ("organisation", pa.int64()),
        ("level", pa.string()),
        ("state", pa.string()),
        ("opened_at", pa.int64()),
        ("closed_at", pa.int64()),
        ("due_at", pa.int64()),
        ("first_due_at", pa.int64()),
        ("on_time", pa.bool_()),
        ("used_s", pa.float64()),
        ("acting_s", pa.float64()),
        ("late_steps", pa.int64()),
        ("rework", pa.int64()),
        ("returns", pa.int64()),
        ("extensions", pa.int64()),
        ("suspensions", pa.int64()),
    ]
)
"""One row per case. Times in µs UTC, null where there is none; `division` and `organisation` are database ids.

`on_time`: closed no later than the limit in force then; null while open or void. `used_s`: the case's clock over all steps, `acting_s` in the state
acting, both in seconds of the kind's clock (a working
day is 86,400). Counts are of steps: `late_steps` that ended a state after its limit, checks that failed, returns, extensions, suspensions.
"""


def case_table(kind: str, start: datetime, end: datetime, by: str = "closed_at") -> pa.Table:
    """Return the cases of a kind ("" all) with the schema `CASES`, in two queries.

    They are chosen by `by` (`opened_at`, `closed_at` or `due_at`), from `start` until before `end`.
    """
    if by not in ("opened_at", "closed_at", "due_at"):
        raise ValueError(f"cases are chosen by opened_at, closed_at or due_at, not {by!r}")
    found = Case.objects.filter(**{f"{by}__gte": start, f"{by}__lt": end})
    return build_case_table(found.filter(kind=kind) if kind else found)


def build_case_table(cases: QuerySet[Case]) -> pa.Table:
    """Return these cases with the schema `CASES`, sorted by id."""
    names = ("pk", "uid", "case_no", "kind", "division_id", "organisation_id", "level", "state", "opened_at", "closed_at", "due_at", "first_due_at")
    rows = list(cases.order_by("pk").values_list(*names))
    pks, uids, *columns = (list(column) for column in zip(*rows, strict=True)) if rows else ([] for _ in names)
    plain, times = columns[:6], [[None if at is None else to_us(at) for at in column] for column in columns[6:]]
    closed = np.array([state == CaseState.CLOSED for state in plain[5]], dtype=bool)
    in_time = [bool(c) if ended else None for c, ended in zip(_in_time(times[1], times[2]), closed, strict=True)]
    arrays = [[str(uid) for uid in uids], *plain, *times, in_time, *_read_steps(cases, pks)]
    return pa.table([pa.array(values, field.type) for values, field in zip(arrays, CASES, strict=True)], schema=CASES)


def _in_time(closed: list[int | None], due: list[int | None]) -> np.ndarray:
    late = np.array([np.nan if at is None else at for at in closed], dtype=float) > np.array([np.inf if at is None else at for at in due], dtype=float)
    return np.asarray(~late)


def _read_steps(cases: QuerySet[Case], pks: list[int]) -> list[Any]:
    """Return per case what its steps add up to, in the order of `pks`."""
    counts = {"rework": Q(act="fail"), "returns": Q(act="return"), "extensions": Q(act="extend"), "suspensions": Q(act="suspend"), "late_steps": Q(late=True)}
    grouped = CaseStep.objects.filter(case__in=cases.order_by().values("pk")).order_by().values("case_id")
    sums = {"all_s": Sum("used_s"), "in_acting_s": Sum("used_s", filter=Q(state_from=CaseState.ACTING))}
    found = {row["case_id"]: row for row in grouped.annotate(**sums, **{f"n_{name}": Count("pk", filter=which) for name, which in counts.items()})}
    keys = ("all_s", "in_acting_s", "n_late_steps", "n_rework", "n_returns", "n_extensions", "n_suspensions")
    return [[found[pk][key] or 0 for pk in pks] for key in keys]
