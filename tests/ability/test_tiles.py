"""Tiles decoded back by an independent library, clusters against counting by hand."""

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.ability.geo import (
    EXTENT,
    PointLayer,
    Tile,
    build_cache_key,
    encode_points,
    encode_shapes,
    find_tile,
    render_points_tile,
    to_lonlat,
    to_world,
)


def decode(data: bytes) -> dict:
    return mapbox_vector_tile.decode(data, default_options={"y_coord_down": True})


def test_tile_numbers_of_a_known_place():
    # central meridian and equator by definition; 116.391 E 39.907 N lies in 12/3372/1552 (slippy-map formula by hand)
    assert Tile(0, 0, 0).bounds == pytest.approx((-180, -85.0511287798, 180, 85.0511287798))
    assert find_tile(116.391, 39.907, 12) == Tile(12, 3372, 1552)
    west, south, east, north = Tile(12, 3372, 1552).bounds
    assert west < 116.391 < east and south < 39.907 < north
    with pytest.raises(ValueError, match="no tile"):
        Tile(3, 8, 0)


@given(st.floats(-180, 179.999), st.floats(-85, 85), st.integers(0, 20))
def test_the_tile_of_a_position_holds_it(lon, lat, z):
    tile = find_tile(lon, lat, z)
    west, south, east, north = tile.bounds
    assert west - 1e-9 <= lon <= east + 1e-9 and south - 1e-9 <= lat <= north + 1e-9
    assert np.allclose(to_lonlat(*to_world(lon, lat)), (lon, lat), atol=1e-9)
    assert PointLayer([lon], [lat]).count(tile) == 1


def test_points_come_back_with_place_id_and_attributes():
    tile = find_tile(115.3, 28.4, 10)
    west, south, east, north = tile.bounds
    lon, lat = np.array([west, (west + east) / 2, 115.3]), np.array([north, (south + north) / 2, 28.4])
    data = encode_points(
        "things", tile, lon, lat, [1, 300, 2**40],
        {"name": ["甲", None, "丙"], "value": [1.5, np.nan, -2.0], "level": [0, -7, 300_000], "on": [True, False, True]},
    )  # fmt: skip
    layer = decode(data)["things"]
    assert layer["extent"] == EXTENT and layer["version"] == 2
    first, second, third = layer["features"]
    assert [f["id"] for f in layer["features"]] == [1, 300, 2**40]
    assert first["geometry"] == {"type": "Point", "coordinates": [0, 0]}
    assert first["properties"] == {"name": "甲", "value": 1.5, "level": 0, "on": True}
    assert second["properties"] == {"level": -7, "on": False}
    assert third["properties"]["level"] == 300_000
    assert second["geometry"]["coordinates"][0] == 2048


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 200))
def test_any_point_layer_decodes_to_what_went_in(seed, n):
    rng = np.random.default_rng(seed)
    tile = find_tile(115.3, 28.4, 8)
    west, south, east, north = tile.bounds
    lon, lat = rng.uniform(west - 0.1, east + 0.1, n), rng.uniform(south, north, n)
    ids = rng.integers(0, 2**62, n)
    value = rng.integers(-(2**40), 2**40, n)
    features = decode(encode_points("p", tile, lon, lat, ids, {"v": value}))["p"]["features"]
    assert [f["id"] for f in features] == ids.tolist()
    assert [f["properties"]["v"] for f in features] == value.tolist()
    x = np.rint((to_world(lon, lat)[0] * 256 - tile.x) * EXTENT)
    assert [f["geometry"]["coordinates"][0] for f in features] == x.astype(int).tolist()


def test_polygons_and_lines_are_clipped_and_keep_their_area_and_holes():
    tile = find_tile(115.3, 28.4, 9)
    west, south, east, north = tile.bounds
    w, h = east - west, north - south
    inside = shapely.box(west + 0.2 * w, south + 0.2 * h, west + 0.6 * w, south + 0.6 * h)
    holed = inside.difference(shapely.box(west + 0.3 * w, south + 0.3 * h, west + 0.4 * w, south + 0.4 * h))
    beyond = shapely.box(west - 5 * w, south - 5 * h, east + 5 * w, north + 5 * h)
    away = shapely.box(east + w, north + h, east + 2 * w, north + 2 * h)
    line = shapely.LineString([(west - w, south + h / 2), (east + w, south + h / 2)])
    shapes = [holed, beyond, away, line]
    features = decode(encode_shapes("areas", tile, shapes, [1, 2, 3, 4], {"name": ["a", "b", "c", "d"]}))["areas"]["features"]
    assert [f["properties"]["name"] for f in features] == ["a", "b", "d"]
    back = [shapely.geometry.shape(f["geometry"]) for f in features]
    assert back[0].area / EXTENT**2 == pytest.approx(0.16 - 0.01, rel=0.02)
    assert len(features[0]["geometry"]["coordinates"]) == 2
    assert back[1].bounds == (-64, -64, EXTENT + 64, EXTENT + 64)
    assert back[2].length == pytest.approx(EXTENT + 128, rel=0.01)


def test_too_many_vertices_are_refused():
    with pytest.raises(ValueError, match="Too much"):
        encode_shapes("a", Tile(0, 0, 0), [shapely.LineString(np.zeros((600_000, 2)))], [1], {})


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_clusters_count_every_point_once_and_name_the_dominant_band(seed, z):
    rng = np.random.default_rng(seed)
    lon, lat = rng.normal(115.3, 0.2, 3000), rng.normal(28.4, 0.2, 3000)
    bands = rng.integers(0, 4, 3000)
    layer = PointLayer(lon, lat, bands, 4)
    tile = find_tile(115.3, 28.4, z)
    c = layer.cluster(tile)
    west, south, east, north = tile.bounds
    inside = (lon >= west) & (lon < east) & (lat > south) & (lat <= north)
    assert c.count.sum() == inside.sum() == layer.count(tile)
    assert c.by_band.sum(axis=0).tolist() == np.bincount(bands[inside], minlength=4).tolist()
    assert (c.by_band[np.arange(len(c.band)), c.band] == c.by_band.max(axis=1)).all()
    assert layer.list_in_tile(tile).tolist() == np.flatnonzero(inside).tolist()


def test_a_reader_sees_only_points_of_his_scope():
    rng = np.random.default_rng(2)
    lon, lat = rng.uniform(115, 116, 5000), rng.uniform(28, 29, 5000)
    mask = rng.random(5000) < 0.3
    layer = PointLayer(lon, lat, rng.integers(0, 3, 5000), 3).narrow(mask)
    seen = np.concatenate([layer.list_in_tile(Tile(8, x, y)) for x in range(200, 225) for y in range(100, 115)])
    assert sorted(seen) == np.flatnonzero(mask).tolist()
    assert layer.cluster(Tile(0, 0, 0)).count.sum() == mask.sum()
    layer.set_bands(np.full(5000, 2))
    assert layer.cluster(Tile(0, 0, 0)).by_band[:, 2].sum() == mask.sum()


def test_a_crowded_tile_is_clustered_and_a_quiet_one_shows_points():
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(115, 116, 5000), rng.uniform(28, 29, 5000)
    ids, names = np.arange(5000) + 10, np.array([f"t{i}" for i in range(5000)], dtype=object)
    layer = PointLayer(lon, lat, np.zeros(5000), 2)
    crowd = decode(render_points_tile("things", layer, find_tile(115.5, 28.5, 6), ids, {"name": names}))["things"]
    assert sum(f["properties"]["count"] for f in crowd["features"]) == layer.count(find_tile(115.5, 28.5, 6))
    quiet = decode(render_points_tile("things", layer, find_tile(115.5, 28.5, 13), ids, {"name": names}))["things"]
    for feature in quiet["features"]:
        assert feature["properties"]["name"] == f"t{feature['id'] - 10}"
    assert len(quiet["features"]) >= layer.count(find_tile(115.5, 28.5, 13)) > 0


def test_the_margin_brings_points_of_the_neighbour():
    tile = find_tile(115.5, 28.5, 13)
    west, _, east, _ = tile.bounds
    lon, lat = [west - (east - west) * 0.01, west - (east - west) * 0.1], [28.5, 28.5]
    layer = PointLayer(lon, lat)
    assert layer.count(tile) == 0
    assert layer.list_in_tile(tile, buffer=1 / 64).tolist() == [0]


def test_tiles_of_different_scopes_are_not_shared():
    tile = Tile(3, 1, 2)
    keys = {build_cache_key("things", tile, g, s) for g in (1, 2) for s in ("a", "b")}
    assert len(keys) == 4 and build_cache_key("things", tile, 1, "a") in keys
