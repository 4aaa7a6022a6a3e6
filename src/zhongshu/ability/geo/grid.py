"""Web Mercator tiles: numbers, bounds, and the Morton order in which every tile is one contiguous run of points.

Tile scheme of OGC Two Dimensional Tile Matrix Set 2.0 (17-083r4), WebMercatorQuad: ``z/x/y`` with y from the north.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_LAT", "MAX_ZOOM", "Tile", "build_cache_key", "compute_morton", "find_tile", "to_lonlat", "to_world"]

MAX_ZOOM = 22
MAX_LAT = math.degrees(math.atan(math.sinh(math.pi)))  # 85.0511 degrees: where the square of the projection ends

_BITS = 31


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile; raises ``ValueError`` when the numbers name none."""

    z: int
    x: int
    y: int

    def __post_init__(self) -> None:
        if not 0 <= self.z <= MAX_ZOOM or not (0 <= self.x < 1 << self.z and 0 <= self.y < 1 << self.z):
            raise ValueError(f"There is no tile {self.z}/{self.x}/{self.y} (zoom 0-{MAX_ZOOM}).")

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        n = 1 << self.z
        lon, lat = to_lonlat(np.array([self.x, self.x + 1]) / n, np.array([self.y + 1, self.y]) / n)
        return float(lon[0]), float(lat[0]), float(lon[1]), float(lat[1])

    @property
    def parent(self) -> Tile | None:
        """The tile one zoom out that holds this one."""
        return Tile(self.z - 1, self.x >> 1, self.y >> 1) if self.z else None

    @property
    def morton_range(self) -> tuple[int, int]:
        """First Morton key inside and first one after it."""
        shift = 2 * (_BITS - self.z)
        key = int(_interleave(np.array([self.x], np.uint64), np.array([self.y], np.uint64))[0])
        return key << shift, (key + 1) << shift

    def __str__(self) -> str:
        return f"{self.z}/{self.x}/{self.y}"


def to_world(lon: ArrayLike, lat: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees into the unit square of Web Mercator: x east, y south, both 0-1; latitudes are cut at 85.0511."""
    sin = np.sin(np.radians(np.clip(np.asarray(lat, dtype=float), -MAX_LAT, MAX_LAT)))
    x = (np.asarray(lon, dtype=float) + 180.0) / 360.0
    return x, 0.5 - np.log((1.0 + sin) / (1.0 - sin)) / (4.0 * np.pi)


def to_lonlat(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The inverse of :func:`to_world`."""
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1.0 - 2.0 * np.asarray(y, dtype=float)))))
    return np.asarray(x, dtype=float) * 360.0 - 180.0, lat


def find_tile(lon: float, lat: float, z: int) -> Tile:
    """The tile that holds a position at a zoom."""
    x, y = to_world(lon, lat)
    last = (1 << z) - 1
    return Tile(z, min(last, max(0, int(x * (1 << z)))), min(last, max(0, int(y * (1 << z)))))


def compute_morton(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Morton keys (62 bits) of world coordinates; sorted by them, the points of any tile lie side by side."""
    top = float((1 << _BITS) - 1)
    ix = np.clip(x * (1 << _BITS), 0.0, top).astype(np.uint64)
    iy = np.clip(y * (1 << _BITS), 0.0, top).astype(np.uint64)
    return _interleave(ix, iy)


def _spread(v: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Put a zero bit between the bits of 32-bit numbers."""
    for shift, mask in (
        (16, 0x0000FFFF0000FFFF),
        (8, 0x00FF00FF00FF00FF),
        (4, 0x0F0F0F0F0F0F0F0F),
        (2, 0x3333333333333333),
        (1, 0x5555555555555555),
    ):
        v = (v | (v << np.uint64(shift))) & np.uint64(mask)
    return v


def _interleave(x: NDArray[np.uint64], y: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return _spread(x) | (_spread(y) << np.uint64(1))


def build_cache_key(layer: str, tile: Tile, generation: int | str, scope: str, variant: str = "") -> str:
    """Key of a rendered tile: changes with the data's generation, the reader's scope digest and the variant.

    Two readers share a tile only when their scopes are equal.
    """
    digest = hashlib.blake2s(f"{layer}\0{generation}\0{scope}\0{variant}".encode(), digest_size=12).hexdigest()
    return f"tile:{layer}:{tile}:{digest}"
