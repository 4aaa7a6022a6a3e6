"""Scope: which rows somebody may see or touch, as one frozen value with three compilers that must agree."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from zhongshu.kernel.derive import KindSpec
from zhongshu.security.classify import DataClass, get_class

__all__ = ["NOTHING", "Clause", "Interval", "Row", "Scope", "get_row", "list_paths"]

Interval = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """What rights look at in a row: left numbers of its division and organisation (None or below 1: has none) and its data class."""

    division: int | None
    organisation: int | None
    level: int = DataClass.INTERNAL


@dataclass(frozen=True)
class Clause:
    """One grant: inclusive intervals of left numbers (None: everywhere; empty: nowhere), the highest class, the verbs it gives on the kind, and what for."""

    divisions: tuple[Interval, ...] | None
    organisations: tuple[Interval, ...] | None
    ceiling: int
    verbs: frozenset[str] = frozenset()
    purpose: str = ""

    def allows(self, row: Row) -> bool:
        """Tell whether the row lies inside."""
        return row.level <= self.ceiling and _lies_in(self.divisions, row.division) and _lies_in(self.organisations, row.organisation)


@dataclass(frozen=True)
class Scope:
    """A union of clauses. No clause: nothing at all."""

    clauses: tuple[Clause, ...] = ()

    @property
    def purpose(self) -> str:
        """What the rights were given for."""
        return "; ".join(dict.fromkeys(c.purpose for c in self.clauses if c.purpose))

    def __bool__(self) -> bool:
        """Whether there is any clause; a scope with clauses may still match no row."""
        return bool(self.clauses)

    def allows(self, row: Row) -> bool:
        """Tell whether one row lies inside."""
        return any(clause.allows(row) for clause in self.clauses)

    def ceiling_of(self, row: Row) -> DataClass | None:
        """Return the highest class readable in this row: only of clauses the row lies in, so that a wide right elsewhere uncovers nothing here. None: row not visible."""
        found = [clause.ceiling for clause in self.clauses if clause.allows(row)]
        return DataClass(max(found)) if found else None

    def verbs_of(self, row: Row) -> frozenset[str]:
        """Return everything that may be done to this row by the clauses it lies in."""
        return frozenset().union(*(clause.verbs for clause in self.clauses if clause.allows(row)))

    def q(self, kind: KindSpec) -> Q:
        """Compile for the records database. A clause restricted by a tree that the kind has no path to matches nothing."""
        paths, level = list_paths(kind), get_class(kind.level)
        parts = [_clause_q(clause, paths) for clause in self.clauses if level <= clause.ceiling]
        return reduce(or_, parts) if parts else Q(pk__in=[])

    def sql(self, division_column: str | None, organisation_column: str | None, class_column: str | None, level: int = DataClass.INTERNAL) -> tuple[str, list[int]]:
        """Compile for DuckDB: a boolean expression in parentheses with `?` marks, and its parameters.

        Columns hold left numbers and class ranks and are trusted names, never input. None for a column: a clause restricted by it matches nothing; without a class
        column all rows have `level`.
        """
        params: list[int] = []
        parts = [_clause_sql(clause, (division_column, organisation_column), class_column, level, params) for clause in self.clauses]
        return f"({' OR '.join(parts) or 'FALSE'})", params

    def mask(self, division_left: NDArray[Any], organisation: NDArray[Any], level: NDArray[Any]) -> NDArray[np.bool_]:
        """Compile for arrays of equal shape `(row,)` of left numbers (below 1: has none) and class ranks; returns a bool array `(row,)`."""
        out = np.zeros(np.shape(level), dtype=bool)
        for clause in self.clauses:
            inside = level <= clause.ceiling
            for spans, column in ((clause.divisions, division_left), (clause.organisations, organisation)):
                if spans is not None:
                    inside &= reduce(or_, ((column >= max(low, 1)) & (column <= high) for low, high in spans), np.zeros(np.shape(level), dtype=bool))
            out |= inside
        return out


NOTHING = Scope()


def list_paths(kind: KindSpec) -> tuple[str | None, str | None]:
    """Return the query paths of a kind to the left numbers of its division and organisation (`division__left`; `left` where the record is one itself)."""
    return _left(kind.scope_division), _left(kind.scope_organisation)


def get_row(kind: KindSpec, record: Any) -> Row:
    """Return what rights look at in a record; follows its paths, so load lists with `select_related` or annotate `list_paths`."""
    division, organisation = (_follow(record, path) for path in list_paths(kind))
    return Row(division, organisation, get_class(kind.level))


def _left(path: str) -> str | None:
    if not path:
        return None
    return "left" if path == "self" else f"{path.replace('.', '__')}__left"


def _follow(record: Any, path: str | None) -> int | None:
    found = record if path else None
    for name in (path or "").split("__") if path else ():
        found = getattr(found, name) if found is not None else None
    return found


def _lies_in(spans: tuple[Interval, ...] | None, left: int | None) -> bool:
    return spans is None or (left is not None and left >= 1 and any(low <= left <= high for low, high in spans))


def _clause_q(clause: Clause, paths: Iterable[str | None]) -> Q:
    out = Q(pk__isnull=False)
    for spans, path in zip((clause.divisions, clause.organisations), paths, strict=True):
        if spans is not None:
            if path is None or not spans:
                return Q(pk__in=[])
            out &= reduce(or_, (Q(**{f"{path}__gte": max(low, 1), f"{path}__lte": high}) for low, high in spans))
    return out


def _clause_sql(clause: Clause, columns: Iterable[str | None], class_column: str | None, level: int, params: list[int]) -> str:
    parts, values = [], []
    for spans, column in zip((clause.divisions, clause.organisations), columns, strict=True):
        if spans is not None:
            if column is None or not spans:
                return "FALSE"
            parts.append("(" + " OR ".join(f"{column} BETWEEN ? AND ?" for _ in spans) + ")")
            values += [number for low, high in spans for number in (max(low, 1), high)]
    if class_column is not None:
        parts.append(f"{class_column} <= ?")
        values.append(int(clause.ceiling))
    elif level > clause.ceiling:
        return "FALSE"
    params += values
    return f"({' AND '.join(parts)})" if parts else "TRUE"
