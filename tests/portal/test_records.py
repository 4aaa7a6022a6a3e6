"""Records of any kind as pages and through the API: the same rows on every surface, and nothing without a right."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openapi_spec_validator import validate

from tests.portal.conftest import PEOPLE, may_see
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.sense.device.models import Thing

pytestmark = pytest.mark.django_db
LIST = "/desk/records/sense-thing/"


def _listed_by_api(town, client, name: str) -> set[str]:
    found, cursor = set(), ""
    while True:
        answer = client.get(f"/api/v1/sense-thing?limit=7&cursor={cursor}", **town.bearer(name))
        if answer.status_code == 403:
            return set()
        body = answer.json()
        found |= {item["external_id"] for item in body["items"]}
        if not body["next"]:
            return found
        cursor = body["next"]


@pytest.mark.parametrize("name", PEOPLE)
def test_rows_listed_equal_rows_readable_one_by_one_and_the_oracle(town, client, name):
    expected = {t["external_id"] for t in town.things if may_see(name, t)}
    browser = town.client(name)
    uids = dict(Thing.objects.values_list("external_id", "uid"))

    page = browser.get(f"{LIST}?size=200")
    on_page = {x for x in uids if f"{LIST}{uids[x]}/" in page.content.decode()} if page.status_code == 200 else set()
    one_by_one = {x for x, uid in uids.items() if browser.get(f"{LIST}{uid}/").status_code == 200}
    by_api_one = {x for x, uid in uids.items() if client.get(f"/api/v1/sense-thing/{uid}", **town.bearer(name)).status_code == 200}

    assert on_page == expected
    assert one_by_one == expected
    assert _listed_by_api(town, client, name) == expected
    assert by_api_one == expected


@pytest.mark.parametrize("name", ["nobody", "citizen", "mayor", "county"])
def test_who_may_not_change_cannot_by_any_door(town, client, name):
    thing = Thing.objects.first()
    browser = town.client(name)
    assert browser.get(f"{LIST}{thing.uid}/change/").status_code in (403, 404)
    assert browser.post(f"{LIST}{thing.uid}/remove/").status_code in (403, 404)
    answer = client.patch(f"/api/v1/sense-thing/{thing.uid}", {"name": "x"}, content_type="application/json", **town.bearer(name))
    assert answer.status_code in (403, 404)
    assert Thing.objects.get(pk=thing.pk).name == thing.name


def test_nobody_is_sent_to_the_log_in_page_and_programs_get_401(client, db):
    assert client.get("/desk/")["Location"].startswith("/login/")
    answer = client.get("/api/v1/sense-thing")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"


def test_an_engineer_cannot_move_a_thing_out_of_his_own_reach(town, client):
    thing = Thing.objects.get(external_id="T025")
    inside = Thing.objects.filter(division__code="B1").first()
    outside = Thing.objects.filter(division__code="A1").first()
    answer = client.patch(f"/api/v1/sense-thing/{inside.uid}", {"division": str(outside.division.uid)}, content_type="application/json", **town.bearer("engineer"))
    assert answer.status_code in (400, 403), thing
    assert Thing.objects.get(pk=inside.pk).division.code == "B1"


def test_a_record_is_created_changed_and_removed_through_the_api_with_versions_and_reasons(town, client):
    who = town.bearer("admin")
    product = Thing.objects.first().product
    made = client.post(
        "/api/v1/sense-thing", {"external_id": "NEW", "name": "新", "product": str(product.uid), "state": "in_service"}, content_type="application/json", **who
    )
    assert made.status_code == 201, made.content
    uid, tag = made.json()["uid"], made["ETag"]
    changed = client.patch(f"/api/v1/sense-thing/{uid}", {"name": "更新"}, content_type="application/json", HTTP_IF_MATCH=tag, HTTP_X_REASON="renamed", **who)
    assert (changed.status_code, changed.json()["name"], changed.json()["version"]) == (200, "更新", 2)
    stale = client.patch(f"/api/v1/sense-thing/{uid}", {"name": "旧"}, content_type="application/json", HTTP_IF_MATCH=tag, **who)
    assert stale.status_code == 412
    assert client.delete(f"/api/v1/sense-thing/{uid}", **who).status_code == 204
    assert client.get(f"/api/v1/sense-thing/{uid}", **who).status_code == 404


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nonsense=1", "no filter 'nonsense'"),
        ("order=secret", "order=secret"),
        ("limit=0", "limit=0"),
        ("cursor=abc", "cursor"),
        ("fields=x", "no field 'x'"),
        ("product=7", "not a uid"),
    ],
)
def test_a_wrong_question_is_answered_in_words(town, client, asked, said):
    answer = client.get(f"/api/v1/sense-thing?{asked}", **town.bearer("admin"))
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_wrong_fields_are_named_one_by_one(town, client):
    answer = client.post("/api/v1/sense-thing", {"name": "", "nonsense": 1}, content_type="application/json", **town.bearer("admin"))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "nonsense"
    answer = client.post("/api/v1/sense-thing", {"name": ""}, content_type="application/json", **town.bearer("admin"))
    assert {e["field"] for e in answer.json()["errors"]} >= {"external_id", "name", "product"}


def test_a_browser_session_cannot_write_through_the_api(town):
    thing = Thing.objects.first()
    answer = town.client("admin").patch(f"/api/v1/sense-thing/{thing.uid}", {"name": "x"}, content_type="application/json")
    assert answer.status_code == 401


def test_the_list_is_answered_with_as_many_queries_for_thirty_rows_as_for_three(town):
    browser = town.client("admin")
    browser.get(LIST)
    counts = []
    for size in (3, 30):
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(f"{LIST}?size={size}").status_code == 200
        counts.append(sum('"sense_' in query["sql"] for query in caught))  # the poll for changed rights runs by the clock
    assert counts[0] == counts[1] > 0


def test_phone_numbers_are_masked_below_the_ceiling(town, client):
    admin = client.get("/api/v1/security-user", **town.bearer("admin")).json()["items"][0]
    mayor = client.get("/api/v1/security-user", **town.bearer("mayor")).json()["items"][0]
    assert admin["phone"] == "13812345678"
    assert mayor["phone"] == "138****5678"
    assert "password" not in admin
    assert "13812345678" not in town.client("mayor").get("/desk/records/security-user/").content.decode()


def test_a_page_form_keeps_what_somebody_else_changed_meanwhile(town):
    thing = Thing.objects.get(external_id="T000")
    browser = town.client("admin")
    data = {"external_id": "T000", "name": "mine", "product": str(thing.product.uid), "state": "in_service", "version": "1"}
    with change(SYSTEM, "meanwhile"):
        thing.name = "theirs"
        thing.save()
    answer = browser.post(f"{LIST}{thing.uid}/change/", data)
    assert answer.status_code == 400
    assert Thing.objects.get(pk=thing.pk).name == "theirs"
    assert browser.post(f"{LIST}{thing.uid}/change/", {**data, "version": "2", "why": "agreed"}).status_code == 302
    assert Thing.objects.get(pk=thing.pk).name == "mine"


def test_the_description_is_valid_openapi_and_names_every_kind(town, client):
    body = client.get("/api/openapi.json", **town.bearer("admin")).json()
    validate(body)
    assert "/api/v1/sense-thing/{uid}" in body["paths"]
    assert "post" not in body["paths"]["/api/v1/sense-alarm"]


def test_every_page_carries_the_policy(town):
    answer = town.client("admin").get(LIST)
    assert "script-src 'self' 'nonce-" in answer["Content-Security-Policy"]
    assert "unsafe-inline" not in answer["Content-Security-Policy"]
