"""The small map of one record: the point, and the outlines of the divisions around it."""

from typing import Any

from django.urls import reverse
from django.utils.translation import get_language

from zhongshu.kernel.place.models import Division
from zhongshu.portal.screen.place import find_place, name_of
from zhongshu.portal.screen.shapes import compute_bounds
from zhongshu.security.access import Scope

__all__ = ["build_small_map", "print_way"]

AREAS = ("province", "city")
NEAR_LON, NEAR_LAT = 0.02, 0.015
"""Half the width and height shown where no outline is known, in degrees."""


def print_way(division: Division) -> str:
    """Return the names from the county (or what is highest) down to a division, such as "East Lake › Street 1 › Community 2"."""
    language = get_language() or ""
    above = Division.objects.filter(left__lt=division.left, right__gte=division.right, left__gte=1).exclude(level__in=AREAS).order_by("left")
    return " › ".join(name_of(each, language) for each in [*(above if division.left >= 1 else ()), division])


def build_small_map(label: str, lon: float, lat: float, things: str, division: Division | None, divisions: Scope) -> dict[str, Any]:
    """Return the map partial's context: `things` is the address of the point, `divisions` says which outlines the reader may see; without any the point stands alone."""
    bounds = f"{lon - NEAR_LON},{lat - NEAR_LAT},{lon + NEAR_LON},{lat + NEAR_LAT}"
    around = _find_around(division, divisions)
    if around is None:
        return {"label": label, "bounds": bounds, "things": things}
    scale = "aqi" if around.level in AREAS else "ramp"
    return {"label": label, "bounds": compute_bounds(around) or bounds, "things": things, "divisions": reverse("screen-divisions", args=[around.uid]), "scale": scale}


def _find_around(division: Division | None, divisions: Scope) -> Division | None:
    if division is None or not divisions:
        return None
    inner = division if division.children.exclude(shape=None).exists() else division.parent
    return find_place(divisions, inner.uid) if inner is not None else None
