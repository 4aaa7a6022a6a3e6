"""The division tree as arrays: figures of leaves become figures of every division in one pass."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from django.db.models import Count, Max
from numpy.typing import ArrayLike, NDArray

from zhongshu.kernel.place import DivisionChange, DivisionTree, Edge
from zhongshu.kernel.place.models import Division, DivisionEdge, DivisionShift

__all__ = ["Tree", "list_changes", "load_tree"]


@dataclass(frozen=True)
class Tree:
    """Divisions in preorder: `ids`, `left` (their place) and `right` (excluded end), all int64 `(division,)`; `population` float64 with NaN where unknown."""

    ids: NDArray[np.int64]
    right: NDArray[np.int64]
    parent: NDArray[np.int64]
    population: NDArray[np.float64]
    order: NDArray[np.int64]

    def find(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return the places of divisions, -1 for one that is not in the tree."""
        wanted = np.asarray(ids, dtype=np.int64)
        if not len(self.ids):
            return np.full(len(wanted), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.ids, wanted, sorter=self.order), len(self.ids) - 1)
        place = self.order[at]
        return np.where(self.ids[place] == wanted, place, -1)

    def add_up(self, ids: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
        """Return for every division `(division,)` the sum of the values that lie in it; values of unknown divisions are left out."""
        place = self.find(ids)
        inside = place >= 0
        own = np.bincount(place[inside], weights=np.asarray(values, dtype=float)[inside], minlength=len(self.ids))
        sums = np.concatenate([[0], np.cumsum(own, dtype=np.longdouble)])
        return np.asarray(sums[self.right] - sums[:-1], dtype=float)

    def list_inside(self, id: int) -> list[int]:
        """Return a division and all divisions in it; empty when it is not in the tree."""
        place = int(self.find([id])[0])
        return [] if place < 0 else self.ids[place : int(self.right[place])].tolist()


def load_tree(on: date | None = None) -> Tree:
    """Return today's tree, or the tree as it was on a day by the dated memberships; kept in memory until a division changes."""
    probe = Division.history_model._default_manager.aggregate(last=Max("history_id"), until=Max("recorded_until"))
    edges = DivisionEdge.history_model._default_manager.aggregate(last=Max("history_id"), until=Max("recorded_until")) if on else {}
    key = (on, *probe.values(), *edges.values(), Division.objects.aggregate(n=Count("pk"))["n"])
    if key not in _kept:
        while len(_kept) >= 8:
            _kept.pop(next(iter(_kept)))
        _kept[key] = _build_tree(on)
    return _kept[key]


_kept: dict[tuple[object, ...], Tree] = {}


def _build_tree(on: date | None) -> Tree:
    rows = list(Division.objects.values_list("pk", "parent_id", "code", "population"))
    parents: dict[int, int | None] = {pk: parent for pk, parent, _code, _people in rows}
    if on is not None:
        dated = list(DivisionEdge.objects.values_list("child_id", "parent_id", "valid_from", "valid_until"))
        parents |= {child: None for child, *_rest in dated}
        edges = [Edge(child, parent, start or date.min, until) for child, parent, start, until in dated]
        parents |= {edge.id: edge.parent_id for edge in edges if edge.is_valid(on)}
    tree = DivisionTree([Edge(pk, parent) for pk, parent in parents.items()], on or date.max, {pk: code for pk, _p, code, _n in rows})
    people = {pk: np.nan if n is None else float(n) for pk, _p, _c, n in rows}
    ids = np.fromiter(tree.left, dtype=np.int64, count=len(tree))
    return Tree(
        ids=ids,
        right=np.fromiter((tree.right[pk] for pk in tree.left), dtype=np.int64, count=len(tree)),
        parent=np.fromiter((tree.parents[pk] or -1 for pk in tree.left), dtype=np.int64, count=len(tree)),
        population=np.fromiter((people[pk] for pk in tree.left), dtype=float, count=len(tree)),
        order=np.argsort(ids),
    )


def list_changes() -> list[DivisionChange]:
    """Return all boundary changes on record."""
    return [DivisionChange(*row) for row in DivisionShift.objects.order_by("on", "pk").values_list("source_id", "target_id", "share", "on")]
