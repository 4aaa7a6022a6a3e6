"""Who is responsible: the matrix division × kind of case, read from the division upwards."""

from zhongshu.kernel.place.models import Division
from zhongshu.security.identity.models import Organisation

from .declare import CaseKind
from .models import Responsibility

__all__ = ["find_responsible", "find_superior"]

DEPTH = 12
"""Deeper than any tree of divisions or organisations; ends the walk should one be circular."""


def find_responsible(kind: CaseKind, division_id: int | None) -> Organisation | None:
    """Return the organisation that answers for this kind of case in a division.

    The entry of the division itself wins, then that of its parent and so on; without any the organisation the kind names (`to`), or None.
    """
    chain: list[int] = []
    while division_id is not None and len(chain) < DEPTH:
        chain.append(division_id)
        division_id = Division.objects.filter(pk=division_id).values_list("parent_id", flat=True).first()
    entries = {r.division_id: r for r in Responsibility.objects.filter(case_kind=kind.name, division__in=chain).select_related("organisation")}
    nearest = next((entries[pk] for pk in chain if pk in entries), None)
    if nearest is not None:
        return nearest.organisation
    return Organisation.objects.filter(code=kind.to).first() if kind.to else None


def find_superior(organisation: Organisation | None, levels: int) -> Organisation | None:
    """Return the organisation `levels` above, or the highest there is; None where there is none above."""
    found = None
    while organisation is not None and levels > 0:
        organisation = organisation.parent
        found, levels = organisation or found, levels - 1
    return found
