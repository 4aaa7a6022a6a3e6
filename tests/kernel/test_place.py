"""Coordinates, shapes, look-ups and cells against published points, real boundaries and properties."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.kernel.place import (
    Crs,
    CrsMismatch,
    GeometryError,
    GridPosition,
    PointIndex,
    PolygonIndex,
    Position,
    compute_area_m2,
    compute_distance_m,
    compute_label_point,
    convert,
    cut_cells,
    format_cell_code,
    format_geojson,
    format_wkb,
    from_gauss_krueger,
    get_zone_epsg,
    parse_cell_code,
    parse_geojson,
    parse_wkb,
    simplify_coverage,
    to_gauss_krueger,
)

REAL = Path(os.environ.get("ZHONGSHU_REALDATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
BOUNDARIES = REAL / "admin_divisions" / "ganzhou_city_18_counties.geojson"
needs_boundaries = pytest.mark.skipif(not BOUNDARIES.exists(), reason="real boundary polygons are not on this machine")

CHINA_LON = st.floats(74.0, 135.0)
CHINA_LAT = st.floats(3.0, 53.5)


@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [  # facts printed in the tests of public converters: wandergis/coordtransform, googollee/eviltransform, geotool
        ((116.404, 39.915), (116.41024449916938, 39.91640428150164)),
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
        ((121.0917077, 30.6107779), (121.09626935575027, 30.608604331756705)),
    ],
)
def test_gcj02_meets_published_control_points_both_ways(wgs, gcj):
    assert np.allclose(convert(*wgs, Crs.WGS84, Crs.GCJ02), gcj, rtol=0, atol=2e-7)
    assert np.allclose(convert(*gcj, Crs.GCJ02, Crs.WGS84), wgs, rtol=0, atol=2e-7)


def test_bd09_meets_published_control_points():
    forward = convert(116.404, 39.915, Crs.GCJ02, Crs.BD09)
    assert np.allclose(forward, (116.41036949371029, 39.92133699351021), rtol=0, atol=1e-12)
    # the published inverse is the one-step approximation; ours inverts exactly, some centimetres away
    assert np.allclose(convert(116.404, 39.915, Crs.BD09, Crs.GCJ02), (116.39762729119315, 39.90865673957631), rtol=0, atol=1e-6)
    chained = convert(121.0917077, 30.6107779, Crs.WGS84, Crs.BD09)
    assert np.allclose(chained, (121.10271732371203, 30.61484572185035), rtol=0, atol=1e-7)


@settings(max_examples=200)
@given(lon=CHINA_LON, lat=CHINA_LAT, source=st.sampled_from(list(Crs)), target=st.sampled_from(list(Crs)))
def test_every_pair_of_systems_returns_to_the_start(lon, lat, source, target):
    there = convert(lon, lat, source, target)
    back = convert(*there, target, source)
    assert abs(back[0] - lon) < 1e-7
    assert abs(back[1] - lat) < 1e-7


def test_outside_china_the_shift_is_nothing():
    assert Position(-0.1276, 51.5072).to(Crs.GCJ02) == Position(-0.1276, 51.5072, Crs.GCJ02)


def test_positions_of_two_systems_do_not_mix():
    with pytest.raises(CrsMismatch, match="convert one"):
        compute_distance_m(Position(116, 39), Position(116, 39, Crs.GCJ02))
    assert compute_distance_m(Position(116, 39), Position(116, 39).to(Crs.CGCS2000).to(Crs.WGS84)) == 0


def test_swapped_latitude_is_refused_in_words():
    with pytest.raises(ValueError, match="lon, lat"):
        Position(39.9, 116.4)


def test_gauss_krueger_meets_the_meridian_arc():
    # meridian arc of the GRS 80 ellipsoid from the equator to 45 degrees north: 4 984 944.378 m
    grid = to_gauss_krueger(Position(114.0, 45.0, Crs.CGCS2000))
    assert (grid.easting, grid.epsg) == (38_500_000.0, 4526)
    assert abs(grid.northing - 4_984_944.378) < 0.001
    assert to_gauss_krueger(Position(114.0, 45.0, Crs.CGCS2000), prefixed=False).easting == 500_000.0


def test_gauss_krueger_agrees_with_the_series_of_the_textbook():
    a, f = 6378137.0, 1 / 298.257222101
    e2 = f * (2 - f)
    lat, dl = np.radians(25.8), np.radians(115.2 - 114.0)
    t, eta2 = np.tan(lat), e2 / (1 - e2) * np.cos(lat) ** 2
    n = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    m = dl * np.cos(lat)
    easting = n * (m + (1 - t**2 + eta2) * m**3 / 6 + (5 - 18 * t**2 + t**4 + 14 * eta2 - 58 * eta2 * t**2) * m**5 / 120)
    grid = to_gauss_krueger(Position(115.2, 25.8, Crs.CGCS2000))
    assert abs(grid.easting - 38_500_000 - easting) < 0.001


@given(lon=st.floats(74.0, 136.0), lat=CHINA_LAT, prefixed=st.booleans())
def test_gauss_krueger_returns_to_the_start(lon, lat, prefixed):
    back = from_gauss_krueger(to_gauss_krueger(Position(lon, lat, Crs.CGCS2000), prefixed=prefixed))
    assert abs(back.lon - lon) < 1e-9 and abs(back.lat - lat) < 1e-9 and back.crs == Crs.CGCS2000


def test_an_easting_of_another_zone_is_refused():
    with pytest.raises(ValueError, match="zone number is missing"):
        from_gauss_krueger(GridPosition(500_000.0, 2_800_000.0, 4526))
    with pytest.raises(ValueError, match="zone 24"):
        get_zone_epsg(24)


@needs_boundaries
def test_ganzhou_counties_sum_to_their_area_on_the_sphere_and_hold_their_label_points():
    features = json.loads(BOUNDARIES.read_text("utf-8"))["features"]
    shapes = [parse_geojson(f).geometry for f in features]
    assert round(sum(compute_area_m2(s, "sphere") for s in shapes) / 1e6) == 39424
    points = np.array([compute_label_point(s) for s in shapes])
    assert PolygonIndex(shapes).locate(points[:, 0], points[:, 1]).tolist() == list(range(18))


def test_a_repair_is_reported_not_silent():
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    parsed = parse_geojson(bow)
    assert parsed.geometry.is_valid and "made valid" in parsed.repairs[0]
    assert parse_geojson({"type": "Point", "coordinates": [1, 2, 3]}).repairs == ("heights dropped",)
    assert parse_geojson({"type": "Point", "coordinates": [1, 2]}).repairs == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "not JSON"),
        ('{"type":"Polygon","coordinates":[[[0,0],[1,"x"],[1,1],[0,0]]]}', "two or three numbers"),
        ('{"type":"GeometryCollection","geometries":[]}', "not taken"),
        ('{"type":"Point","coordinates":[500000,3000000]}', "metres"),
        ('{"type":"Point","coordinates":[NaN,3]}', "finite"),
        ('{"type":"LineString","coordinates":[' + ",".join(["[0,0]"] * 2000) + "]}", "too many"),
    ],
)
def test_bad_geojson_is_refused_in_words(text, words):
    with pytest.raises(GeometryError, match=words):
        parse_geojson(text, max_vertices=1000)


@pytest.mark.parametrize("shape", [shapely.Point(1, 2), shapely.box(0, 0, 1, 2), shapely.MultiPoint([(0, 0), (1, 1)])])
def test_wkb_and_geojson_return_the_shape(shape):
    assert parse_wkb(format_wkb(shape)).geometry.equals(shape)
    assert parse_geojson(format_geojson(shape)).geometry.equals(shape)


def test_hostile_wkb_is_refused_before_it_is_built():
    nested = (struct.pack("<BII", 1, 6, 1)) * 200_000
    with pytest.raises(GeometryError, match="not taken"):
        parse_wkb(nested)
    with pytest.raises(GeometryError, match="too many"):
        parse_wkb(struct.pack("<BII", 1, 2, 4_000_000_000))
    with pytest.raises(GeometryError, match="too early"):
        parse_wkb(format_wkb(shapely.box(0, 0, 1, 1))[:-5])
    with pytest.raises(GeometryError, match="too many"):
        parse_wkb(format_wkb(shapely.Point(0, 0)) + b"x")


def test_a_hole_is_not_area():
    ring = shapely.box(115, 28, 115.1, 28.1)
    hole = shapely.box(115.02, 28.02, 115.04, 28.04)
    whole, cut = compute_area_m2(ring), compute_area_m2(ring.difference(hole))
    assert abs(whole - cut - compute_area_m2(hole)) < 1.0


def test_points_are_found_in_polygons_as_by_hand():
    rng = np.random.default_rng(5)
    shapes = [shapely.Point(x, y).buffer(0.6) for x in range(4) for y in range(4)]
    lon, lat = rng.uniform(-1, 4, 3000), rng.uniform(-1, 4, 3000)
    expected = [next((i for i, s in enumerate(shapes) if s.intersects(shapely.Point(p))), -1) for p in zip(lon, lat, strict=True)]
    assert PolygonIndex(shapes).locate(lon, lat).tolist() == expected


def test_a_point_on_a_shared_border_belongs_to_the_first_polygon():
    index = PolygonIndex([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)])
    assert index.locate([1.0, 1.5, 9.0, np.nan], [0.5, 0.5, 9.0, 0.0]).tolist() == [0, 1, -1, -1]


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 8))
def test_nearest_and_within_agree_with_every_distance_computed(seed, k):
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(115, 115.2, 60), rng.uniform(28, 28.2, 60)
    index = PointIndex(lon, lat)
    far = np.array([compute_distance_m(Position(115.1, 28.1), Position(x, y)) for x, y in zip(lon, lat, strict=True)])
    rows, metres = index.list_nearest(115.1, 28.1, k)
    assert rows.tolist() == np.argsort(far, kind="stable")[:k].tolist()
    assert np.allclose(metres, np.sort(far)[:k])
    assert sorted(index.list_within(115.1, 28.1, 5000)[0]) == np.flatnonzero(far <= 5000).tolist()
    box = index.list_in_box(115.05, 28.05, 115.1, 28.1)
    assert sorted(box) == np.flatnonzero((lon >= 115.05) & (lon <= 115.1) & (lat >= 28.05) & (lat <= 28.1)).tolist()


def test_nearest_works_across_the_whole_earth():
    assert PointIndex([-70.0, 100.0], [-33.0, 20.0]).list_nearest(115.0, 28.0, 2)[0].tolist() == [1, 0]


def test_cells_tile_their_community_and_are_numbered_west_to_east_then_south():
    shape = shapely.Point(115, 25).buffer(0.004)
    cells = cut_cells(shape, "990102001001")
    assert shapely.coverage_is_valid([c.polygon for c in cells])
    assert abs(sum(c.area_m2 for c in cells) / compute_area_m2(shape) - 1) < 1e-6
    assert [c.code for c in cells] == [format_cell_code("990102001001", i) for i in range(1, len(cells) + 1)]
    assert min(c.area_m2 for c in cells) >= 2400
    assert cells[0].polygon.centroid.y > cells[-1].polygon.centroid.y


def test_cell_codes_are_checked_in_words():
    assert parse_cell_code("360702001001007").serial == 7
    for text, words in [("12", "15 digits"), ("360702001001000", "Serial 000"), ("360702000001001", "no street")]:
        with pytest.raises(ValueError, match=words):
            parse_cell_code(text)
    with pytest.raises(GeometryError, match="larger cells"):
        cut_cells(shapely.box(115, 25, 115.05, 25.05), "990102001001")


def test_neighbours_simplified_together_stay_neighbours():
    x = np.linspace(0, 1, 200)
    wave = np.column_stack([x, 0.5 + 0.01 * np.sin(40 * x)])
    low = shapely.Polygon([(0, 0), (1, 0), *wave[::-1]])
    high = shapely.Polygon([(0, 1), (1, 1), *wave[::-1]])
    simple = simplify_coverage([low, high], zoom=5)
    assert shapely.coverage_is_valid(simple)
    assert shapely.get_num_coordinates(simple).sum() < 100
    assert abs(shapely.union_all(simple).area - 1) < 1e-9
