"""Shapes in and out, bounded and checked; areas, boxes, label points, simpler shapes for small scales.

All coordinates are longitude, latitude in degrees of one system (WGS84 unless the caller says otherwise).
Nothing is repaired silently: a parse returns what was done to make the shape valid.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

__all__ = [
    "GeometryError",
    "Parsed",
    "compute_area_m2",
    "compute_bbox",
    "compute_label_point",
    "compute_simplify_tolerance",
    "format_geojson",
    "format_wkb",
    "parse_geojson",
    "parse_wkb",
    "simplify_coverage",
    "simplify_shape",
]

MAX_VERTICES = 200_000
MAX_BYTES = 32 * 1024 * 1024
MEAN_RADIUS_M = 6_371_008.7714  # mean radius of GRS 80, (2a + b) / 3; Moritz 2000, Geodetic Reference System 1980

_DEPTH = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_GEODS = {"sphere": Geod(a=MEAN_RADIUS_M, b=MEAN_RADIUS_M), "ellipsoid": Geod(ellps="GRS80")}


class GeometryError(ValueError):
    """A shape that cannot be taken, in words for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A valid shape and the repairs it took; ``repairs`` is empty when it came in order."""

    geometry: BaseGeometry
    repairs: tuple[str, ...] = ()


def parse_geojson(source: str | bytes | Mapping[str, Any], max_vertices: int = MAX_VERTICES, max_bytes: int = MAX_BYTES) -> Parsed:
    """Read one GeoJSON geometry or Feature (RFC 7946, all types but GeometryCollection).

    Raises :class:`GeometryError`: not JSON, unknown type, too many vertices, positions outside lon/lat, empty.
    """
    node: Any = source
    if isinstance(source, str | bytes):
        if len(source) > max_bytes:
            raise GeometryError(f"The shape has {len(source)} bytes; at most {max_bytes} are taken.")
        try:
            node = json.loads(source)
        except (ValueError, RecursionError) as error:
            raise GeometryError(f"This is not JSON: {error}.") from None
    if isinstance(node, Mapping) and node.get("type") == "Feature":
        node = node.get("geometry")
    if not isinstance(node, Mapping):
        raise GeometryError("A GeoJSON geometry or Feature is expected.")
    kind = node.get("type")
    if kind not in _DEPTH:
        raise GeometryError(f"Geometry type {kind!r} is not taken; use one of {', '.join(_DEPTH)}.")
    _check_coordinates(node.get("coordinates"), _DEPTH[kind], [max_vertices])
    try:
        shape = shapely.geometry.shape(node)
    except (ValueError, TypeError, shapely.errors.ShapelyError) as error:
        raise GeometryError(f"The {kind} cannot be built: {error}.") from None
    return _check_shape(shape)


def _check_coordinates(node: Any, depth: int, left: list[int]) -> None:
    """Walk nested positions before any geometry is built; ``left`` counts the vertices still allowed."""
    if not isinstance(node, list | tuple):
        raise GeometryError("The coordinates must be nested arrays of numbers.")
    if depth:
        for child in node:
            _check_coordinates(child, depth - 1, left)
        return
    left[0] -= 1
    if left[0] < 0:
        raise GeometryError("The shape has too many vertices.")
    if not 2 <= len(node) <= 3 or any(isinstance(v, bool) or not isinstance(v, int | float) for v in node):
        raise GeometryError(f"A position needs two or three numbers, not {str(node)[:60]}.")


def parse_wkb(data: bytes, max_vertices: int = MAX_VERTICES) -> Parsed:
    """Read one (E)WKB geometry, point to multipolygon, after walking its counts; raises :class:`GeometryError`."""
    try:
        end = _walk_wkb(data, 0, [max_vertices], inner=False)
    except (struct.error, IndexError):
        raise GeometryError("The WKB ends too early.") from None
    if end > len(data):
        raise GeometryError("The WKB ends too early.")
    if end != len(data):
        raise GeometryError(f"The WKB has {len(data) - end} bytes too many.")
    try:
        return _check_shape(shapely.from_wkb(data))
    except shapely.errors.ShapelyError as error:
        raise GeometryError(f"The WKB cannot be read: {error}.") from None


def _walk_wkb(data: bytes, at: int, left: list[int], inner: bool) -> int:
    """Step over one geometry without building it: nesting and counts are what make a WKB reader dangerous."""
    if data[at] > 1:
        raise GeometryError("The WKB's byte order mark is neither 0 nor 1.")
    order = "<" if data[at] else ">"
    (code,) = struct.unpack_from(order + "I", data, at + 1)
    at += 9 if code & 0x20000000 else 5
    kind = (code & 0x0FFFFFFF) % 1000
    iso = (code & 0x0FFFFFFF) // 1000
    width = 8 * (2 + bool(code & 0x80000000 or iso in (1, 3)) + bool(code & 0x40000000 or iso in (2, 3)))

    def count() -> int:
        return int(struct.unpack_from(order + "I", data, at)[0])

    def take(vertices: int) -> int:
        left[0] -= vertices
        if left[0] < 0:
            raise GeometryError("The shape has too many vertices.")
        return vertices * width

    if kind == 1:
        return at + take(1)
    n = count()
    at += 4
    if kind == 2:
        return at + take(n)
    if kind == 3:
        for _ in range(n):
            vertices = count()
            at += 4 + take(vertices)
        return at
    if kind in (4, 5, 6) and not inner:
        for _ in range(n):
            at = _walk_wkb(data, at, left, inner=True)
        return at
    raise GeometryError(f"WKB geometry type {kind} is not taken here.")


def _check_shape(shape: BaseGeometry) -> Parsed:
    if shape is None or shape.is_empty:
        raise GeometryError("The shape is empty.")
    repairs: list[str] = []
    if shape.has_z:
        shape = shapely.force_2d(shape)
        repairs.append("heights dropped")
    west, south, east, north = shape.bounds
    if not np.isfinite([west, south, east, north]).all():
        raise GeometryError("The shape has a coordinate that is not a finite number.")
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise GeometryError("The shape leaves longitude -180..180 or latitude -90..90; is it in metres, or lat before lon?")
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        dimension = shapely.get_dimensions(shape)
        fixed = shapely.make_valid(shape, method="structure", keep_collapsed=False)
        if fixed.is_empty or shapely.get_dimensions(fixed) != dimension:
            raise GeometryError(f"The shape is not valid and cannot be repaired: {reason}.")
        repairs.append(f"made valid: {reason}")
        shape = fixed
    return Parsed(shape, tuple(repairs))


def format_geojson(shape: BaseGeometry, digits: int = 7) -> dict[str, Any]:
    """A GeoJSON geometry as plain data, rings right-handed (RFC 7946, 3.1.6), rounded to ``digits`` decimals."""
    shape = shapely.orient_polygons(shape)
    shape = shapely.transform(shape, lambda xy: np.round(xy, digits))
    return dict(json.loads(shapely.to_geojson(shape)))


def format_wkb(shape: BaseGeometry) -> bytes:
    """Little-endian WKB without SRID, two dimensions: the form kept in records."""
    return bytes(shapely.to_wkb(shape, output_dimension=2, byte_order=1, include_srid=False))


def compute_area_m2(shape: BaseGeometry, model: Literal["sphere", "ellipsoid"] = "ellipsoid") -> float:
    """Area in square metres with geodesic edges, holes subtracted; lines and points have 0.

    ``sphere`` uses the mean radius 6 371 008.77 m, ``ellipsoid`` GRS 80 (equal to CGCS2000 at any area here).
    """
    geod = _GEODS[model]
    total = 0.0
    for part in shapely.get_parts(shape):
        if part.geom_type != "Polygon":
            continue
        total += abs(geod.polygon_area_perimeter(*part.exterior.coords.xy)[0])
        total -= sum(abs(geod.polygon_area_perimeter(*ring.coords.xy)[0]) for ring in part.interiors)
    return total


def compute_bbox(shapes: BaseGeometry | Sequence[BaseGeometry] | NDArray[Any]) -> tuple[float, float, float, float]:
    """West, south, east, north of one or many shapes; raises :class:`GeometryError` when there is nothing."""
    box = shapely.total_bounds(shapes)
    if not np.isfinite(box).all():
        raise GeometryError("There is no shape to take a box of.")
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def compute_label_point(shape: BaseGeometry) -> tuple[float, float]:
    """Where to write a name: centre of the largest circle inside the largest part (always inside, unlike a centroid)."""
    parts = shapely.get_parts(shape)
    part = parts[int(np.argmax(shapely.area(parts)))]
    if part.geom_type != "Polygon":
        point = part.interpolate(0.5, normalized=True) if part.geom_type == "LineString" else part.centroid
        return float(point.x), float(point.y)
    west, south, east, north = part.bounds
    line = shapely.maximum_inscribed_circle(part, tolerance=max(east - west, north - south) / 200.0)
    x, y = line.coords[0]
    return float(x), float(y)


def compute_simplify_tolerance(zoom: int, pixels: float = 0.5) -> float:
    """Degrees that ``pixels`` of a 256-pixel Web Mercator tile cover at a zoom."""
    return 360.0 / (256.0 * 2.0**zoom) * pixels


def simplify_shape(shape: BaseGeometry, zoom: int, pixels: float = 0.5) -> BaseGeometry:
    """One shape with the detail a zoom can show; a polygon never collapses (its box stays)."""
    simple = shapely.simplify(shape, compute_simplify_tolerance(zoom, pixels), preserve_topology=True)
    return simple if not simple.is_empty else shapely.envelope(shape)


def simplify_coverage(shapes: Sequence[BaseGeometry] | NDArray[Any], zoom: int, pixels: float = 0.5) -> NDArray[Any]:
    """Adjacent polygons simplified together: shared borders stay shared, no gaps and no overlaps appear."""
    tolerance = compute_simplify_tolerance(zoom, pixels)
    return np.asarray(shapely.coverage_simplify(np.asarray(shapes, dtype=object), tolerance))
