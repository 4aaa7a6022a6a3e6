"""Where the screen stands: the division shown, the way down to it, and the highest one a viewer may see."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.place.models import Division
from zhongshu.security.access import Scope

__all__ = ["Place", "build_place", "find_place", "find_root", "list_path", "name_of"]

MOST_TOPS = 100


@dataclass(frozen=True)
class Place:
    """One division; `left` to `right` (both included) is its sub-tree."""

    pk: int
    uid: str
    name: str
    level: str
    left: int
    right: int
    population: int | None

    def inside(self, path: str = "division") -> Q:
        """Return the condition that a record lies in it, by the path to its division."""
        return Q(**{f"{path}__left__gte": self.left, f"{path}__left__lte": self.right})


def build_place(division: Division, language: str) -> Place:
    """Return a division as the screen needs it."""
    return Place(division.pk, str(division.uid), name_of(division, language), division.level, division.left, division.right, division.population)


def name_of(division: Any, language: str) -> str:
    """Return the name in a language: the English one where there is one."""
    return str(division.name_en) if language == "en" and division.name_en else str(division.name)


def find_root(scope: Scope) -> Division | None:
    """Return the highest division a scope reaches; where it reaches several beside each other, the nearest that holds them all."""
    visible = Division.objects.filter(scope.q(get_kind("kernel.Division")))
    tops = list(visible.filter(Q(parent__isnull=True) | ~Q(parent__in=visible)).order_by("left")[:MOST_TOPS])
    if len(tops) <= 1:
        return tops[0] if tops else None
    around = Division.objects.filter(left__lte=tops[0].left, right__gte=max(top.right for top in tops), left__gte=1)
    return around.order_by("-left").first() or tops[0]


def find_place(scope: Scope, uid: str | UUID) -> Division | None:
    """Return a division that the viewer may be shown: one within the scope, or one above that leads to it from the root."""
    division = Division.objects.filter(uid=uid).first()
    if division is None:
        return None
    if Division.objects.filter(scope.q(get_kind("kernel.Division")), pk=division.pk).exists():
        return division
    root = find_root(scope)
    if root is None or not (root.left <= division.left <= root.right):
        return None
    leads = Division.objects.filter(scope.q(get_kind("kernel.Division")), left__gt=division.left, left__lte=division.right)
    return division if leads.exists() else None


def list_path(division: Division, root: Division) -> list[Division]:
    """Return the way from the root down to a division, both included; only itself where the root does not hold it."""
    if not root.left <= division.left <= root.right or division.pk == root.pk:
        return [division]
    above = Division.objects.filter(left__lt=division.left, right__gte=division.right, left__gte=root.left)
    return [*above.order_by("left"), division]
