"""Layers of points for the map: what a tile shows, single points or clusters with their dominant band.

Points are kept in Morton order with running sums, so that a tile of a million points is a few binary searches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .grid import MAX_ZOOM, Tile, compute_morton, to_lonlat, to_world
from .mvt import Columns, encode_points

__all__ = ["Clusters", "PointLayer", "render_points_tile"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of one tile ``(cluster,)``: mean position, count, dominant band (ties: the higher band, usually the
    worse one), counts by band ``(cluster, band)`` and the row of one member."""

    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    count: Ints
    band: Ints
    by_band: Ints
    member: Ints


class PointLayer:
    """Points with ids and small integer bands (state, level), ready for any tile.

    ``lon`` and ``lat`` in degrees, ``bands`` 0 … ``band_count`` - 1. Rows given back are positions in the input.
    """

    def __init__(self, lon: ArrayLike, lat: ArrayLike, bands: ArrayLike | None = None, band_count: int = 1) -> None:
        x, y = to_world(lon, lat)
        keys = compute_morton(np.nan_to_num(x), np.nan_to_num(y))
        order = np.argsort(keys, kind="stable")
        order = order[np.isfinite(x[order]) & np.isfinite(y[order])]
        self._set(order.astype(np.int64), keys[order], x[order], y[order])
        self._size, self.band_count = len(x), band_count
        self.set_bands(np.zeros(len(x), np.uint8) if bands is None else bands)

    def _set(self, order: Ints, keys: NDArray[np.uint64], x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        self._order, self._keys, self._x, self._y = order, keys, x, y
        self._sum_x, self._sum_y = _running(x), _running(y)

    def __len__(self) -> int:
        return len(self._keys)

    def set_bands(self, bands: ArrayLike) -> None:
        """Take new bands (the live state); positions stay sorted."""
        every = np.asarray(bands, dtype=np.uint8)
        if len(every) != self._size:
            raise ValueError(f"{len(every)} bands for {self._size} points.")
        self._bands = every
        mine = every[self._order]
        if len(mine) and int(mine.max()) >= self.band_count:
            raise ValueError(f"Band {int(mine.max())} in a layer of {self.band_count} bands.")
        self._by_band = np.zeros((len(mine) + 1, self.band_count), dtype=np.int32)
        for band in range(self.band_count):
            np.cumsum(mine == band, out=self._by_band[1:, band])

    def narrow(self, mask: NDArray[np.bool_]) -> PointLayer:
        """The layer of the rows a reader may see; the mask has one value a row of the input."""
        kept = mask[self._order]
        layer = object.__new__(PointLayer)
        layer._set(self._order[kept], self._keys[kept], self._x[kept], self._y[kept])
        layer._size, layer.band_count = self._size, self.band_count
        layer.set_bands(self._bands)
        return layer

    def _range(self, tile: Tile) -> tuple[int, int]:
        lo, hi = np.searchsorted(self._keys, np.array(tile.morton_range, dtype=np.uint64))
        return int(lo), int(hi)

    def count(self, tile: Tile) -> int:
        """Points in a tile."""
        lo, hi = self._range(tile)
        return hi - lo

    def list_in_tile(self, tile: Tile, buffer: float = 0.0) -> Ints:
        """Rows in a tile and in a margin of ``buffer`` tile widths (at most 1) around it, in ascending order."""
        if not buffer:
            lo, hi = self._range(tile)
            return np.sort(self._order[lo:hi])
        last, n = (1 << tile.z) - 1, 1 << tile.z
        found = []
        for x in range(max(0, tile.x - 1), min(last, tile.x + 1) + 1):
            for y in range(max(0, tile.y - 1), min(last, tile.y + 1) + 1):
                lo, hi = self._range(Tile(tile.z, x, y))
                dx, dy = self._x[lo:hi] * n - tile.x, self._y[lo:hi] * n - tile.y
                near = (dx >= -buffer) & (dx < 1 + buffer) & (dy >= -buffer) & (dy < 1 + buffer)
                found.append(self._order[lo:hi][near])
        return np.sort(np.concatenate(found))

    def cluster(self, tile: Tile, splits: int = 3) -> Clusters:
        """Clusters on a grid of ``2**splits`` by ``2**splits`` squares in a tile; neighbours' grids meet."""
        splits = min(splits, MAX_ZOOM + 6 - tile.z)
        start, end = tile.morton_range
        edges = np.linspace(0, end - start, 4**splits + 1).astype(np.uint64) + np.uint64(start)
        at = np.searchsorted(self._keys, edges)
        lo, hi = at[:-1], at[1:]
        used = hi > lo
        lo, hi = lo[used], hi[used]
        count = (hi - lo).astype(np.int64)
        lon, lat = to_lonlat((self._sum_x[hi] - self._sum_x[lo]) / count, (self._sum_y[hi] - self._sum_y[lo]) / count)
        by_band = (self._by_band[hi] - self._by_band[lo]).astype(np.int64)
        band = self.band_count - 1 - np.argmax(by_band[:, ::-1], axis=1)
        return Clusters(lon, lat, count, band.astype(np.int64), by_band, self._order[lo])

    def get_positions(self, rows: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitudes and latitudes of rows of this layer."""
        if not hasattr(self, "_slot"):
            self._slot = np.full(self._size, -1, dtype=np.int64)
            self._slot[self._order] = np.arange(len(self._order))
        slots = self._slot[rows]
        return to_lonlat(self._x[slots], self._y[slots])


def render_points_tile(name: str, layer: PointLayer, tile: Tile, ids: NDArray[Any], columns: Columns, max_points: int = 2000) -> bytes:
    """A vector tile of a layer: single points with attributes while there are at most ``max_points``, else clusters.

    ``ids`` and ``columns`` are indexed by the layer's rows. Clusters carry ``count``, ``band`` and ``n0`` … (count by
    band), their feature id is that of one member; single points carry ``band`` and the columns.
    """
    if layer.count(tile) > max_points:
        c = layer.cluster(tile)
        attributes: dict[str, Any] = {"count": c.count, "band": c.band}
        attributes |= {f"n{b}": c.by_band[:, b] for b in range(layer.band_count)}
        return encode_points(name, tile, c.lon, c.lat, np.asarray(ids)[c.member], attributes)
    rows = layer.list_in_tile(tile, buffer=1 / 64)
    lon, lat = layer.get_positions(rows)
    chosen = {key: _take(column, rows) for key, column in columns.items()}
    return encode_points(name, tile, lon, lat, np.asarray(ids)[rows], {"band": layer._bands[rows], **chosen})


def _take(column: Any, rows: Ints) -> Any:
    return column[rows] if isinstance(column, np.ndarray) else column.take(rows)


def _running(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(v)])
