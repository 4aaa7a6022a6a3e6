"""Administrative divisions as pure functions: codes, dated codes, trees with intervals, closures, boundary changes.

A division is a surrogate id whose meaning never changes; its code, name and parent have validity. Ranges of dates are
half-open: ``valid_from`` is the first day, ``valid_until`` the first day no longer (``None``: still).
"""

from __future__ import annotations

import datetime as dt
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ClosureRow",
    "DatedCode",
    "DatedCodes",
    "DivisionChange",
    "DivisionCode",
    "DivisionError",
    "DivisionTree",
    "Edge",
    "Level",
    "Reattributed",
    "build_closure",
    "parse_division_code",
    "reattribute",
]

ALWAYS = dt.date.min

_PROVINCES = frozenset(map(str, (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82)))
_INVENTED = "99"  # never assigned by GB/T 2260; the demo city lives here


class DivisionError(ValueError):
    """A division code, tree or change that contradicts itself, in words for the person who sent it."""


class Level(StrEnum):
    """Level of a division; the values are kept in records."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWN = "town"
    VILLAGE = "village"
    CELL = "cell"


_LENGTHS = {2: Level.PROVINCE, 4: Level.CITY, 6: Level.COUNTY, 9: Level.TOWN, 12: Level.VILLAGE, 15: Level.CELL}


@dataclass(frozen=True, slots=True)
class DivisionCode:
    """A code without padding: 2 province, 4 city, 6 county, 9 town, 12 village or community, 15 cell digits."""

    digits: str
    level: Level

    @property
    def parent(self) -> DivisionCode | None:
        """The code one level up, by its digits (a real parent may differ: directly governed counties).

        Towns of a city without counties (东莞 4419, 441900003) have the city as parent.
        """
        levels = list(_LENGTHS)
        at = levels.index(len(self.digits))
        return parse_division_code(self.digits[: levels[at - 1]]) if at else None

    @property
    def printed(self) -> str:
        """As printed in GB/T 2260 and statistics: six digits down to the county, all digits below it."""
        return self.digits.ljust(6, "0")

    @property
    def is_invented(self) -> bool:
        """Whether the code lies in the range of the demonstration city, which no real place uses."""
        return self.digits.startswith(_INVENTED)

    @property
    def town_kind(self) -> str | None:
        """``street``, ``town``, ``township`` or ``enterprise`` by the town digits (GB/T 10114), else ``None``."""
        if len(self.digits) < 9:
            return None
        number = int(self.digits[6:9])
        steps = ((99, "street"), (199, "town"), (399, "township"), (599, "enterprise"))
        return next((kind for last, kind in steps if 1 <= number <= last), None)


def parse_division_code(text: str) -> DivisionCode:
    """Check and shorten a GB/T 2260 / GB/T 10114 code; trailing zeros of a padded code are dropped.

    Raises :class:`DivisionError`. It checks form and province, not whether the division exists on some day:
    printed lists are stale, see :class:`DatedCodes`.

    >>> parse_division_code("360700").digits, parse_division_code("360783000000").level
    ('3607', <Level.COUNTY: 'county'>)
    """
    if not re.fullmatch(r"[0-9]+", text) or len(text) not in _LENGTHS:
        raise DivisionError(f"A division code has 2, 4, 6, 9, 12 or 15 digits, not {text!r}.")
    digits = text
    if len(digits) in (6, 9, 12):
        for shorter in (9, 6, 4, 2):
            if len(digits) > shorter and set(digits[shorter:]) == {"0"}:
                digits = digits[:shorter]
    if digits[:2] not in _PROVINCES and digits[:2] != _INVENTED:
        raise DivisionError(f"{text} begins with {digits[:2]}, which is no province of GB/T 2260.")
    cuts = [c for c in _LENGTHS if 2 < c <= len(digits)]
    for start, end in zip([2, *cuts], cuts, strict=False):
        if set(digits[start:end]) == {"0"} and not (end == 6 and len(digits) > 6):
            raise DivisionError(f"{text} has zeros in the middle: the {_LENGTHS[end]} is missing.")
    return DivisionCode(digits, _LENGTHS[len(digits)])


@dataclass(frozen=True, slots=True)
class DatedCode:
    """One code of one division while it was valid."""

    id: int
    code: str
    valid_from: dt.date = ALWAYS
    valid_until: dt.date | None = None


class DatedCodes:
    """Look-up between codes and ids on a day. One id has one code a day, one code one id a day."""

    def __init__(self, rows: Iterable[DatedCode]) -> None:
        self._by_code: dict[str, list[DatedCode]] = defaultdict(list)
        self._by_id: dict[int, list[DatedCode]] = defaultdict(list)
        for row in sorted(rows, key=lambda r: r.valid_from):
            for group, name in ((self._by_code[row.code], "code"), (self._by_id[row.id], "division")):
                if group and (group[-1].valid_until is None or group[-1].valid_until > row.valid_from):
                    raise DivisionError(f"Two rows for {name} {row.code if name == 'code' else row.id} overlap in time.")
                group.append(row)

    def find_id(self, code: str, on: dt.date) -> int | None:
        """Id of a code on a day, or ``None``."""
        row = _find_valid(self._by_code.get(code, []), on)
        return row.id if row else None

    def find_code(self, id: int, on: dt.date) -> str | None:
        """Code of an id on a day, or ``None``."""
        row = _find_valid(self._by_id.get(id, []), on)
        return row.code if row else None

    def find_id_ever(self, code: str) -> int | None:
        """Id of the latest division that ever had a code: for input that uses an old list and gives no date."""
        rows = self._by_code.get(code)
        return rows[-1].id if rows else None


def _find_valid(rows: Sequence[DatedCode], on: dt.date) -> DatedCode | None:
    at = bisect_right(rows, on, key=lambda r: r.valid_from) - 1
    if at < 0:
        return None
    row = rows[at]
    return row if row.valid_until is None or on < row.valid_until else None


@dataclass(frozen=True, slots=True)
class Edge:
    """A division and its parent (``None``: a root) while that held."""

    id: int
    parent_id: int | None
    valid_from: dt.date = ALWAYS
    valid_until: dt.date | None = None

    def is_valid(self, on: dt.date) -> bool:
        """Whether the edge holds on a day."""
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)


class DivisionTree:
    """The tree of one day with preorder intervals: ``b`` lies in ``a`` exactly when left(a) <= left(b) < right(a).

    Siblings follow ``order`` (usually the code) and then the id. Raises :class:`DivisionError` on two parents the
    same day, an absent parent or a circle.
    """

    def __init__(self, edges: Iterable[Edge], on: dt.date, order: Mapping[int, str] | None = None) -> None:
        self.on = on
        self.parents: dict[int, int | None] = {}
        for edge in edges:
            if edge.is_valid(on):
                if edge.id in self.parents:
                    raise DivisionError(f"Division {edge.id} has two parents on {on}.")
                self.parents[edge.id] = edge.parent_id
        names = order or {}
        children: dict[int | None, list[int]] = defaultdict(list)
        for id, parent in self.parents.items():
            if parent is not None and parent not in self.parents:
                raise DivisionError(f"Division {id} has the parent {parent}, which does not exist on {on}.")
            children[parent].append(id)
        for group in children.values():
            group.sort(key=lambda i: (names.get(i, ""), i))
        self.children = dict(children)
        self._number()

    def _number(self) -> None:
        self.left: dict[int, int] = {}
        self.right: dict[int, int] = {}
        self.depth: dict[int, int] = {}
        stack = [(id, 0, False) for id in reversed(self.children.get(None, []))]
        while stack:
            id, depth, done = stack.pop()
            if done:
                self.right[id] = len(self.left)
                continue
            self.left[id], self.depth[id] = len(self.left), depth
            stack.append((id, depth, True))
            stack.extend((child, depth + 1, False) for child in reversed(self.children.get(id, [])))
        if len(self.left) < len(self.parents):
            lost = sorted(set(self.parents) - set(self.left))
            raise DivisionError(f"Divisions {lost[:5]} form a circle.")

    def __len__(self) -> int:
        return len(self.left)

    def get_interval(self, id: int) -> tuple[int, int]:
        """``(left, right)`` of a division, right excluded; raises ``KeyError`` when it does not exist that day."""
        return self.left[id], self.right[id]

    def is_inside(self, id: int, ancestor: int) -> bool:
        """Whether a division is ``ancestor`` or lies in it."""
        return self.left[ancestor] <= self.left[id] < self.right[ancestor]

    def list_ancestors(self, id: int) -> list[int]:
        """From the parent up to the root; raises ``KeyError`` when the division does not exist that day."""
        found: list[int] = []
        parent = self.parents[id]
        while parent is not None:
            found.append(parent)
            parent = self.parents[parent]
        return found

    def list_descendants(self, id: int) -> list[int]:
        """All divisions inside, without itself, in preorder."""
        return [*self.left][self.left[id] + 1 : self.right[id]]

    def build_intervals(self) -> list[tuple[int, int, int, int]]:
        """Rows ``(id, left, right, depth)`` in preorder, ready to store."""
        return [(id, left, self.right[id], self.depth[id]) for id, left in self.left.items()]


@dataclass(frozen=True, slots=True)
class ClosureRow:
    """``descendant`` lay in ``ancestor``, ``distance`` levels down (0: itself), during the dates given."""

    ancestor_id: int
    descendant_id: int
    distance: int
    valid_from: dt.date
    valid_until: dt.date | None


def build_closure(edges: Iterable[Edge], max_depth: int = 16) -> list[ClosureRow]:
    """Every (ancestor, descendant) pair with the dates on which it held; touching ranges are joined.

    Raises :class:`DivisionError` when a chain is deeper than ``max_depth`` (a circle in time).
    """
    up: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        up[edge.id].append(edge)
    rows: list[ClosureRow] = []
    for id, own in up.items():
        spans: dict[tuple[int, int], list[tuple[dt.date, dt.date]]] = defaultdict(list)
        stack = [(edge, id, 0, edge.valid_from, edge.valid_until or dt.date.max) for edge in own]
        for edge, node, distance, start, end in stack:
            if distance > max_depth:
                raise DivisionError(f"Division {id} has more than {max_depth} levels above it: there is a circle.")
            spans[node, distance].append((start, end))
            if edge.parent_id is None:
                continue
            for above in up.get(edge.parent_id, []):
                lo, hi = max(start, above.valid_from), min(end, above.valid_until or dt.date.max)
                if lo < hi:
                    stack.append((above, edge.parent_id, distance + 1, lo, hi))
        for (ancestor, distance), ranges in spans.items():
            rows += [ClosureRow(ancestor, id, distance, lo, None if hi == dt.date.max else hi) for lo, hi in _join(ranges)]
    return rows


def _join(ranges: list[tuple[dt.date, dt.date]]) -> list[tuple[dt.date, dt.date]]:
    joined: list[tuple[dt.date, dt.date]] = []
    for lo, hi in sorted(ranges):
        if joined and lo <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(hi, joined[-1][1]))
        else:
            joined.append((lo, hi))
    return joined


@dataclass(frozen=True, slots=True)
class DivisionChange:
    """From day ``on`` a ``share`` (0-1, of people, area or what the notice says) of one division belongs to another.

    What the changes of one day do not give away stays where it was. A mere change of code is no change here.
    """

    from_id: int
    to_id: int
    share: float
    on: dt.date


@dataclass(frozen=True, slots=True)
class Reattributed:
    """Figures in other divisions: ``row`` points into the input, ``value`` is the input's value times ``share``."""

    row: NDArray[np.int64]
    id: NDArray[np.int64]
    share: NDArray[np.float64]
    value: NDArray[np.float64]


def reattribute(ids: ArrayLike, days: ArrayLike, values: ArrayLike, changes: Iterable[DivisionChange], as_of: dt.date) -> Reattributed:
    """Carry figures (counts, sums) measured in the divisions of their day into the divisions of ``as_of``.

    ``ids`` int, ``days`` datetime64[D], ``values`` float, all of one length. Changes with day < on <= as_of apply in
    order of date. The total is kept. Means and indices cannot be carried: re-attribute numerator and denominator.
    """
    by_day: dict[dt.date, dict[int, list[DivisionChange]]] = defaultdict(lambda: defaultdict(list))
    for change in changes:
        if not 0.0 < change.share <= 1.0:
            raise DivisionError(f"A share lies above 0 and up to 1; {change} has {change.share}.")
        if change.on <= as_of:
            by_day[change.on][change.from_id].append(change)
    dates = sorted(by_day)
    for day, groups in by_day.items():
        for id, group in groups.items():
            if sum(c.share for c in group) > 1.0 + 1e-9:
                raise DivisionError(f"On {day} division {id} gives away more than all of itself.")
    owner = np.asarray(ids, dtype=np.int64)
    figure = np.asarray(values, dtype=float)
    epoch = np.searchsorted(np.array(dates, dtype="datetime64[D]"), np.asarray(days, dtype="datetime64[D]"), "right")
    pairs, inverse = np.unique(np.stack([owner, epoch]), axis=1, return_inverse=True)
    targets = [_carry(int(id), [by_day[d] for d in dates[int(e) :]]) for id, e in pairs.T]
    counts = np.array([len(t) for t in targets], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1] if len(counts) else counts
    flat_id = np.array([id for t in targets for id in t], dtype=np.int64)
    flat_share = np.array([s for t in targets for s in t.values()], dtype=float)
    group_of = inverse.ravel()
    n = counts[group_of] if len(owner) else np.empty(0, np.int64)
    row = np.repeat(np.arange(len(owner)), n)
    within = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
    at = starts[group_of][row] + within if len(row) else np.empty(0, np.int64)
    share = flat_share[at]
    return Reattributed(row, flat_id[at], share, figure[row] * share)


def _carry(id: int, steps: Sequence[Mapping[int, Sequence[DivisionChange]]]) -> dict[int, float]:
    held = {id: 1.0}
    for step in steps:
        moved: dict[int, float] = defaultdict(float)
        for owner, share in held.items():
            rest = 1.0
            for change in step.get(owner, ()):
                moved[change.to_id] += share * change.share
                rest -= change.share
            if rest > 1e-12:
                moved[owner] += share * rest
        held = dict(moved)
    return held
