"""Vector tiles through the real server, decoded by an independent library."""

import mapbox_vector_tile
import pytest

from .conftest import CityServer

WHOLE = "8/209/105"  # the tile of zoom 8 in which the small city lies


def points(person, layer="sense-thing", tile=WHOLE):
    answer = person.get(f"/tiles/{layer}/{tile}.mvt")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    found = mapbox_vector_tile.decode(answer.body)
    return {f["properties"]["uid"]: f["properties"] for f in found.get(layer, {"features": []})["features"]}


def test_tile_holds_every_thing_with_name_state_and_address(city, officer):
    found = points(officer)
    assert set(found) == {*city.facts["things"], *city.facts["stations"]}
    one = found[city.facts["things"][0]]
    assert one["name"] == "倾斜1" and one["state"] == "ok" and one["url"] == f"/desk/records/sense-thing/{city.facts['things'][0]}/"


def test_county_officer_gets_the_points_of_the_county_only(city, county_officer):
    assert set(points(county_officer)) == {*city.facts["things"][0::2], *city.facts["stations"][0::2]}


def test_state_that_changes_is_in_the_next_tile_and_its_validator_too(city, officer):
    path = f"/tiles/sense-thing/{WHOLE}.mvt"
    etag = officer.get(path).headers["etag"]
    assert officer.get(path, If_None_Match=etag).status == 304
    city.do("band", thing=11, band="high")
    city.do("rest")
    answer = officer.get(path, If_None_Match=etag)
    assert answer.status == 200
    assert points(officer)[city.facts["things"][11]]["state"] == "high"
    city.do("band", thing=11, band="ok")


def test_every_kind_that_stands_somewhere_is_a_layer(city, officer):
    assert set(points(officer, "environment-air-station"))
    uid = city.do("alarm", thing=12, title="倾角过大")
    city.do("rest")
    assert points(officer, "sense-alarm")[uid]["state"] == "orange"
    city.do("clear", uid=uid)


def test_bearer_token_is_as_good_as_a_session(city, officer):
    answer = city.get(f"/tiles/sense-thing/{WHOLE}.mvt", {"Authorization": f"Bearer {officer.token}"})
    assert answer.status == 200 and len(answer.body) > 1000


@pytest.mark.parametrize("path", ["sense-thing/8/300/1.mvt", "sense-thing/40/1/1.mvt", "nothing/1/1/1.mvt", "sense-stream/1/1/1.mvt", "x"])
def test_tile_that_cannot_be_is_not_found(officer, path):
    assert officer.get(f"/tiles/{path}").status == 404


def test_nobody_gets_a_tile_without_a_session_or_the_right(city):
    assert city.get(f"/tiles/sense-thing/{WHOLE}.mvt").status == 401
    person = city.person()
    city.do("revoke", name=person.name)
    city.do("rest")
    assert person.get(f"/tiles/sense-thing/{WHOLE}.mvt").status == 403


def test_many_things_become_clusters_that_count_every_one_of_them(tmp_path):
    own = CityServer(tmp_path)
    person = own.person()
    own.do("crowd", count=700)
    tile = mapbox_vector_tile.decode(person.get(f"/tiles/sense-thing/{WHOLE}.mvt").body)["sense-thing"]["features"]
    assert sum(f["properties"]["count"] for f in tile) == 746 and len(tile) < 64
    spots = person.get(f"/screen/map/{own.division('990101001')}/things.geojson").json["features"]
    clusters = [f["properties"] for f in spots if "count" in f["properties"]]
    whole = own.do("count_in", code="990101001")
    assert sum(c["count"] for c in clusters) == whole and 1 < len(clusters) <= 256
    assert [f for f in spots if f["properties"]["uid"] == own.facts["stations"][0]], "stations stay single"
    own.close()
