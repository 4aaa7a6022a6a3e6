"""The synthetic city: repeatable, gapless, in invented ranges; its readings agree however they are asked for."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import shapely

from zhongshu.demo.city import READINGS_SCHEMA, FaultShares, build_city, build_history, list_faults, render_svg
from zhongshu.kernel.place import PolygonIndex, parse_cell_code, parse_division_code
from zhongshu.kernel.units import get_unit

DAY = 86_400_000_000
END = int(dt.datetime(2026, 11, 20, 16, tzinfo=dt.UTC).timestamp() * 1e6)


@pytest.fixture(scope="module")
def city():
    return build_city(seed=1, things=1000)


def shapes_of(table):
    return shapely.from_wkb(table["wkb"].to_numpy(zero_copy_only=False))


def text(column):
    return pc.cast(column, pa.string())


def test_the_same_seed_gives_the_same_city_and_another_seed_another(city):
    again, other = build_city(1, 1000), build_city(2, 1000)
    for name in ("divisions", "streets", "buildings", "things", "streams"):
        assert getattr(again, name).equals(getattr(city, name)), name
        assert not getattr(other, name).equals(getattr(city, name)), name
    assert again.people == city.people


def test_children_tile_their_parent_exactly(city):
    rows = city.divisions.select(["code", "parent_code", "level"]).to_pylist()
    shapes = dict(zip(city.divisions["code"].to_pylist(), shapes_of(city.divisions), strict=True))
    levels = ["city", "county", "town", "village", "cell"]
    for level in levels[1:]:
        assert shapely.coverage_is_valid([shapes[r["code"]] for r in rows if r["level"] == level])
    children: dict[str, list] = {}
    for r in rows:
        children.setdefault(r["parent_code"], []).append(shapes[r["code"]])
    for parent, parts in children.items():
        if parent is not None:
            assert shapely.equals(shapely.coverage_union_all(np.array(parts)), shapes[parent]), parent
    assert [sum(r["level"] == level for r in rows) for level in levels[:3]] == [1, 6, 38]


def test_codes_lie_in_a_range_no_place_uses_and_lead_to_their_parent(city):
    for r in city.divisions.select(["code", "parent_code", "level"]).to_pylist():
        code = parse_division_code(r["code"])
        assert code.is_invented and code.level == r["level"]
        assert r["parent_code"] is None or code.parent.digits == r["parent_code"]
        if r["level"] == "cell":
            parse_cell_code(r["code"])
    codes = city.divisions["code"].to_pylist()
    assert len(set(codes)) == len(codes)


def test_people_add_up_and_areas_add_up(city):
    table = city.divisions
    for column in ("population", "area_m2"):
        by_level = table.group_by("level").aggregate([(column, "sum")])[f"{column}_sum"].to_pylist()
        assert np.allclose(by_level, by_level[0], rtol=1e-6)
    names = city.divisions.filter(pc.equal(text(city.divisions["level"]), "village"))["name_zh"].to_pylist()
    assert len(set(names)) == len(names)


def test_every_thing_lies_in_its_cell_and_has_its_own_id(city):
    things = city.things
    assert things.num_rows == 1000
    assert len(set(things["external_id"].to_pylist())) == 1000
    found = PolygonIndex(city.land.polygons).locate(things["lon"].to_numpy(), things["lat"].to_numpy())
    assert found.tolist() == things["cell"].to_pylist()
    stations = things.filter(pc.equal(text(things["kind"]), "air"))
    assert {len(mn) for mn in stations["client"].to_pylist()} == {24}
    assert {"assessment", "control", "roadside"} <= set(stations["subkind"].to_pylist())
    assert things.filter(pc.equal(text(things["transport"]), "mqtt"))["topic"].null_count == 0


def test_streams_name_known_units_and_sourced_thresholds(city):
    streams = city.streams
    assert len(set(streams["external_id"].to_pylist())) == streams.num_rows
    for row in streams.to_pylist():
        get_unit(row["unit"])
        assert (row["limit"] is None) == (row["op"] is None) == (row["for_s"] is None)
        assert row["limit"] is None or (row["source"] and row["low"] <= row["limit"] <= row["high"])


def test_buildings_stand_in_their_cells_and_have_addresses(city):
    buildings = city.buildings
    cells = city.land.polygons[buildings["cell"].to_numpy()]
    assert shapely.contains(cells, shapes_of(buildings)).all()
    assert all(a.endswith("号") for a in buildings["address_zh"].to_pylist())
    assert buildings.num_rows == 4000


def test_people_have_posts_and_phones_that_cannot_ring(city):
    posts = {p.code for p in city.posts}
    organisations = {o.code for o in city.organisations}
    assert all(p.post_code in posts and p.organisation_code in organisations for p in city.people)
    assert all(p.phone.startswith("102") and len(p.phone) == 11 for p in city.people)
    assert {"officer", "checker", "duty", "leader"} == {p.role for p in city.posts}
    owners = set(city.things["organisation_code"].to_pylist())
    assert owners <= organisations


def test_history_and_live_agree_to_the_last_digit(city):
    streams = city.streams.slice(0, 600)
    whole = build_history(streams, END - 2 * DAY, END, 1)
    assert whole.schema == READINGS_SCHEMA
    pieces = [build_history(streams, END - 2 * DAY + i * DAY // 8 + 7, END - 2 * DAY + (i + 1) * DAY // 8 + 7, 1) for i in range(15)]
    pieces.append(build_history(streams, END - 2 * DAY, END - 2 * DAY + 7, 1))
    pieces.append(build_history(streams, END - DAY // 8 + 7, END, 1))

    def rows(tables):
        return sorted(
            (s, t, v, q) for table in tables
            for s, t, v, q in zip(table["stream"].to_pylist(), table["t"].to_pylist(), table["value"].fill_null(-999).to_pylist(),
                                  table["quality"].to_pylist(), strict=True)
        )  # fmt: skip

    assert rows([whole]) == rows(pieces)


def test_a_stretch_of_an_hour_asked_alone_is_the_same(city):
    few = city.streams.slice(0, 40)
    month, hour = build_history(few, END - 30 * DAY, END, 1), build_history(few, END - DAY // 24, END, 1)
    tail = month.filter(pc.greater_equal(month["t"], END - DAY // 24))
    assert dict(zip(text(tail["stream"]).to_pylist(), tail["value"].to_pylist(), strict=True)) == dict(
        zip(text(hour["stream"]).to_pylist(), hour["value"].to_pylist(), strict=True)
    )


def test_no_identity_comes_twice_and_values_stay_plausible(city):
    history = build_history(city.streams, END - DAY, END, 1, FaultShares(drift=0, stuck=0))
    pairs = history.group_by(["stream", "t"]).aggregate([([], "count_all")])
    assert pairs.num_rows == history.num_rows
    by_stream = history.group_by("stream").aggregate([("value", "min"), ("value", "max")])
    limits = {r["external_id"]: r for r in city.streams.to_pylist()}
    for row in by_stream.to_pylist():
        if row["value_min"] is not None:
            assert limits[row["stream"]]["low"] <= row["value_min"] <= row["value_max"] <= limits[row["stream"]]["high"], row


def test_faults_come_in_the_stated_shares(city):
    shares = FaultShares(outage=0.02, missing=0.01, stuck=0.02, drift=0.03)
    streams, start = city.streams, END - 100 * DAY
    start = start // (10 * DAY) * (10 * DAY)
    faults = list_faults(streams, start, start + 100 * DAY, 1, shares)
    whole = streams.num_rows * 100 * DAY
    for kind in ("outage", "stuck", "drift"):
        mine = faults.filter(pc.equal(faults["kind"], kind))
        share = pc.sum(pc.subtract(mine["until_us"], mine["from_us"])).as_py() / whole
        assert share == pytest.approx(getattr(shares, kind), rel=0.12), kind


def test_missing_rows_and_stuck_values_are_where_the_fault_list_says(city):
    streams = city.streams.slice(0, 264)
    start = END - 30 * DAY
    shares = FaultShares(outage=0.02, missing=0.0, stuck=0.03, drift=0.0)
    faults = list_faults(streams, start, END, 1, shares).to_pylist()
    history = build_history(streams, start, END, 1, shares)
    t, value = history["t"].to_numpy(), history["value"].to_numpy()
    numbers = dict(zip(streams["external_id"].to_pylist(), streams["stream"].to_pylist(), strict=True))
    column = history["stream"].combine_chunks()
    stream = np.array([numbers[name] for name in column.dictionary.to_pylist()])[column.indices.to_numpy()]
    order = np.lexsort((t, stream))
    t, value, stream = t[order], value[order], stream[order]
    quality = history["quality"].to_numpy()[order]
    missing = np.isnan(value)
    expected = np.zeros(len(t), dtype=bool)
    checked = 0
    for fault in faults:
        first, last = np.searchsorted(stream, [fault["stream"], fault["stream"] + 1])
        lo, hi = first + np.searchsorted(t[first:last], [fault["from_us"], fault["until_us"]])
        if fault["kind"] == "outage":
            expected[lo:hi] = True
        else:
            held = value[lo:hi][~missing[lo:hi]]
            checked += len(held) > 3
            assert len(set(held.tolist())) <= 1
    assert checked > 20
    wired = np.array([t == "tcp" for t in text(streams["transport"]).to_pylist()])[stream]
    assert (missing[wired] == expected[wired]).all() and missing[wired].any()
    assert not (expected & ~wired).any()
    assert (quality == np.where(missing, 16, 0)).all()


def test_pollutants_of_a_station_move_together_and_sometimes_exceed_the_limit(city):
    air = city.streams.filter(pc.equal(text(city.streams["transport"]), "tcp"))
    history = build_history(air, END - 60 * DAY, END, 1, FaultShares(0, 0, 0, 0))
    names = text(history["stream"])

    def series(code):
        return history.filter(pc.match_substring(names, f"0001/{code}-Avg"))["value"].to_numpy()

    pm25, pm10, no2, o3, co = (series(code) for code in ("a34004", "a34002", "a21004", "a05024", "a21005"))
    assert len(pm25) == 60 * 24
    assert (pm10 >= pm25).mean() > 0.999
    assert np.corrcoef(pm25, co)[0, 1] > 0.8
    assert np.corrcoef(no2, o3)[0, 1] < -0.2
    hour = np.arange(len(o3)) % 24
    assert 12 <= np.argmax([o3[hour == h].mean() for h in range(24)]) <= 16
    days = pm25.reshape(-1, 24).mean(axis=1)
    assert days.max() > 75 and np.median(days) < 60


def test_the_picture_shows_river_ring_and_every_county(city):
    svg = render_svg(city)
    assert svg.count("<text") == 6 and "汀北区" in svg and len(svg) > 500_000


def test_a_city_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="100 to 1,000,000"):
        build_city(1, 10)
