"""The wall and its maps, through the real server: what is shown, to whom."""

import html
import re
from itertools import pairwise

import pytest


def features(person, path):
    answer = person.get(path)
    assert answer.status == 200, answer.body
    return {f["properties"]["uid"]: f["properties"] for f in answer.json["features"]}


def test_wall_shows_the_city_s_index_and_its_five_vital_signs(officer):
    page = officer.get("/screen/").body.decode()
    assert 'data-zs="aqi">46<' in page.replace("\n", "")
    assert "HJ 633-2026" in page
    assert len(re.findall(r"data-zs-vital=", page)) == 5
    assert 'data-live="/live/screen?division=' in page


def test_names_follow_the_language_of_the_session(city):
    assert "<h1>River City</h1>" in city.person(language="en").get("/screen/").body.decode()
    assert "<h1>江城市</h1>" in city.person().get("/screen/").body.decode()


def test_children_of_one_division_come_with_the_area_index_and_a_validator(city, officer):
    path = f"/screen/map/{city.division('9901')}/divisions.geojson"
    found = features(officer, path)
    assert {p["name"]: p["value"] for p in found.values()} == {"东湖区": 62, "西山区": 31}
    first = officer.get(path)
    again = officer.get(path, If_None_Match=first.headers["etag"])
    assert again.status == 304 and again.body == b""


def test_drill_down_leads_from_the_city_to_the_things_of_one_cell(city, officer):
    codes = ["9901", "990101", "990101001", "990101001001", "990101001001001"]
    for parent, child in pairwise(codes):
        assert city.division(child) in features(officer, f"/screen/map/{city.division(parent)}/divisions.geojson")
    assert features(officer, f"/screen/map/{city.division(codes[-1])}/divisions.geojson") == {}
    inside = features(officer, f"/screen/map/{city.division(codes[-1])}/things.geojson")
    assert city.facts["stations"][0] in inside and city.facts["things"][0] in inside
    assert inside[city.facts["things"][0]]["url"] == f"/desk/records/sense-thing/{city.facts['things'][0]}/"
    page = officer.get(f"/screen/{city.division('990101001')}/").body.decode()
    path = html.unescape(re.search(r'data-path="([^"]*)"', page)[1])
    assert [city.division(code) in path for code in codes] == [True, True, True, False, False]


def test_whole_city_shows_stations_and_only_those_other_things_that_need_somebody(city, officer):
    path = f"/screen/map/{city.division('9901')}/things.geojson"
    quiet = features(officer, path)
    assert set(city.facts["stations"]) <= set(quiet) and city.facts["things"][7] not in quiet
    city.do("band", thing=7, band="high")
    city.do("rest")
    assert features(officer, path)[city.facts["things"][7]]["band"] == "high"
    city.do("band", thing=7, band="ok")
    assert quiet[city.facts["stations"][0]]["value"] == 62 and quiet[city.facts["stations"][0]]["aqi"] == 2


def test_open_alarms_colour_the_map_when_asked(city, officer):
    before = features(officer, f"/screen/map/{city.division('9901')}/divisions.geojson?measure=alarms")
    uid = city.do("alarm", thing=1, title="倾角过大")  # thing 1 stands in the second county
    after = features(officer, f"/screen/map/{city.division('9901')}/divisions.geojson?measure=alarms")
    west, east = city.division("990101"), city.division("990102")
    assert after[east]["value"] == before[east]["value"] + 1 and after[west]["value"] == before[west]["value"]
    city.do("clear", uid=uid)


def test_county_officer_sees_the_county_and_nothing_beside_it(city, county_officer):
    page = county_officer.get("/screen/").body.decode()
    assert "<h1>东湖区</h1>" in page and "江城市" not in page and 'data-zs="aqi">62<' in page
    assert county_officer.get(f"/screen/{city.division('990102')}/").status == 404
    assert county_officer.get(f"/screen/{city.division('9901')}/").status == 404
    for name in ("divisions", "things"):
        for code in ("9901", "990102", "990102001"):
            assert county_officer.get(f"/screen/map/{city.division(code)}/{name}.geojson").status == 404
    inside = features(county_officer, f"/screen/map/{city.division('990101')}/things.geojson")
    assert set(inside) & set(city.facts["stations"]) == set(city.facts["stations"][0::2])


def test_alarms_of_another_county_stand_not_on_the_page(city, officer, county_officer):
    uid = city.do("alarm", thing=3, title="西山独有")
    assert f"alarm-{uid}" in officer.get("/screen/").body.decode()
    assert f"alarm-{uid}" not in county_officer.get("/screen/").body.decode()
    city.do("clear", uid=uid)


def test_alarms_from_before_the_city_was_watched_are_kept_out_of_the_stream(city, officer):
    uid = city.do("alarm", thing=5, title="已解除")
    city.do("clear", uid=uid)
    assert f"alarm-{uid}" not in officer.get("/screen/").body.decode()


@pytest.mark.parametrize(("role", "target"), [("duty-officer", "/screen/"), ("leader", "/screen/"), ("administrator", "/desk/")])
def test_home_leads_where_the_work_begins(city, role, target):
    person = city.person(role=role, division="" if role != "administrator" else "990101")
    if role == "administrator":
        city.do("revoke_role", name=person.name, role="environment.leader")
    answer = person.get("/")
    assert answer.status == 302 and answer.headers["location"] == target


def test_nobody_sees_anything_without_a_session_or_a_division(city):
    assert city.get("/screen/").status == 302
    assert city.get("/").headers["location"].startswith("/login/")
    nobody = city.person()
    city.do("revoke", name=nobody.name)
    assert nobody.get("/screen/").status == 403
