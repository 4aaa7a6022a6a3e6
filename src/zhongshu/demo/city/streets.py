"""Streets along cell borders, roads between towns, buildings with addresses."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from .land import SEATS, Land, to_lonlat, warp
from .names import NamePool

__all__ = ["build_buildings", "build_streets"]

_STRAIGHT = np.cos(np.radians(38.0))


def build_streets(seed: int, land: Land) -> pa.Table:
    """Named streets as ``(street, name_zh, name_en, rank, wkb)``; rank ``ring``, ``highway``, ``arterial``, ``street``.

    Borders between closely set cells are strung together at crossings where they go straight on.
    """
    pool = NamePool(np.random.default_rng([seed, 11]))
    rows: list[tuple[str, str, str, Any]] = [("汀澜环路", "Tinglan Ring Road", "ring", land.ring)]
    for seat in SEATS[2:]:
        zh, en = pool.take()
        path = warp(np.linspace([0.0, 800.0], seat, 60))
        rows.append((f"{zh}公路", f"{en} Highway", "highway", shapely.LineString(to_lonlat(path))))
    for t, seat_cell in enumerate(land.town_seat):
        county = int(land.town_county[t])
        if county >= 2 and np.hypot(*(land.centre[seat_cell] - SEATS[county])) > 3000:
            zh, en = pool.take()
            start = SEATS[county]
            middle = (start + land.centre[seat_cell]) / 2 + np.array([600.0, -400.0]) * (-1) ** t
            curve = _bezier(start, middle, land.centre[seat_cell])
            rows.append((f"{zh}线", f"{en} Road", "arterial", shapely.LineString(to_lonlat(curve))))
    for line, length in _list_strokes(land):
        zh, en = pool.take()
        wide = length > 2600
        rows.append((zh + ("大道" if wide else "路" if length > 900 else "街"), en + (" Avenue" if wide else " Road" if length > 900 else " Street"),
                     "arterial" if wide else "street", line))  # fmt: skip
    zh_names, en_names, ranks, shapes = zip(*rows, strict=True)
    return pa.table(
        {
            "street": pa.array(range(len(rows)), pa.int32()),
            "name_zh": pa.array(zh_names),
            "name_en": pa.array(en_names),
            "rank": pa.array(ranks).dictionary_encode(),
            "wkb": pa.array(shapely.to_wkb(np.array(shapes, dtype=object)), pa.binary()),
        }
    )


def _bezier(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.linspace(0, 1, 40)[:, None]
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c


def _list_strokes(land: Land) -> list[tuple[Any, float]]:
    """Chains of urban cell borders and their lengths in metres."""
    both = land.edges[:, 1] >= 0
    pitch = np.where(both, np.maximum(land.spacing[land.edges[:, 0]], land.spacing[land.edges[:, 1]]), np.inf)
    bank = both & (land.north_bank[land.edges[:, 0]] != land.north_bank[land.edges[:, 1]])
    lengths = shapely.length(land.line_metres)
    urban = np.flatnonzero((pitch <= 450) & ~bank & (lengths > 60))
    at_node: dict[int, list[int]] = defaultdict(list)
    heading: dict[tuple[int, int], NDArray[np.float64]] = {}
    for e in urban.tolist():
        xy = shapely.get_coordinates(land.line_metres[e])
        for node, step in ((int(land.edge_nodes[e, 0]), xy[1] - xy[0]), (int(land.edge_nodes[e, 1]), xy[-2] - xy[-1])):
            at_node[node].append(e)
            heading[e, node] = step / np.hypot(*step)
    onward = _pair_straight(at_node, heading)
    strokes = []
    seen: set[int] = set()
    for e in urban.tolist():
        if e in seen:
            continue
        chain: list[int] = [e]
        seen.add(e)
        for side in (0, 1):
            edge, node = e, int(land.edge_nodes[e, side])
            while (step := onward.get((edge, node))) is not None and step not in seen:
                seen.add(step)
                chain.append(step) if side else chain.insert(0, step)
                a, b = land.edge_nodes[step].tolist()
                edge, node = step, b if a == node else a
        total = float(lengths[chain].sum())
        if total >= 350:
            merged = shapely.line_merge(shapely.multilinestrings([land.lines[i] for i in chain]))
            strokes.append((merged, total))
    return strokes


def _pair_straight(at_node: dict[int, list[int]], heading: dict[tuple[int, int], NDArray[np.float64]]) -> dict[tuple[int, int], int]:
    """At each crossing join the two borders that go straightest into each other, then the next two."""
    onward: dict[tuple[int, int], int] = {}
    for node, here in at_node.items():
        turns = sorted((float(heading[a, node] @ heading[b, node]), a, b) for i, a in enumerate(here) for b in here[i + 1 :])
        used: set[int] = set()
        for straight, a, b in turns:
            if straight < -_STRAIGHT and not used & {a, b}:
                used |= {a, b}
                onward[a, node], onward[b, node] = b, a
    return onward


def build_buildings(seed: int, land: Land, streets: pa.Table, count: int) -> pa.Table:
    """Footprints in cells with floors and address: ``(building, cell, street, number, address_zh, floors, use, lon, lat, wkb)``."""
    rng = np.random.default_rng([seed, 12])
    per_side = np.select([land.spacing <= 300, land.spacing <= 450], [4, 3], 2)
    cell = np.repeat(np.arange(len(land.polygons)), per_side**2)
    slot = np.concatenate([np.arange(k * k) for k in per_side])
    side = per_side[cell]
    room = np.sqrt(shapely.area(land.metres))[cell] * np.where(land.spacing[cell] > 450, 0.12, 0.74)
    u = (np.stack([slot % side, slot // side], axis=1) + 0.5) / side[:, None] - 0.5
    size = np.minimum(room / side, 70.0)[:, None] * rng.uniform(0.35, 0.78, (len(cell), 2))
    turn = _block_angles(land)[cell] + rng.normal(0, np.where(land.spacing[cell] > 450, 0.5, 0.03))
    cos, sin = np.cos(turn), np.sin(turn)
    spread = np.stack([u[:, 0] * cos - u[:, 1] * sin, u[:, 0] * sin + u[:, 1] * cos], axis=1)
    centre = land.centre[cell] + spread * room[:, None]
    chosen = np.sort(rng.permutation(len(cell))[: min(int(count * 1.3), len(cell))])
    cell, size, centre, cos, sin = cell[chosen], size[chosen], centre[chosen], cos[chosen], sin[chosen]
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * size[:, None, :]
    across, up = corner[..., 0], corner[..., 1]
    turned = np.stack([across * cos[:, None] - up * sin[:, None], across * sin[:, None] + up * cos[:, None]], axis=-1)
    shapes = shapely.polygons(to_lonlat(centre[:, None, :] + turned))
    shapely.prepare(land.polygons)
    fits = np.flatnonzero(shapely.contains_properly(land.polygons[cell], shapes))[:count]
    cell, shapes, place = cell[fits], shapes[fits], to_lonlat(centre[fits])
    lines = shapely.from_wkb(streets["wkb"].to_numpy(zero_copy_only=False))
    points = shapely.points(place)
    nearest = shapely.STRtree(lines).query_nearest(points, all_matches=False)[1]
    along = shapely.line_locate_point(shapely.get_geometry(lines[nearest], 0), points) * 110_800
    number = (along / 12).astype(np.int64) * 2 + 1 + (place[:, 0] * 1e5).astype(np.int64) % 2
    height = np.select([land.spacing[cell] <= 300, land.spacing[cell] <= 450], [4.6, 2.4], 0.8)
    floors = np.maximum(1, rng.gamma(3.0, height)).astype(np.int64)
    uses = np.array(["housing", "office", "shop", "school", "hospital", "factory"])
    use = uses[rng.choice(6, len(cell), p=[0.68, 0.1, 0.12, 0.04, 0.01, 0.05])]
    names = np.array(streets["name_zh"].to_pylist(), dtype=object)
    address = [f"{name}{n}号" for name, n in zip(names[nearest], number, strict=True)]
    return pa.table(
        {
            "building": pa.array(np.arange(len(cell)), pa.int32()),
            "cell": pa.array(cell, pa.int32()),
            "street": pa.array(nearest, pa.int32()),
            "number": pa.array(number, pa.int32()),
            "address_zh": pa.array(address),
            "floors": pa.array(np.minimum(floors, 48), pa.int16()),
            "use": pa.array(use).dictionary_encode(),
            "lon": place[:, 0],
            "lat": place[:, 1],
            "wkb": pa.array(shapely.to_wkb(shapes), pa.binary()),
        }
    )


def _block_angles(land: Land) -> NDArray[np.float64]:
    """Direction of each cell's box of least area, radians."""
    boxes = shapely.oriented_envelope(land.metres)
    xy = shapely.get_coordinates(boxes).reshape(len(boxes), -1, 2)
    step = xy[:, 1] - xy[:, 0]
    return np.arctan2(step[:, 1], step[:, 0])
