"""In which division a point lies, by the outlines on record."""

from collections.abc import Sequence

import numpy as np
import shapely

from zhongshu.kernel.place import PolygonIndex
from zhongshu.kernel.place.models import Division, DivisionLevel

__all__ = ["locate_divisions"]


def locate_divisions(lon: Sequence[float], lat: Sequence[float]) -> list[int | None]:
    """Return for each WGS84 point the database id of the deepest division whose outline holds it, None where none does; one query a level until all are found."""
    found: list[int | None] = [None] * len(lon)
    x, y = np.asarray(lon, float), np.asarray(lat, float)
    for level in reversed(DivisionLevel.values):
        left = [place for place, pk in enumerate(found) if pk is None]
        if not left:
            break
        rows = list(Division.objects.filter(level=level, shape__isnull=False).order_by("left", "id").values_list("pk", "shape"))
        if not rows:
            continue
        index = PolygonIndex(shapely.from_wkb([bytes(shape) for _pk, shape in rows if shape is not None]))
        for place, row in zip(left, index.locate(x[left], y[left]).tolist(), strict=True):
            if row >= 0:
                found[place] = rows[row][0]
    return found
