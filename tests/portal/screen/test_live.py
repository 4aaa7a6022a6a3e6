"""Live streams through the real server: how fast, to whom, and how they end."""

import asyncio
import time

import pytest

from zhongshu.portal.live.client import MOST_WAITING, Client

from .conftest import CityServer, Stream


def screen(city, code="9901"):
    return f"/live/screen?division={city.division(code)}"


def settle(stream):
    """Read the state with which a stream begins; returns the event that carries its id."""
    return stream.wait("stream", lambda data: data["op"] == "reset")


def test_stream_begins_with_the_whole_state_and_a_status(city, officer):
    with officer.listen(screen(city)) as stream:
        assert stream.status == 200
        assert stream.wait("headline").data["aqi"] == 46
        assert len(stream.wait("vitals").data["items"]) == 5
        assert settle(stream).id
        assert "delay_s" in stream.wait("status").data


def test_reading_reaches_the_screen_within_a_second(city, officer):
    with officer.listen(screen(city)) as stream:
        settle(stream)
        stream.wait("status")
        began = time.monotonic()
        city.do("read", ordinal=0, value=35.0)
        event = stream.wait("map", lambda d: d["layer"] == "things" and any(["PM2.5", "35 µg/m³"] in c["rows"] for c in d["changes"]))
        assert event.at - began < 1.0
        assert [c["uid"] for c in event.data["changes"]] == [city.facts["stations"][0]]
        assert stream.wait("status", lambda d: d["delay_s"] is not None, timeout=11).data["delay_s"] < 1.0


def test_alarm_and_its_end_reach_the_stream_and_the_total(city, officer):
    with officer.listen(screen(city)) as stream:
        total = settle(stream).data["open_total"]
        began = time.monotonic()
        uid = city.do("alarm", thing=2, title="倾角过大")
        added = stream.wait("stream", lambda d: d["op"] == "add")
        assert added.at - began < 1.0 and added.data["item"]["id"] == f"alarm-{uid}" and added.data["open_total"] == total + 1
        assert added.data["item"]["level"] == "orange" and added.data["item"]["url"].endswith(f"{uid}/")
        city.do("clear", uid=uid)
        gone = stream.wait("stream", lambda d: d["op"] == "remove")
        assert gone.data["item"]["id"] == f"alarm-{uid}" and gone.data["open_total"] == total


def test_texts_are_in_the_language_of_the_session(city):
    with city.person(language="en").listen(screen(city)) as english, city.person().listen(screen(city)) as chinese:
        settle(english), settle(chinese)
        uid = city.do("alarm", thing=4, title="倾角过大")
        assert english.wait("stream", lambda d: d["op"] == "add").data["item"]["title"].endswith("Tilt too large")
        assert chinese.wait("stream", lambda d: d["op"] == "add").data["item"]["title"].endswith("倾角过大")
        city.do("clear", uid=uid)


def test_new_index_changes_headline_and_map_without_reload(city, officer):
    with officer.listen(screen(city)) as stream:
        settle(stream)
        city.do("hour", west=162, east=131)
        assert stream.wait("headline", lambda d: d["aqi"] == 146, timeout=12).data["level"] == 3
        areas = stream.wait("map", lambda d: d["layer"] == "divisions").data["changes"]
        assert {c["uid"]: c["value"] for c in areas} == {city.division("990101"): 162, city.division("990102"): 131}
        stations = stream.wait("map", lambda d: d["layer"] == "things").data["changes"]
        assert {c["value"] for c in stations} == {162, 132, 164, 134, 166, 136}
        city.do("hour", west=62, east=31)
        stream.wait("headline", lambda d: d["aqi"] == 46, timeout=12)


def test_county_officer_hears_nothing_of_the_other_county(city, county_officer):
    with county_officer.listen("/live/screen") as stream:
        assert stream.wait("headline").data["aqi"] == 62
        settle(stream)
        foreign = city.do("alarm", thing=1, title="外县")
        city.do("read", ordinal=16, value=99.0)
        own = city.do("alarm", thing=0, title="本县")
        city.do("read", ordinal=0, value=36.0)
        assert stream.wait("stream", lambda d: d["op"] == "add").data["item"]["id"] == f"alarm-{own}"
        stream.wait("map", lambda d: d["layer"] == "things" and any(["PM2.5", "36 µg/m³"] in c["rows"] for c in d["changes"]))
        text = repr([e.data for e in stream.seen])
        assert foreign not in text and city.facts["stations"][1] not in text and city.facts["things"][1] not in text
        city.do("clear", uid=foreign), city.do("clear", uid=own)
    for code in ("9901", "990102"):
        with county_officer.listen(screen(city, code)) as refused:
            assert refused.status == 404


def test_withdrawn_rights_end_the_stream_within_a_second(city):
    person = city.person()
    with person.listen(screen(city)) as stream:
        settle(stream)
        began = time.monotonic()
        city.do("revoke", name=person.name)
        assert stream.wait("end").at - began < 1.0
        assert stream.ended.wait(2)
    with person.listen(screen(city)) as refused:
        assert refused.status == 403


def test_rights_that_only_shrink_make_the_page_load_again_with_what_is_left(city):
    person = city.person(role="officer")
    with person.listen(screen(city)) as stream:
        settle(stream)
        city.do("revoke_role", name=person.name, role="environment.leader")
        stream.wait("reload", timeout=1.5)
        assert stream.ended.wait(2)


def test_ended_session_ends_screen_and_desk_within_a_second(city):
    person = city.person()
    with person.listen(screen(city)) as wall, person.listen("/live/desk") as desk:
        settle(wall)
        desk.wait("counts")
        began = time.monotonic()
        city.do("end_session", key=person.session)
        assert wall.wait("end").at - began < 1.0
        assert desk.wait("end").at - began < 1.2


def test_known_last_event_id_spares_the_state_and_an_unknown_one_brings_it(city, officer):
    with officer.listen(screen(city)) as keeper:
        settle(keeper)
        uid = city.do("alarm", thing=6, title="倾角过大")
        last = keeper.wait("stream", lambda d: d["op"] == "add").id
        keeper.wait("status", timeout=11)
        last = next((e.id for e in reversed(keeper.seen) if e.id), last)
        with officer.listen(screen(city), Last_Event_ID=last) as again:
            again.wait("status")
            assert [e.name for e in again.seen] == ["status"]
        with officer.listen(f"{screen(city)}&last_event_id=1-2-3") as anew:
            assert f"alarm-{uid}" in [item["id"] for item in settle(anew).data["items"]]
        city.do("clear", uid=uid)


def test_desk_hears_which_lists_changed_and_only_those_it_may_see(city):
    person = city.person(role="device-engineer")
    city.do("revoke_role", name=person.name, role="environment.leader")
    with person.listen("/live/desk") as stream:
        stream.wait("changed", lambda d: d["topic"] == "all")
        city.do("case", thing=2, title="污染")
        city.do("band", thing=9, band="low")
        assert stream.wait("changed").data["topic"] == "sense.Thing"
        city.do("band", thing=9, band="ok")


@pytest.mark.parametrize(("path", "status"), [("/live/screen", 401), ("/live/desk", 401), ("/live/other", 404)])
def test_streams_are_refused_in_words_without_a_session(city, path, status):
    answer = city.get(path)
    assert answer.status == status and len(answer.body) > 10


def test_bearer_token_opens_a_stream_like_a_session_and_a_wrong_one_does_not(city):
    person = city.person()
    with Stream(city.port, screen(city), {"Authorization": f"Bearer {person.token}"}) as stream:
        settle(stream)
        city.do("revoke_token", name=person.name)
        stream.wait("end", timeout=1.5)
    assert city.get(screen(city), {"Authorization": "Bearer zs_0000000000.wrong"}).status == 401


def test_server_that_ends_closes_its_streams_at_once_and_lets_browsers_come_back(tmp_path):
    own = CityServer(tmp_path)
    with own.person().listen(screen(own)) as stream:
        settle(stream)
        own.do("stop")
        assert stream.ended.wait(3)
        assert "end" not in [event.name for event in stream.seen]
    own.close()


def test_browser_that_does_not_read_loses_the_oldest_and_is_given_the_state_anew():
    client = Client(None, "")
    for number in range(MOST_WAITING):
        client.push(b"%d " % number)
    assert not client.is_behind
    client.push(b"more ")
    assert client.is_behind
    client.restart([b"state"])
    assert asyncio.run(client.next()) == b"state" and not client.is_behind
    client.push(b"secret")
    client.close(b"end")
    client.push(b"after")
    assert asyncio.run(client.next()) == b"end" and asyncio.run(client.next()) is None


def test_division_that_is_none_is_told_in_words(officer):
    answer = officer.get("/live/screen?division=abc")
    assert answer.status == 404 and b"uid of a division" in answer.body
