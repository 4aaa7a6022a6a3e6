"""Unit-grid cells (单元网格) of city management: their codes, and a first cut of a community into cells.

Source: GB/T 30428.1-2013 (its text was not at hand; structure and order of the code are stated alike by the Beijing
standard that applies it, DB11 "division of unit grid cells", 5.2-5.4: six digits county, three street or town, three
community or village, three serial; serials run west to east, then north to south inside the community).
A cell belongs to one community, cells leave no gap and do not overlap, and measure about 100 m by 100 m in
built-up land (professional memory for the size: it is a parameter here). Not to be mixed up with the BeiDou grid
location code of GB/T 39409.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from .geometry import GeometryError, compute_area_m2

__all__ = ["Cell", "CellCode", "cut_cells", "format_cell_code", "parse_cell_code"]

MAX_CELLS = 999
_SNAP = 1e-9  # degrees, 0.1 mm: neighbouring blocks are cut on one grid so that their corners are equal


@dataclass(frozen=True, slots=True)
class CellCode:
    """The 15 digits of a cell, taken apart."""

    county: str
    town: str
    community: str
    serial: int

    def __str__(self) -> str:
        return f"{self.community}{self.serial:03d}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One unit-grid cell: code, polygon (degrees) and area."""

    code: str
    polygon: Polygon
    area_m2: float


def parse_cell_code(text: str) -> CellCode:
    """Take a 15-digit cell code apart; raises ``ValueError`` with the reason.

    >>> parse_cell_code("360702001001007").community
    '360702001001'
    """
    if not re.fullmatch(r"[0-9]{15}", text):
        raise ValueError(f"A cell code has 15 digits; {text!r} has {len(text)} characters.")
    if text[12:] == "000":
        raise ValueError("Serial 000 is not a cell; serials run from 001.")
    if text[6:9] == "000" or text[9:12] == "000":
        raise ValueError(f"{text} names no street or no community: a cell belongs to a community.")
    return CellCode(text[:6], text[:9], text[:12], int(text[12:]))


def format_cell_code(community: str, serial: int) -> str:
    """Community code (12 digits) and serial (1-999) as a cell code; raises ``ValueError``."""
    if not re.fullmatch(r"[0-9]{12}", community):
        raise ValueError(f"A community code has 12 digits, not {community!r}.")
    if not 1 <= serial <= MAX_CELLS:
        raise ValueError(f"A community holds cells 001 to 999; {serial} does not fit.")
    return str(parse_cell_code(f"{community}{serial:03d}"))


def cut_cells(polygon: BaseGeometry, community: str, size_m: float = 100.0, least_share: float = 0.25) -> list[Cell]:
    """Cut a community's polygon into blocks of about ``size_m`` metres, numbered west to east, north to south.

    Blocks smaller than ``least_share`` of a full one join the neighbour with the longest common border. A draft to
    work on, to be moved to streets and walls by hand. Raises :class:`GeometryError` when more than 999 would result.
    """
    if polygon.is_empty or not polygon.is_valid:
        raise GeometryError("The community's polygon is empty or not valid.")
    blocks = _cut_blocks(polygon, size_m)
    full = _block_degrees(polygon, size_m)
    shapes = _join_slivers(blocks, least_share * full[0] * full[1])
    if len(shapes) > MAX_CELLS:
        raise GeometryError(f"{len(shapes)} cells of {size_m:g} m do not fit one community (999); use larger cells.")
    shapes = _order_rows(shapes, polygon, full[1])
    return [Cell(format_cell_code(community, i), s, compute_area_m2(s)) for i, s in enumerate(shapes, 1)]


def _block_degrees(polygon: BaseGeometry, size_m: float) -> tuple[float, float]:
    lat = math.radians(polygon.centroid.y)
    d_lat = size_m / (111_132.954 - 559.822 * math.cos(2 * lat))  # metres a degree, usual series for WGS 84
    return size_m / (111_412.84 * math.cos(lat) - 93.5 * math.cos(3 * lat)), d_lat


def _cut_blocks(polygon: BaseGeometry, size_m: float) -> list[Polygon]:
    west, south, east, north = polygon.bounds
    d_lon, d_lat = _block_degrees(polygon, size_m)
    columns, rows = math.ceil((east - west) / d_lon), math.ceil((north - south) / d_lat)
    if columns * rows > 100 * MAX_CELLS:
        raise GeometryError(f"The polygon is too large for blocks of {size_m:g} m.")
    x, y = np.meshgrid(west + d_lon * np.arange(columns), south + d_lat * np.arange(rows))
    boxes = shapely.box(x.ravel(), y.ravel(), x.ravel() + d_lon, y.ravel() + d_lat)
    shapely.prepare(polygon)
    boxes = boxes[shapely.intersects(polygon, boxes)]
    cut = shapely.intersection(boxes, polygon, grid_size=_SNAP)
    parts = shapely.get_parts(cut)
    return [p for p in parts if p.geom_type == "Polygon" and not p.is_empty]


def _join_slivers(blocks: list[Polygon], least: float) -> list[Polygon]:
    """Join small blocks, smallest first, to the neighbour they share most border with; areas in square degrees."""
    shapes: dict[int, Any] = dict(enumerate(blocks))
    tree = shapely.STRtree(blocks)
    home = list(range(len(blocks)))

    def root(i: int) -> int:
        while home[i] != i:
            home[i] = home[home[i]]
            i = home[i]
        return i

    near: dict[int, set[int]] = {i: set() for i in shapes}
    for a, b in zip(*tree.query(blocks, predicate="intersects"), strict=True):
        if a != b:
            near[int(a)].add(int(b))
    for i in sorted(shapes, key=lambda i: (blocks[i].area, i)):
        here = root(i)
        if shapes[here].area >= least:
            continue
        others = {root(j) for j in near[here]} - {here}
        shared = {j: shapely.intersection(shapes[here], shapes[j], grid_size=_SNAP).length for j in sorted(others)}
        best = max(shared, key=lambda j: (shared[j], -j), default=None)
        if best is None or shared[best] <= 0:
            continue
        merged = shapely.union(shapes[here], shapes[best], grid_size=_SNAP)
        if merged.geom_type != "Polygon":
            continue
        shapes[best] = merged
        near[best] |= near[here]
        home[here] = best
        del shapes[here]
    return [shapes[i] for i in sorted(shapes)]


def _order_rows(shapes: list[Polygon], polygon: BaseGeometry, d_lat: float) -> list[Polygon]:
    north = polygon.bounds[3]
    return sorted(shapes, key=lambda s: (math.floor((north - s.centroid.y) / d_lat), s.centroid.x, -s.centroid.y))
