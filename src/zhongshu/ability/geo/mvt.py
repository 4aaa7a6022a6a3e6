"""Mapbox Vector Tile encoder over arrays (Vector Tile Specification 2.1): points, lines and polygons.

Everything in a feature is a varint, so a layer of points is one matrix of numbers turned into bytes in a few passes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import ArrayLike, NDArray

from .grid import Tile, to_world

__all__ = ["EXTENT", "Columns", "encode_points", "encode_shapes"]

EXTENT = 4096
BUFFER = 64
MAX_FEATURES = 50_000
MAX_VERTICES = 500_000

Columns = Mapping[str, Any]
"""Attribute columns by name: NumPy arrays, sequences or Arrow arrays, one value a feature; nulls and NaN are left out."""

U64 = NDArray[np.uint64]


def encode_points(layer: str, tile: Tile, lon: ArrayLike, lat: ArrayLike, ids: ArrayLike, columns: Columns) -> bytes:
    """One tile with one layer of points; ``ids`` are unsigned integers. Points outside the tile keep their place outside."""
    x, y = to_world(lon, lat)
    n = 1 << tile.z
    px = np.rint((x * n - tile.x) * EXTENT).astype(np.int64)
    py = np.rint((y * n - tile.y) * EXTENT).astype(np.int64)
    count = len(px)
    keys, values, tags, has = _encode_columns(columns, count)
    geometry = np.stack([np.full(count, 9, np.uint64), _zigzag(px), _zigzag(py)], axis=1)
    body = _encode_fixed(np.asarray(ids, dtype=np.uint64), tags, has, geometry)
    return _encode_layer(layer, body, keys, values)


def encode_shapes(layer: str, tile: Tile, shapes: Sequence[Any] | NDArray[Any], ids: ArrayLike, columns: Columns, detail: float = 1.0) -> bytes:
    """One tile with one layer of lines or polygons, clipped to the tile and its buffer and simplified to ``detail``
    tile units (4096 a tile side). Shapes that leave nothing are dropped. Raises ``ValueError`` above 50 000 shapes
    or 500 000 vertices: simplify beforehand or ask for a deeper zoom.
    """
    parts = np.asarray(shapes, dtype=object)
    if len(parts) > MAX_FEATURES or int(shapely.get_num_coordinates(parts).sum()) > MAX_VERTICES:
        raise ValueError(f"Too much for one tile: at most {MAX_FEATURES} shapes and {MAX_VERTICES} vertices.")
    n = 1 << tile.z

    def project(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = to_world(lonlat[:, 0], lonlat[:, 1])
        return np.column_stack([(x * n - tile.x) * EXTENT, (y * n - tile.y) * EXTENT])

    flat = shapely.transform(parts, project)
    flat = shapely.simplify(flat, detail, preserve_topology=True)
    clipped = shapely.clip_by_rect(flat, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    clipped = shapely.set_precision(shapely.make_valid(clipped), 1.0)
    kept = np.flatnonzero(~shapely.is_empty(clipped))
    keys, values, tags, has = _encode_columns(columns, len(parts))
    number = np.asarray(ids, dtype=np.uint64)
    features: list[bytes] = []
    for i in kept:
        kind, geometry = _encode_geometry(clipped[i])
        if not geometry:
            continue
        tag = _varints(tags[i][has[i]])
        body = b"\x08" + _varint(int(number[i])) + b"\x12" + _varint(len(tag)) + tag
        body += b"\x18" + bytes([kind]) + b"\x22" + _varint(len(geometry)) + geometry
        features.append(b"\x12" + _varint(len(body)) + body)
    return _encode_layer(layer, b"".join(features), keys, values)


def _encode_geometry(shape: Any) -> tuple[int, bytes]:
    """Type (2 lines, 3 polygons) and command integers of a shape in whole tile units."""
    tokens: list[NDArray[np.uint64]] = []
    cursor = np.zeros(2, dtype=np.int64)
    polygons = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    if polygons:
        for polygon in polygons:
            ring_shape = shapely.orient_polygons(polygon)
            for ring in (ring_shape.exterior, *ring_shape.interiors):
                xy = shapely.get_coordinates(ring).astype(np.int64)[:-1]
                if len(xy) >= 3:
                    tokens.append(_path(xy, cursor, close=True))
                    cursor = xy[-1]
        return 3, _varints(np.concatenate(tokens)) if tokens else b""
    for line in shapely.get_parts(shape):
        if line.geom_type == "LineString":
            xy = shapely.get_coordinates(line).astype(np.int64)
            if len(xy) >= 2:
                tokens.append(_path(xy, cursor, close=False))
                cursor = xy[-1]
    return 2, _varints(np.concatenate(tokens)) if tokens else b""


def _path(xy: NDArray[np.int64], cursor: NDArray[np.int64], close: bool) -> U64:
    steps = xy - np.vstack([cursor, xy[:-1]])
    zig = _zigzag(steps.ravel())
    head = np.array([9], np.uint64)
    line = np.array([((len(xy) - 1) << 3) | 2], np.uint64)
    return np.concatenate([head, zig[:2], line, zig[2:], np.array([15] if close else [], np.uint64)])


def _encode_columns(columns: Columns, count: int) -> tuple[bytes, bytes, U64, NDArray[np.bool_]]:
    """Keys and values of a layer, and per feature the (key, value) index pairs with a mask of those present."""
    keys, values = b"", []
    tags = np.zeros((count, 2 * len(columns)), dtype=np.uint64)
    has = np.ones((count, 2 * len(columns)), dtype=bool)
    total = 0
    for k, (name, column) in enumerate(columns.items()):
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        array = column if isinstance(column, pa.Array) else pa.array(column, from_pandas=True)
        if len(array) != count:
            raise ValueError(f"Column {name!r} has {len(array)} values for {count} features.")
        if not pa.types.is_dictionary(array.type):
            array = array.dictionary_encode()
        text = name.encode()
        keys += b"\x1a" + _varint(len(text)) + text
        values += [_encode_value(v) for v in array.dictionary.to_pylist()]
        index = np.asarray(array.indices.fill_null(0)).astype(np.uint64)
        tags[:, 2 * k] = k
        tags[:, 2 * k + 1] = index + np.uint64(total)
        if array.null_count:
            has[:, 2 * k] = has[:, 2 * k + 1] = np.asarray(array.is_valid())
        total += len(array.dictionary)
    return keys, b"".join(values), tags, has


def _encode_value(value: Any) -> bytes:
    if isinstance(value, bool):
        body = b"\x38" + bytes([value])
    elif isinstance(value, int):
        body = b"\x30" + _varint(int(_zigzag(np.array([value]))[0]))
    elif isinstance(value, float):
        body = b"\x19" + struct.pack("<d", value)
    else:
        text = str(value).encode()
        body = b"\x0a" + _varint(len(text)) + text
    return b"\x22" + _varint(len(body)) + body


def _encode_fixed(ids: U64, tags: U64, has: NDArray[np.bool_], geometry: U64) -> bytes:
    """All features of a point layer: rows of varints, lengths computed backwards from the inner messages."""
    count = len(ids)
    one = np.ones((count, 1), dtype=np.uint64)
    tag_length = (_lengths(tags) * has).sum(axis=1, dtype=np.int64)[:, None].astype(np.uint64)
    geometry_length = _lengths(geometry).sum(axis=1, dtype=np.int64)[:, None].astype(np.uint64)
    inner = np.hstack([one * 0x08, ids[:, None], one * 0x12, tag_length, tags, one * 0x18, one, one * 0x22, geometry_length, geometry])
    mask = np.ones(inner.shape, dtype=bool)
    mask[:, 4 : 4 + tags.shape[1]] = has
    length = (_lengths(inner) * mask).sum(axis=1, dtype=np.int64)[:, None].astype(np.uint64)
    rows = np.hstack([one * 0x12, length, inner])
    full = np.hstack([np.ones((count, 2), dtype=bool), mask])
    return _varints(rows.ravel() if full.all() else rows[full])


def _encode_layer(name: str, features: bytes, keys: bytes, values: bytes) -> bytes:
    text = name.encode()
    body = b"\x0a" + _varint(len(text)) + text + features + keys + values
    body += b"\x28" + _varint(EXTENT) + b"\x78\x02"
    return b"\x1a" + _varint(len(body)) + body


def _zigzag(v: NDArray[np.int64]) -> U64:
    return ((v << 1) ^ (v >> 63)).astype(np.uint64)


_STEPS = np.array([1 << (7 * i) for i in range(1, 10)], dtype=np.uint64)


def _lengths(v: U64) -> NDArray[np.uint8]:
    return (np.searchsorted(_STEPS, v.ravel(), side="right") + 1).astype(np.uint8).reshape(v.shape)


def _varints(v: U64) -> bytes:
    """Base-128 varints of all numbers, one after the other."""
    if not len(v):
        return b""
    if int(v.max()) < 128:
        return v.astype(np.uint8).tobytes()
    lengths = _lengths(v)
    ends = np.cumsum(lengths, dtype=np.int64)
    out = np.empty(int(ends[-1]), dtype=np.uint8)
    starts = ends - lengths
    out[starts] = (v & np.uint64(0x7F)).astype(np.uint8) | ((lengths > 1) << 7).astype(np.uint8)
    rows = np.flatnonzero(lengths > 1)
    step = 1
    while len(rows):
        more = lengths[rows] > step + 1
        out[starts[rows] + step] = ((v[rows] >> np.uint64(7 * step)) & np.uint64(0x7F)).astype(np.uint8) | (more << 7)
        rows, step = rows[more], step + 1
    return out.tobytes()


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
