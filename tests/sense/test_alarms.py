"""From readings over a limit to an alarm record and its events, and the band of the thing."""

import pytest

from zhongshu.kernel.event import Offset, OutboxEvent
from zhongshu.kernel.log import Entry, LogWriter
from zhongshu.sense.device.models import Band, Thing
from zhongshu.sense.device.publish import publish_all
from zhongshu.sense.device.register import ThingRow, create_thing
from zhongshu.sense.observe.band import BandKeeper
from zhongshu.sense.observe.facts import take_facts
from zhongshu.sense.observe.models import Alarm
from zhongshu.sense.observe.reading import encode_readings
from zhongshu.sense.pipeline.pipeline import Pipeline, PipelineSettings

pytestmark = pytest.mark.django_db
MINUTE = 60_000_000


@pytest.fixture
def thing(meter, officer, own_house):
    made = create_thing(ThingRow("mqtt:m1", "M1", "meter", lon=116.0, lat=40.0), officer, "test")
    publish_all(own_house)
    return made


class City:
    """A pipeline of the test, with its own clock."""

    def __init__(self, house):
        self.house = house
        self.now = 1_785_546_000_000_000
        self.writer = LogWriter(house.path("log", "local.sqlite3"))

    def measure(self, *values, stream="mqtt:m1/flow"):
        t = [self.now + n * MINUTE for n in range(len(values))]
        self.now = t[-1] + MINUTE
        self.writer.append([Entry("readings", encode_readings([stream], [0] * len(values), t, list(values)), self.now, "test")])
        pipeline = Pipeline(PipelineSettings(self.house.home), clock=lambda: self.now)
        pipeline.step()
        pipeline.close()

    @property
    def facts(self):
        return self.house.path("log", "facts.sqlite3")


def test_an_excursion_is_one_alarm_with_one_event_for_each_end(thing, own_house):
    city = City(own_house)
    city.measure(50, 120, 130, 140)
    assert take_facts(city.facts) == 1 and take_facts(city.facts) == 0
    alarm = Alarm.objects.get()
    assert (alarm.title, alarm.level, alarm.value, alarm.limit, alarm.state, alarm.historical) == ("Too much", "orange", 120.0, 100.0, "raised", False)
    assert (alarm.thing_id, alarm.lon, alarm.unit) == (thing.pk, 116.0, "m3/h")
    city.measure(95, 80)
    take_facts(city.facts)
    assert alarm.refresh().state == "cleared" and alarm.cleared_at > alarm.started_at
    assert [event.name for event in OutboxEvent.objects.order_by("id")] == ["sense.alarm.raised", "sense.alarm.cleared"]
    data = OutboxEvent.objects.order_by("id").first().data
    assert data["stream"] == "mqtt:m1/flow" and data["thing"] == str(thing.uid) and data["division"] == "" and data["product"] == "meter"


def test_facts_read_again_after_a_lost_offset_make_no_second_alarm(thing, own_house):
    city = City(own_house)
    city.measure(120)
    take_facts(city.facts)
    Offset.objects.filter(consumer="sense.facts").delete()
    assert take_facts(city.facts) == 1
    assert Alarm.objects.count() == 1 and OutboxEvent.objects.count() == 1


def test_an_error_leaves_neither_alarm_nor_offset(thing, own_house, monkeypatch):
    city = City(own_house)
    city.measure(120)
    monkeypatch.setattr("zhongshu.kernel.faults.point", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take_facts(city.facts)
    monkeypatch.undo()
    assert not Alarm.objects.exists() and not OutboxEvent.objects.exists()
    assert take_facts(city.facts) == 1 and Alarm.objects.count() == 1


def test_the_band_follows_the_latest_readings_and_falls_silent_without_any_history_row(thing, own_house):
    city = City(own_house)
    keeper = BandKeeper(own_house)
    assert keeper.keep(city.now) == 0 and thing.refresh().band == Band.UNKNOWN
    for value, band in ((50, Band.OK), (120, Band.HIGH), (50, Band.OK)):
        city.measure(value)
        assert keeper.keep(city.now) == 1 and thing.refresh().band == band
        assert keeper.keep(city.now) == 0
    assert keeper.keep(city.now + 200_000_000) == 1 and thing.refresh().band == Band.SILENT
    assert BandKeeper(own_house).keep(city.now + 200_000_000) == 0
    assert thing.version == 1 and Thing.history_model.objects.filter(record_id=thing.pk).count() == 1
