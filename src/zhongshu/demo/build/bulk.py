"""Many records at once, in pieces that fit into memory, with history and trail like any others."""

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from zhongshu.kernel.record import Actor, Record

__all__ = ["BUILDER", "WHY", "create_records"]

BUILDER = Actor("system", "zhongshu demo")
WHY = "demonstration city"
PIECE = 20_000
R = TypeVar("R", bound=Record)


def create_records(model: type[R], rows: Iterable[R], piece: int = PIECE) -> int:
    """Insert records inside the open change, `piece` at a time; returns how many."""
    made, source = 0, iter(rows)
    while part := list(islice(source, piece)):
        model.objects.bulk_create(part)  # type: ignore[attr-defined]
        made += len(part)
    return made
