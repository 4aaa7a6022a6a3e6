"""Spatial look-ups in process: which polygon holds a point, which points lie in a box or near by. Vectorised.

Degrees of one system in, positions (row numbers) of the indexed arrays out; distances are geodesic metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod

__all__ = ["PointIndex", "PolygonIndex"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_GEOD = Geod(ellps="GRS80")
_CHUNK = 262_144


class PolygonIndex:
    """Polygons that are asked again and again which of them holds a point."""

    def __init__(self, polygons: Sequence[Any] | NDArray[Any]) -> None:
        self.polygons = np.asarray(polygons, dtype=object)
        shapely.prepare(self.polygons)
        self._tree = shapely.STRtree(self.polygons)

    def __len__(self) -> int:
        return len(self.polygons)

    def list_pairs(self, lon: ArrayLike, lat: ArrayLike) -> tuple[Ints, Ints]:
        """All (point, polygon) pairs where the point lies inside or on the border, ordered by polygon, then point."""
        x, y = np.atleast_1d(np.asarray(lon, dtype=float)), np.atleast_1d(np.asarray(lat, dtype=float))
        points: list[Ints] = []
        owners: list[Ints] = []
        for start in range(0, len(x), _CHUNK):
            at = slice(start, start + _CHUNK)
            point, owner = self._pairs(x[at], y[at])
            points.append(point + start)
            owners.append(owner)
        if not points:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        point, owner = np.concatenate(points), np.concatenate(owners)
        order = np.lexsort((point, owner))
        return point[order], owner[order]

    def _pairs(self, x: Floats, y: Floats) -> tuple[Ints, Ints]:
        with np.errstate(invalid="ignore"):
            usable = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        point, owner = self._tree.query(shapely.points(x[usable], y[usable]))
        point = usable[point]
        order = np.argsort(owner, kind="stable")
        point, owner = point[order], owner[order]
        kept = np.zeros(len(point), dtype=bool)
        edges = np.flatnonzero(np.diff(owner)) + 1
        for lo, hi in zip(np.r_[0, edges], np.r_[edges, len(owner)], strict=True):
            if lo < hi:
                rows = point[lo:hi]
                kept[lo:hi] = shapely.intersects_xy(self.polygons[owner[lo]], x[rows], y[rows])
        return point[kept].astype(np.int64), owner[kept].astype(np.int64)

    def locate(self, lon: ArrayLike, lat: ArrayLike) -> Ints:
        """Row of the polygon that holds each point, -1 for none; on a shared border the lower row wins."""
        size = np.atleast_1d(np.asarray(lon, dtype=float)).size
        found = np.full(size, -1, dtype=np.int64)
        point, owner = self.list_pairs(lon, lat)
        found[point[::-1]] = owner[::-1]
        return found


class PointIndex:
    """Points sorted by longitude, for boxes, neighbours and radii. Up to some millions of points.

    >>> PointIndex([115.0, 115.1], [28.0, 28.0]).list_in_box(114.9, 27.9, 115.05, 28.1)
    array([0])
    """

    def __init__(self, lon: ArrayLike, lat: ArrayLike) -> None:
        x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError("Longitudes and latitudes must be two arrays of the same length.")
        order = np.argsort(x, kind="stable")
        order = order[np.isfinite(x[order]) & np.isfinite(y[order])]
        self._order = order.astype(np.int64)
        self._x, self._y = x[order], y[order]

    def __len__(self) -> int:
        return len(self._x)

    def list_in_box(self, west: float, south: float, east: float, north: float) -> Ints:
        """Rows of the points in a box, borders included, in order of longitude."""
        return np.asarray(self._order[self._slots(west, south, east, north)])

    def _slots(self, west: float, south: float, east: float, north: float) -> Ints:
        lo = int(np.searchsorted(self._x, west, side="left"))
        hi = int(np.searchsorted(self._x, east, side="right"))
        y = self._y[lo:hi]
        return np.asarray(lo + np.flatnonzero((y >= south) & (y <= north)), dtype=np.int64)

    def list_within(self, lon: float, lat: float, metres: float) -> tuple[Ints, Floats]:
        """Rows within a distance and their distances in metres, nearest first."""
        d_lat = metres / 110_500.0  # a degree of latitude is 110.57 km at the equator and longer elsewhere
        top = min(89.9, abs(lat) + d_lat)
        d_lon = metres / (110_500.0 * np.cos(np.radians(top)))
        slots = self._slots(lon - d_lon, lat - d_lat, lon + d_lon, lat + d_lat)
        n = len(slots)
        _, _, far = _GEOD.inv(np.full(n, lon), np.full(n, lat), self._x[slots], self._y[slots])
        far = np.asarray(far, dtype=float)
        order = np.lexsort((self._order[slots], far))
        order = order[far[order] <= metres]
        return self._order[slots[order]], far[order]

    def list_nearest(self, lon: float, lat: float, k: int = 1) -> tuple[Ints, Floats]:
        """The ``k`` nearest rows (fewer when there are fewer points) and their distances in metres, nearest first."""
        k = min(k, len(self))
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0)
        radius = 100.0
        while True:
            rows, far = self.list_within(lon, lat, radius)
            if len(rows) >= k:
                return rows[:k], far[:k]
            if radius > 2.5e6:
                _, _, every = _GEOD.inv(np.full(len(self), lon), np.full(len(self), lat), self._x, self._y)
                order = np.lexsort((self._order, np.asarray(every)))[:k]
                return self._order[order], np.asarray(every, dtype=float)[order]
            radius *= 2.0 if len(rows) else 4.0
