"""Registering things and telling the data path about them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import change
from zhongshu.security.identity.credential import has_secret
from zhongshu.security.identity.token_models import Credential
from zhongshu.sense.device.models import Connection, Protocol, Stream, Thing, Threshold
from zhongshu.sense.device.publish import QUIET_S, Publisher, publish_all
from zhongshu.sense.device.register import RegisterError, ThingRow, create_connection, create_thing, register_things
from zhongshu.sense.gateway.sources import SourceDirectory
from zhongshu.sense.observe import StreamDimension

pytestmark = pytest.mark.django_db


def test_a_table_of_things_becomes_things_streams_connections_and_credentials_once(meter, officer):
    names = [f"mqtt:m{n}" for n in range(50)]
    table = pa.table(
        {"external_id": names, "name": names, "product": ["meter"] * 50, "lon": [116.0] * 50, "lat": [40.0] * 50, "protocol": ["mqtt"] * 50, "secret": ["s"] * 50}
    )
    made = register_things(table, officer, "delivery of meters")
    assert (made.things, made.streams, made.connections, made.known) == (50, 100, 50, 0)
    again = register_things(table, officer, "delivery of meters")
    assert (again.things, again.streams, again.connections, again.known) == (0, 0, 0, 50)
    assert Thing.objects.count() == 50 and Stream.objects.filter(external_id="mqtt:m7/flow").exists()
    assert has_secret(Credential.objects.get(source="mqtt:m7").hash, "mqtt:m7", "s")


def test_ordinals_are_never_used_again_also_after_a_removal(meter, officer):
    create_thing(ThingRow("a", "A", "meter"), officer, "test")
    thing = create_thing(ThingRow("b", "B", "meter"), officer, "test")
    assert list(thing.streams.order_by("ordinal").values_list("ordinal", flat=True)) == [2, 3]
    with change(officer, "wrong"):
        Stream.objects.filter(thing=thing).delete()
        thing.delete()
    thing = create_thing(ThingRow("c", "C", "meter"), officer, "test")
    assert list(thing.streams.order_by("ordinal").values_list("ordinal", flat=True)) == [4, 5]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (ThingRow("x", "X", "nothing"), "no product 'nothing'"),
        (ThingRow("x", "X", "meter", lon=40, lat=116), "longitude first"),
        (ThingRow("x", "X", "meter", division="1"), "no division '1'"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_of_its_block_is_written(meter, officer, row, words):
    with pytest.raises(RegisterError, match=words):
        register_things([ThingRow("good", "Good", "meter"), row], officer, "test")
    assert not Thing.objects.exists()


def test_published_streams_carry_limits_and_ids_and_sources_their_secret(meter, officer, own_house):
    thing = create_thing(ThingRow("mqtt:m1", "M1", "meter", protocol="mqtt", secret="s3cret"), officer, "test")
    other = create_thing(ThingRow("mqtt:m2", "M2", "meter"), officer, "test")
    flow = thing.streams.get(property__code="flow")
    with change(officer, "its own limit"):
        Threshold(property=flow.property, stream=flow, limit=50, clear=40, level="orange", title="Own", source="local: test").save()
        Threshold(property=flow.property, stream=flow, limit=5, clear=6, op="below", level="blue", title="Low", source="local: test").save()
    publish_all(own_house)
    streams = StreamDimension.load(own_house.home)
    found = streams.find(pa.array(["mqtt:m1/flow", "mqtt:m2/flow", "mqtt:m1/nothing"]))
    assert found.tolist() == [flow.ordinal, other.streams.get(property__code="flow").ordinal, -1]
    assert streams.thresholds.above[found[:2]].tolist() == pytest.approx([50.0, 100.0])
    assert streams.thresholds.below[found[0]] == pytest.approx(5.0)
    assert streams.period_us[found[0]] == 60_000_000 and streams.high[found[0]] == 1000
    directory = SourceDirectory(own_house.path("dim"))
    spec = directory.find("mqtt:m1")
    assert spec.active and directory.is_password(spec, "s3cret") and not directory.is_password(spec, "other")
    assert (own_house.path("dim") / "connections.json").stat().st_mode & 0o777 == 0o600
    current = json.loads((own_house.path("dim") / "CURRENT.json").read_text())
    assert pq.read_table(own_house.path("dim") / current["thing"]["table"]).column("external_id").to_pylist() == ["mqtt:m1", "mqtt:m2"]


def test_changes_are_published_when_they_have_been_quiet_and_connections_at_once(meter, officer, own_house):
    publisher = Publisher(own_house)
    create_thing(ThingRow("mqtt:m1", "M1", "meter"), officer, "test")
    assert not publisher.look(100.0) and StreamDimension.get_generation(own_house.home) == 0
    create_connection("mqtt:m1", Protocol.MQTT, officer, "test")
    assert not publisher.look(100.5)
    assert SourceDirectory(own_house.path("dim")).find("mqtt:m1") is not None
    assert publisher.look(100.5 + QUIET_S) and StreamDimension.get_generation(own_house.home) == 1
    assert not publisher.look(110.0)
    with change(officer, "off"):
        connection = Connection.objects.get(source="mqtt:m1")
        connection.active = False
        connection.save()
    publisher.look(111.0)
    assert not SourceDirectory(own_house.path("dim")).find("mqtt:m1").active
    again = Publisher(own_house)
    assert not again.look(200.0) and not again.look(210.0)


def test_a_thing_without_a_division_belongs_to_the_deepest_one_it_stands_in(meter, officer):
    with change(officer, "divisions"):
        city = Division(code="990100", name="city", level="city", left=1, right=2, shape=bytes(shapely.to_wkb(shapely.box(116, 39, 117, 41))))
        city.save()
        county = Division(code="990101", name="county", level="county", parent=city, left=2, right=2, shape=bytes(shapely.to_wkb(shapely.box(116, 39, 117, 40))))
        county.save()
    places = {"in the county": (116.5, 39.5), "in the city": (116.5, 40.5), "abroad": (100.0, 30.0)}
    register_things([ThingRow(name, name, "meter", lon=lon, lat=lat) for name, (lon, lat) in places.items()], officer, "test")
    register_things([ThingRow("told", "told", "meter", lon=116.5, lat=39.5, division="990100"), ThingRow("nowhere", "nowhere", "meter")], officer, "test")
    found = dict(Thing.objects.values_list("external_id", "division__code"))
    assert found == {"in the county": "990101", "in the city": "990100", "abroad": None, "told": "990100", "nowhere": None}
