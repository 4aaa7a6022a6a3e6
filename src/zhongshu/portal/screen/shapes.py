"""Outlines of the children of one division, simplified for the zoom at which they are shown, kept until a division changes."""

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from zhongshu.kernel.place import compute_bbox, format_geojson, simplify_coverage
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import get_generation

from .place import name_of

__all__ = ["Outline", "Outlines", "compute_bounds", "get_outlines"]

SHOWN_PIXELS = 1100
DIGITS = 6
KEPT = 256


@dataclass(frozen=True)
class Outline:
    """One child: its identity, its interval, and its geometry as GeoJSON text."""

    pk: int
    uid: str
    name: str
    name_en: str
    level: str
    left: int
    right: int
    lon: float | None
    lat: float | None
    geometry: str

    def name_in(self, language: str) -> str:
        """Return the name in a language."""
        return name_of(self, language)


@dataclass(frozen=True)
class Outlines:
    """The children of a division in their order, and the generation of divisions they were read at."""

    generation: tuple[int, int]
    children: tuple[Outline, ...]


_kept: "OrderedDict[int, Outlines]" = OrderedDict()
_lock = Lock()


def get_outlines(division: int) -> Outlines:
    """Return the outlines of a division's children; one query while nothing changed."""
    generation = get_generation(Division)
    with _lock:
        found = _kept.get(division)
        if found is not None and found.generation == generation:
            _kept.move_to_end(division)
            return found
    made = Outlines(generation, tuple(_read_children(division)))
    with _lock:
        _kept[division] = made
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made


def compute_bounds(division: Division) -> str:
    """Return "west,south,east,north" of a division's outline, of its children where it has none itself, or an empty text."""
    shapes = [division.shape] if division.shape else list(division.children.exclude(shape=None).values_list("shape", flat=True))
    if not shapes:
        return ""
    west, south, east, north = compute_bbox(_parse(shapes))
    return f"{west:.6f},{south:.6f},{east:.6f},{north:.6f}"


def _read_children(division: int) -> list[Outline]:
    rows = list(Division.objects.filter(parent_id=division).exclude(shape=None).order_by("left", "code"))
    if not rows:
        return []
    simple = _simplify(_parse([row.shape for row in rows]))
    texts = [json.dumps(format_geojson(shape, DIGITS), separators=(",", ":")) for shape in simple]
    return [Outline(row.pk, str(row.uid), row.name, row.name_en, row.level, row.left, row.right, row.lon, row.lat, text) for row, text in zip(rows, texts, strict=True)]


def _parse(shapes: list[Any]) -> NDArray[Any]:
    return np.asarray(shapely.from_wkb([bytes(shape) for shape in shapes]))


def _simplify(shapes: NDArray[Any]) -> NDArray[Any]:
    west, south, east, north = compute_bbox(shapes)
    width = max(east - west, (north - south) * 1.3, 1e-6)
    zoom = math.ceil(math.log2(360.0 / width * SHOWN_PIXELS / 256))
    return simplify_coverage(shapes, min(max(zoom, 0), 22))
