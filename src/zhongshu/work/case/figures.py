"""Indicators about cases of every kind."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from zhongshu.brain.indicator import Question, computed
from zhongshu.kernel.time import to_us

from .machine import CaseState
from .models import Case
from .table import build_case_table

__all__ = ["CLOSED_ON_TIME"]


def _should_close(question: Question) -> Q:
    """Cases closed in the period, and those whose limit fell in it while they were not closed before its end (or now)."""
    end = min(question.end, question.now)
    closed = Q(state=CaseState.CLOSED, closed_at__gte=question.start, closed_at__lt=question.end)
    missed = Q(due_at__gte=question.start, due_at__lt=end) & (Q(closed_at=None) | Q(closed_at__gte=question.end))
    return closed | (missed & ~Q(state=CaseState.VOID))


def _list_rows(question: Question, divisions: list[int]) -> dict[str, Any]:
    """Return the filter on cases behind the figure of these divisions."""
    found = Case.objects.filter(_should_close(question), division__in=divisions)
    return {"pk__in": found.values("pk")}


@computed(
    "work.case_closed_on_time",
    adds_up=True,
    kind="work.Case",
    rows=_list_rows,
    label=_("Cases closed on time"),
    unit="%",
    periods=("day", "month"),
    target=">= 0.95",
    warn=">= 0.85",
    source="GB/T 30428.4, closing in time ÷ should close; the target is local: operation centre",
)
def CLOSED_ON_TIME(question: Question) -> pa.Table:
    """Closed within the limit, of all that should have been closed: closed in the period, or past their limit in it and still open.

    Void cases count neither way; without any there is no value.
    """
    table = build_case_table(Case.objects.filter(_should_close(question), division__isnull=False))
    in_period = pc.and_kleene(pc.greater_equal(table["closed_at"], to_us(question.start)), pc.less(table["closed_at"], to_us(question.end)))
    kept = pc.fill_null(pc.and_kleene(table["on_time"], in_period), False)
    parts = pa.table({"division": table["division"], "numerator": pc.cast(kept, pa.float64()), "denominator": pa.array([1.0] * table.num_rows, pa.float64())})
    summed = parts.group_by("division").aggregate([("numerator", "sum"), ("denominator", "sum")])
    return summed.select(["division", "numerator_sum", "denominator_sum"]).rename_columns(["division", "numerator", "denominator"])
