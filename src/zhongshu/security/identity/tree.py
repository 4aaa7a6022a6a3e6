"""Numbering trees, so that a sub-tree is one interval of left numbers."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

from zhongshu.kernel.record import current_change

from .models import Organisation

__all__ = ["TreeError", "number_tree", "renumber_organisations"]

K = TypeVar("K", bound=Hashable)


class TreeError(ValueError):
    """The rows are not a forest: a circle, a missing parent, or an id twice."""


def number_tree(rows: Iterable[tuple[K, K | None]]) -> dict[K, tuple[int, int]]:
    """Number a forest of `(id, parent)` by pre-order from 1; children keep the order of the rows. Raises `TreeError`.

    `left` is unique and `right` is the largest left number below: x lies in the sub-tree of y exactly when y.left ≤ x.left ≤ y.right.

    >>> number_tree([("city", None), ("bureau", "city"), ("street", "city"), ("team", "bureau")])
    {'city': (1, 4), 'bureau': (2, 3), 'team': (3, 3), 'street': (4, 4)}
    """
    children: dict[K | None, list[K]] = {}
    known: set[K] = set()
    for key, parent in rows:
        if key in known:
            raise TreeError(f"{key} is there twice")
        known.add(key)
        children.setdefault(parent, []).append(key)
    missing = {parent for parent in children if parent is not None} - known
    if missing:
        raise TreeError(f"the parent {next(iter(missing))} is missing")
    left: dict[K, int] = {}
    right: dict[K, int] = {}
    stack: list[tuple[K, bool]] = [(key, False) for key in reversed(children.get(None, []))]
    while stack:
        key, leaving = stack.pop()
        if leaving:
            right[key] = len(left)
            continue
        left[key] = len(left) + 1
        stack.append((key, True))
        stack += [(child, False) for child in reversed(children.get(key, []))]
    if len(left) != len(known):
        raise TreeError(f"{sorted(map(str, known - left.keys()))[0]} belongs to itself in a circle")
    return {key: (number, right[key]) for key, number in left.items()}


def renumber_organisations() -> int:
    """Number all organisations again inside the open change; returns how many changed. Records read before must be read again."""
    current_change()
    rows = list(Organisation.objects.order_by("code"))
    numbers = number_tree((row.pk, row.parent_id) for row in rows)
    moved = [row for row in rows if (row.left, row.right) != numbers[row.pk]]
    for row in moved:
        row.left, row.right = numbers[row.pk]
    if moved:
        Organisation.objects.bulk_update(moved, ["left", "right"])
    return len(moved)
