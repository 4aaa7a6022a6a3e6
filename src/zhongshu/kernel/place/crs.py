"""The four coordinate systems a Chinese city meets, kept apart by type, and the national Gauss-Krüger grid.

A number pair without its system is a mistake of up to 700 m waiting to happen, so a :class:`Position` carries its
:class:`Crs` and nothing converts silently. Longitude comes before latitude everywhere, in degrees.

=========  ==========================================================================================================
WGS84      GNSS receivers, GeoJSON (RFC 7946), everything inside the house
CGCS2000   national system (GB 22021-2008). Its ellipsoid differs from WGS 84 by 0.1 mm at the pole and both datums
           follow the ITRF; a fixed point drifts between their epochs by 2-4 cm a year of plate motion. The house
           treats both as equal, which is right to some decimetres and is stated, not hidden.
GCJ-02     the shifted system of public maps in China (no published standard text; formula as in public
           implementations, checked against their control points)
BD-09      Baidu's second shift on top of GCJ-02 (formula as in public implementations)
=========  ==========================================================================================================
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod, Transformer

__all__ = [
    "Crs",
    "CrsMismatch",
    "GridPosition",
    "Position",
    "compute_distance_m",
    "convert",
    "find_zone",
    "from_gauss_krueger",
    "get_zone_epsg",
    "is_in_china",
    "to_gauss_krueger",
]

Floats = NDArray[np.float64]

_KRASOVSKY_A = 6378245.0  # semi-major axis used by the GCJ-02 shift, m
_KRASOVSKY_EE = 0.00669342162296594323  # its first eccentricity squared
_BD_PI = math.pi * 3000.0 / 180.0
_ELLIPSOID = Geod(ellps="GRS80")  # CGCS2000 differs by 3e-8 in 1/f: below 0.1 mm


class Crs(StrEnum):
    """Coordinate system of a longitude/latitude pair."""

    WGS84 = "WGS84"
    CGCS2000 = "CGCS2000"
    GCJ02 = "GCJ-02"
    BD09 = "BD-09"


class CrsMismatch(ValueError):
    """Two positions of different systems met in one computation; convert one of them first."""


@dataclass(frozen=True, slots=True)
class Position:
    """A point on the earth: degrees, longitude first, with its system.

    >>> Position(116.404, 39.915, Crs.WGS84).to(Crs.GCJ02).to(Crs.WGS84).round(6)
    Position(lon=116.404, lat=39.915, crs=<Crs.WGS84: 'WGS84'>)
    """

    lon: float
    lat: float
    crs: Crs = Crs.WGS84

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lon) and math.isfinite(self.lat)):
            raise ValueError(f"A position needs finite numbers, not lon {self.lon}, lat {self.lat}.")
        if not (-180.0 <= self.lon <= 180.0 and -90.0 <= self.lat <= 90.0):
            raise ValueError(f"Longitude {self.lon} or latitude {self.lat} is out of range (is the order lon, lat?).")

    def to(self, crs: Crs) -> Position:
        """The same point in another system."""
        lon, lat = convert(self.lon, self.lat, self.crs, crs)
        return Position(float(lon), float(lat), crs)

    def round(self, digits: int = 7) -> Position:
        """Rounded to ``digits`` decimals of a degree (7 is about 1 cm)."""
        return Position(round(self.lon, digits), round(self.lat, digits), self.crs)


@dataclass(frozen=True, slots=True)
class GridPosition:
    """A point on the CGCS2000 3-degree Gauss-Krüger grid, metres; Chinese maps print northing as X, easting as Y."""

    easting: float
    northing: float
    epsg: int


def is_in_china(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Whether the GCJ-02 shift applies: the rectangle that public implementations use, not the border.

    Outside it GCJ-02 and BD-09's first step equal WGS84. Neighbouring countries, Hong Kong, Macao and Taiwan lie
    partly inside it and are shifted too.
    """
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    return np.asarray((lon >= 72.004) & (lon <= 137.8347) & (lat >= 0.8293) & (lat <= 55.8271))


def convert(lon: ArrayLike, lat: ArrayLike, source: Crs, target: Crs) -> tuple[Floats, Floats]:
    """Convert arrays (or numbers) of longitudes and latitudes, any shape, degrees in and out.

    Inverse shifts are iterated until they agree with the forward formula to 1e-9 degrees (0.1 mm).
    """
    x, y = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    if source == target:
        return x, y
    if source == Crs.BD09:
        x, y = _invert(_gcj02_to_bd09, x, y)
        source = Crs.GCJ02
    if source == Crs.GCJ02 and target not in (Crs.GCJ02, Crs.BD09):
        x, y = _gcj02_to_wgs84(x, y)
        source = Crs.WGS84
    if source in (Crs.WGS84, Crs.CGCS2000) and target in (Crs.GCJ02, Crs.BD09):
        x, y = _wgs84_to_gcj02(x, y)
    if target == Crs.BD09:
        x, y = _gcj02_to_bd09(x, y)
    return x, y


def compute_distance_m(a: Position, b: Position) -> float:
    """Length of the geodesic between two positions of the same system, metres; raises :class:`CrsMismatch`."""
    if a.crs != b.crs:
        raise CrsMismatch(f"One position is {a.crs.value}, the other {b.crs.value}: convert one of them first.")
    return float(_ELLIPSOID.inv(a.lon, a.lat, b.lon, b.lat)[2])


def _shift(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The GCJ-02 shift in degrees at a WGS84 point, without the outside-China rule."""
    x, y = lon - 105.0, lat - 35.0
    pi = math.pi
    root = np.sqrt(np.abs(x))
    common = (20.0 * np.sin(6.0 * x * pi) + 20.0 * np.sin(2.0 * x * pi)) * 2.0 / 3.0
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common
    d_lat += (20.0 * np.sin(y * pi) + 40.0 * np.sin(y / 3.0 * pi)) * 2.0 / 3.0
    d_lat += (160.0 * np.sin(y / 12.0 * pi) + 320.0 * np.sin(y * pi / 30.0)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common
    d_lon += (20.0 * np.sin(x * pi) + 40.0 * np.sin(x / 3.0 * pi)) * 2.0 / 3.0
    d_lon += (150.0 * np.sin(x / 12.0 * pi) + 300.0 * np.sin(x / 30.0 * pi)) * 2.0 / 3.0
    rad = np.radians(lat)
    magic = 1.0 - _KRASOVSKY_EE * np.sin(rad) ** 2
    d_lat = np.degrees(d_lat * magic * np.sqrt(magic) / (_KRASOVSKY_A * (1.0 - _KRASOVSKY_EE)))
    d_lon = np.degrees(d_lon * np.sqrt(magic) / (_KRASOVSKY_A * np.cos(rad)))
    return d_lon, d_lat


def _wgs84_to_gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    inside = is_in_china(lon, lat)
    d_lon, d_lat = _shift(lon, np.where(inside, lat, 0.0))
    return lon + np.where(inside, d_lon, 0.0), lat + np.where(inside, d_lat, 0.0)


def _gcj02_to_wgs84(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    inside = is_in_china(lon, lat)
    safe = np.where(inside, lat, 35.0)

    def forward(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        d_lon, d_lat = _shift(x, y)
        return x + d_lon, y + d_lat

    x, y = _invert(forward, lon, safe)
    return np.where(inside, x, lon), np.where(inside, y, lat)


def _gcj02_to_bd09(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_PI)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_PI)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _invert(forward: Callable[[Floats, Floats], tuple[Floats, Floats]], lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Fixed-point inverse of a small shift; each step gains about two digits because the shift hardly varies."""
    x, y = lon, lat
    for _ in range(30):
        fx, fy = forward(x, y)
        dx, dy = lon - fx, lat - fy
        x, y = x + dx, y + dy
        if not np.size(dx) or max(np.max(np.abs(dx)), np.max(np.abs(dy))) < 1e-10:
            break
    return x, y


def find_zone(lon: float) -> int:
    """Number of the 3-degree zone (25-45) whose central meridian is nearest; raises outside 73.5-136.5 degrees."""
    zone = math.floor(lon / 3.0 + 0.5)
    if not 25 <= zone <= 45:
        raise ValueError(f"Longitude {lon} lies outside the zones 25-45 of the national 3-degree grid.")
    return zone


def get_zone_epsg(zone: int, prefixed: bool = True) -> int:
    """EPSG code of a CGCS2000 3-degree zone: 4513-4533 with the zone number before the easting, 4534-4554 without.

    >>> get_zone_epsg(38), get_zone_epsg(38, prefixed=False)
    (4526, 4547)
    """
    if not 25 <= zone <= 45:
        raise ValueError(f"There is no 3-degree zone {zone}; China uses 25 to 45.")
    return (4513 if prefixed else 4534) + zone - 25


@functools.lru_cache(maxsize=64)
def _transformer(epsg: int) -> Transformer:
    if not 4513 <= epsg <= 4554:
        raise ValueError(f"EPSG {epsg} is not a CGCS2000 3-degree Gauss-Krüger zone (4513-4554).")
    return Transformer.from_crs(4490, epsg, always_xy=True)


def to_gauss_krueger(position: Position, zone: int | None = None, prefixed: bool = True) -> GridPosition:
    """Project onto the CGCS2000 3-degree grid; the zone is the nearest unless given."""
    point = position.to(Crs.CGCS2000)
    epsg = get_zone_epsg(find_zone(point.lon) if zone is None else zone, prefixed)
    easting, northing = _transformer(epsg).transform(point.lon, point.lat)
    return GridPosition(float(easting), float(northing), epsg)


def from_gauss_krueger(grid: GridPosition) -> Position:
    """The CGCS2000 position of a grid point; raises ``ValueError`` when the easting cannot belong to the zone."""
    prefixed = grid.epsg <= 4533
    offset = grid.easting - ((grid.epsg - 4513 + 25) * 1_000_000 if prefixed else 0)
    if not 0.0 < offset < 1_000_000.0:
        raise ValueError(
            f"Easting {grid.easting} does not fit EPSG {grid.epsg}: " + ("the zone number is missing or another one." if prefixed else "it carries a zone number.")
        )
    lon, lat = _transformer(grid.epsg).transform(grid.easting, grid.northing, direction="INVERSE")
    return Position(float(lon), float(lat), Crs.CGCS2000)
