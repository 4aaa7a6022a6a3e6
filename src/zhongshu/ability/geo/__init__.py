"""Maps as a technical service: tile numbers, vector tiles, clusters. Knows no record and no pack."""

from .grid import MAX_ZOOM, Tile, build_cache_key, compute_morton, find_tile, to_lonlat, to_world
from .layer import LayerSpec, build_layer
from .mvt import EXTENT, encode_points, encode_shapes
from .tiles import Clusters, PointLayer, render_points_tile

__all__ = [
    "EXTENT",
    "MAX_ZOOM",
    "Clusters",
    "LayerSpec",
    "PointLayer",
    "Tile",
    "build_cache_key",
    "build_layer",
    "compute_morton",
    "encode_points",
    "encode_shapes",
    "find_tile",
    "render_points_tile",
    "to_lonlat",
    "to_world",
]
