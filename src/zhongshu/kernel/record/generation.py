"""A cheap counter per record kind: has anything of it been written since I last looked?"""

from typing import Any

from django.db.models import Count, Max

from .model import Record

__all__ = ["get_generation", "list_written_since"]


def get_generation(kind: type[Record]) -> tuple[int, int]:
    """Return (last history row, number of records): it moves with every write and removal of the kind. Two index look-ups, no scan of the history."""
    last = kind.history_model._default_manager.aggregate(last=Max("history_id"))["last"]
    return int(last or 0), int(kind._default_manager.aggregate(n=Count("pk"))["n"])


def list_written_since(kind: type[Record], generation: tuple[int, int], limit: int) -> list[int] | None:
    """Return the ids written after a generation, or None where there are more than `limit` of them; removed records are not told."""
    rows: Any = kind.history_model._default_manager.filter(history_id__gt=generation[0])
    found = list(rows.values_list("record_id", flat=True)[: limit + 1])
    return None if len(found) > limit else sorted(set(found))
