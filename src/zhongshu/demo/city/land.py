"""The ground of the demonstration city: river, ring road, cells, and the divisions grown from cells.

Cells are a Voronoi subdivision whose seeds are dense in the core and line up on both sides of river and ring road.
Every edge is made once, bent by one smooth map of the plane and used by both neighbours, so that cells tile villages,
villages towns, towns counties and counties the city exactly.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

__all__ = ["CENTRE", "Land", "build_land", "compute_river", "to_lonlat", "warp"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CENTRE = (115.30, 28.40)
"""Where on the map the invented city lies, degrees; what really is there has nothing to do with it."""

_METRE_LAT = 1 / 110_800.0
_METRE_LON = 1 / (111_320.0 * np.cos(np.radians(CENTRE[1])))
_CORE, _TOWN, _SUBURB = 4800.0, 9000.0, 14500.0
RING_RADIUS = 6300.0

SEATS = np.array([[-600.0, 2600.0], [900.0, -5200.0], [-11500.0, 9500.0], [-26000.0, -17500.0], [25500.0, 20500.0], [27500.0, -15000.0]])
"""County seats in metres from the centre, in the order of :data:`.names.COUNTIES`."""

_PULL = np.array([2.3, 2.3, 1.5, 1.0, 1.0, 1.0])  # inner districts grow more slowly than rural counties
_TOWNS = (6, 6, 6, 7, 7, 6)


def to_lonlat(xy: ArrayLike) -> Floats:
    """Metres from the centre into degrees, rounded to a centimetre."""
    xy = np.asarray(xy, dtype=float)
    return np.asarray(np.round(xy * [_METRE_LON, _METRE_LAT] + CENTRE, 7))


def warp(xy: ArrayLike) -> Floats:
    """The smooth bend of the plane that turns straight edges into landscape; metres, gentle enough never to fold."""
    xy = np.asarray(xy, dtype=float)
    x, y = xy[..., 0], xy[..., 1]
    dx = 620 * np.sin(y / 2300 + 1.1) * np.sin(x / 5200 + 0.4) + 45 * np.sin(y / 260 + x / 700)
    dy = 620 * np.sin(x / 2500 + 0.3) * np.sin(y / 4700 + 2.0) + 45 * np.sin(x / 240 - y / 650)
    far = np.clip(np.hypot(x, y) / 7000.0, 0.12, 1.0)
    return np.stack([x + dx * far, y + dy * far], axis=-1)


def compute_river(x: ArrayLike) -> Floats:
    """Northing of the river's middle line, metres, before the bend; it flows from west to east past the core."""
    x = np.asarray(x, dtype=float)
    return np.asarray(-1500 + 2100 * np.sin(x / 9000 + 0.5) + 800 * np.sin(x / 3700 + 2.0) + 0.06 * x)


def _spacing(xy: Floats, towns: Floats) -> Floats:
    """Distance between seeds, metres: blocks in the core, villages in the country."""
    r = np.hypot(xy[:, 0], xy[:, 1])
    s = np.select([r < _CORE, r < _TOWN, r < _SUBURB], [270.0, 430.0, 900.0], 2500.0)
    for seat, radius, size in ((SEATS[2:], 2400.0, 330.0), (towns, 900.0, 420.0)):
        d = np.min(np.hypot(xy[:, None, 0] - seat[:, 0], xy[:, None, 1] - seat[:, 1]), axis=1)
        s = np.where(d < radius, np.minimum(s, size), np.where(d < 1.8 * radius, np.minimum(s, 2 * size), s))
    return np.asarray(s)


def _inside(xy: Floats, seed: int) -> NDArray[np.bool_]:
    """Whether a point lies within the city's ragged limit."""
    turn = np.arctan2(xy[:, 1], xy[:, 0])
    phase = np.random.default_rng([seed, 7]).uniform(0, 2 * np.pi, 4)
    waves = zip((0.10, 0.08, 0.05, 0.03), (2, 3, 5, 9), phase, strict=True)
    limit = 37_000 * (1 + sum(a * np.sin(k * turn + p) for a, k, p in waves))
    return np.asarray(np.hypot(xy[:, 0], xy[:, 1] * 1.15) < limit)


def _lined(line: Floats, towns: Floats) -> Floats:
    """Pairs of seeds on both sides of a line, so that cell borders run along it."""
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    pairs, at = [], 0.0
    while at < length[-1]:
        here = np.array([np.interp(at, length, line[:, 0]), np.interp(at, length, line[:, 1])])
        ahead = np.array([np.interp(at + 50, length, line[:, 0]), np.interp(at + 50, length, line[:, 1])])
        step = min(float(_spacing(here[None], towns)[0]), 1000.0)
        along = ahead - here
        if not along.any():
            break
        normal = np.array([-along[1], along[0]]) / np.hypot(*along) * step * 0.45
        pairs += [here + normal, here - normal]
        at += step
    return np.array(pairs)


def _seeds(seed: int, towns: Floats) -> Floats:
    rng = np.random.default_rng([seed, 1])
    x = np.linspace(-62_000, 62_000, 1200)
    river = np.column_stack([x, compute_river(x)])
    turn = np.linspace(0, 2 * np.pi, 241)
    ring = RING_RADIUS * np.column_stack([np.cos(turn), np.sin(turn)])
    grids = []
    for size, reach, jitter in ((270.0, 6000, 0.10), (330.0, 40_000, 0.12), (420.0, 45_000, 0.15), (430.0, 9500, 0.14),
                                (660.0, 40_000, 0.2), (840.0, 45_000, 0.25), (900.0, 15_000, 0.25), (2500.0, 60_000, 0.33)):  # fmt: skip
        axis = np.arange(-reach, reach, size)
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2) + rng.uniform(-jitter, jitter, (len(axis) ** 2, 2)) * size
        turned = np.radians(9.0)
        grid = grid @ np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
        grids.append(grid[_spacing(grid, towns) == size])
    free = np.concatenate(grids)
    lines = [_lined(river, towns), _lined(ring, towns)]
    away = np.min([shapely.distance(shapely.LineString(line), shapely.points(free)) for line in (river, ring)], axis=0)
    pitch = _spacing(free, towns)
    free = free[away > np.minimum(pitch, 1000) * 0.45 + pitch * 0.35]
    ring_pairs = lines[1][np.abs(lines[1][:, 1] - compute_river(lines[1][:, 0])) > 450]
    seeds = np.concatenate([free, lines[0], ring_pairs])
    order = np.lexsort((seeds[:, 0], -np.round(seeds[:, 1], -2)))
    return seeds[order]


@dataclass(frozen=True)
class Land:
    """Cells and how they group. Arrays run over cells unless said otherwise; metres are after the bend.

    ``county``, ``town``, ``village``: group numbers; ``village_town`` and ``town_county`` lead upwards.
    ``edges`` (edge, 2) neighbouring cells (-1 outside), ``lines`` one polyline an edge in degrees.
    """

    polygons: NDArray[Any]
    metres: NDArray[Any]
    centre: Floats
    spacing: Floats
    north_bank: NDArray[np.bool_]
    county: Ints
    town: Ints
    village: Ints
    village_town: Ints
    town_county: Ints
    town_seat: Ints
    edges: Ints
    edge_nodes: Ints
    lines: NDArray[Any]
    line_metres: NDArray[Any]
    river: Any
    river_line: Any
    ring: Any


def build_land(seed: int) -> Land:
    """Lay out the ground; the same seed gives the same city to the last digit."""
    rng = np.random.default_rng([seed, 2])
    towns = _place_small_towns(rng)
    seeds = _seeds(seed, towns)
    cells = shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=shapely.box(-9e4, -9e4, 9e4, 9e4), ordered=True)
    faces = shapely.get_parts(cells)
    kept = np.flatnonzero(_inside(seeds, seed))
    edges, nodes, polylines, rings = _bend(faces[kept], seeds[kept], towns, seed)
    metres = shapely.polygons([shapely.linearrings(r) for r in rings])
    polygons = shapely.polygons([shapely.linearrings(to_lonlat(r)) for r in rings])
    seeds = seeds[kept]
    spacing = _spacing(seeds, towns)
    north = seeds[:, 1] > compute_river(seeds[:, 0])
    groups = _grow_divisions(rng, seeds, spacing, north, edges)
    x = np.linspace(-62_000, 62_000, 1500)
    line = shapely.LineString(to_lonlat(warp(np.column_stack([x, compute_river(x)]))))
    turn = np.linspace(0, 2 * np.pi, 241)
    ring = shapely.LineString(to_lonlat(warp(RING_RADIUS * np.column_stack([np.cos(turn), np.sin(turn)]))))
    outline = shapely.coverage_union_all(polygons)
    river_line = shapely.intersection(line, outline)
    river = shapely.intersection(line.buffer(130 * _METRE_LAT), outline)
    return Land(polygons, metres, shapely.get_coordinates(shapely.centroid(metres)), spacing, north, *groups, edges, nodes,
                np.array([shapely.LineString(to_lonlat(p)) for p in polylines], dtype=object),
                np.array([shapely.LineString(p) for p in polylines], dtype=object), river, river_line, ring)  # fmt: skip


def _place_small_towns(rng: np.random.Generator) -> Floats:
    """Market towns in the country, well apart from each other and from the core."""
    found: list[Floats] = []
    for point in rng.uniform(-34_000, 34_000, (2000, 2)):
        r = np.hypot(*point)
        near = [*found, *SEATS[2:]]
        if 16_000 < r < 31_000 and min(np.hypot(*(point - p)) for p in near) > 6500:
            found.append(point)
        if len(found) == 18:
            break
    return np.array(found)


def _bend(faces: NDArray[Any], seeds: Floats, towns: Floats, seed: int) -> tuple[Ints, Ints, list[Floats], list[Floats]]:
    """Shared edges of the faces, bent once each; the rings of the faces put together from them."""
    xy, owner = shapely.get_coordinates(faces, return_index=True)
    unique, vertex = np.unique(xy[:, 0] + 1j * xy[:, 1], return_inverse=True)
    same = owner[1:] == owner[:-1]
    a, b, face = vertex[:-1][same], vertex[1:][same], owner[:-1][same]
    pair = np.stack([np.minimum(a, b), np.maximum(a, b)], axis=1)
    ends, edge = np.unique(pair, axis=0, return_inverse=True)
    edge = edge.ravel()
    sides = np.full((len(ends), 2), -1, dtype=np.int64)
    first = np.unique(edge, return_index=True)[1]
    sides[:, 0] = face[first]
    rest = np.setdiff1d(np.arange(len(edge)), first)
    sides[edge[rest], 1] = face[rest]
    points = np.column_stack([unique.real, unique.imag])
    rng = np.random.default_rng([seed, 3])
    lines: list[Floats] = []
    for (u, v), step in zip(ends, np.minimum(_spacing(points[ends[:, 0]], towns), 900.0), strict=True):
        p, q = points[u], points[v]
        n = int(np.clip(np.ceil(np.hypot(*(q - p)) / (step * 0.4)), 1, 10))
        line = p + np.linspace(0, 1, n + 1)[:, None] * (q - p)
        if n > 2 and step > 500:
            normal = np.array([p[1] - q[1], q[0] - p[0]])
            line[1:-1] += normal * rng.uniform(-0.05, 0.05, (n - 1, 1))
        lines.append(warp(line))
    forward = a == ends[edge, 0]
    starts = np.searchsorted(face, np.arange(len(faces) + 1))
    rings = []
    for lo, hi in itertools.pairwise(starts):
        parts = [lines[edge[i]][:-1] if forward[i] else lines[edge[i]][:0:-1] for i in range(lo, hi)]
        rings.append(np.concatenate([*parts, parts[0][:1]]))
    return sides, ends, lines, rings


def _grow_divisions(rng: np.random.Generator, seeds: Floats, spacing: Floats, north: NDArray[np.bool_], edges: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """Counties from their seats, towns inside counties, villages inside towns, each by growing over common borders."""
    inner = edges[edges[:, 1] >= 0]
    cost = np.hypot(*(seeds[inner[:, 0]] - seeds[inner[:, 1]]).T) * np.where(north[inner[:, 0]] != north[inner[:, 1]], 25.0, 1.0)
    near: list[list[tuple[int, float]]] = [[] for _ in seeds]
    for (i, j), c in zip(inner.tolist(), cost.tolist(), strict=True):
        near[i].append((j, c))
        near[j].append((i, c))
    seats = [int(np.argmin(np.hypot(*(seeds - s).T))) for s in SEATS]
    everywhere = np.zeros(len(seeds), dtype=np.int64)
    county = _grow(near, seats, _PULL, everywhere, 0)
    town, village = np.full(len(seeds), -1), np.full(len(seeds), -1)
    town_county: list[int] = []
    village_town: list[int] = []
    town_seat: list[int] = []
    for c in range(len(SEATS)):
        mine = np.flatnonzero(county == c)
        starts = _spread_out(rng, mine, seeds, spacing, _TOWNS[c], seats[c])
        grown = _grow(near, starts, np.ones(len(starts)), county, c)
        for k, start in enumerate(starts):
            members = mine[grown[mine] == k]
            town[members] = t = len(town_county)
            town_county.append(c)
            town_seat.append(start)
            count = int(np.clip(len(members) // 11, 3, 20))
            heads = _spread_out(rng, members, seeds, spacing, count, start)
            inside = _grow(near, heads, np.ones(len(heads)), town, t)
            village[members] = inside[members] + len(village_town)
            village_town += [t] * len(heads)
    return county, town, village, np.array(village_town), np.array(town_county), np.array(town_seat)


def _spread_out(rng: np.random.Generator, members: Ints, seeds: Floats, spacing: Floats, count: int, first: int) -> list[int]:
    """Starting cells far from each other, measured in cells rather than metres."""
    chosen = [first]
    scale = np.sqrt(spacing[members])
    while len(chosen) < min(count, len(members)):
        far = np.min([np.hypot(*(seeds[members] - seeds[c]).T) for c in chosen], axis=0) / scale
        weight = far**3 * np.clip(1600 / spacing[members], 1.0, 4.0)  # rather in a market town than between two
        chosen.append(int(members[rng.choice(len(members), p=weight / weight.sum())]))
    return chosen


def _grow(near: Sequence[Sequence[tuple[int, float]]], starts: Sequence[int], pull: Floats, region: Ints, inside: int) -> Ints:
    """Give each cell of a region to the start that reaches it most cheaply; groups are connected."""
    owner = np.full(len(near), -1, dtype=np.int64)
    queue = [(0.0, k, start) for k, start in enumerate(starts)]
    heapq.heapify(queue)
    while queue:
        cost, k, cell = heapq.heappop(queue)
        if owner[cell] >= 0:
            continue
        owner[cell] = k
        for other, step in near[cell]:
            if owner[other] < 0 and region[other] == inside:
                heapq.heappush(queue, (cost + step * float(pull[k]), k, other))
    return owner
