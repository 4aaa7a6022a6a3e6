"""City events: what is one event and what is two, by subject, by place, by time."""

import dataclasses
import datetime as dt
import uuid

import pytest

from zhongshu.brain.fuse import EventRule, Signal, clear_signal, find_event, take_signal
from zhongshu.brain.models import CityEvent
from zhongshu.kernel.event.models import OutboxEvent
from zhongshu.kernel.registry import registry

pytestmark = pytest.mark.django_db(transaction=True)

T0 = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
NEAR = registry.find("event_rule", "eventcheck.near") or EventRule(
    "eventcheck.near", "eventcheck.smell", "smell", alarms=False, radius_m=500, within_h=2, title="{title} at {thing}, {value} {unit}"
)
OWN = registry.find("event_rule", "eventcheck.own") or EventRule("eventcheck.own", "eventcheck.noise", "noise", alarms=False, within_h=2)


def signal(lon=114.0, lat=30.0, hours=0.0, level="yellow", subject=None, historical=False) -> Signal:
    at = T0 + dt.timedelta(hours=hours)
    return Signal(str(uuid.uuid4()), "alarm", "sense.Thing", subject or str(uuid.uuid4()), level, "H2S", at, historical, 1.25, 1.0, "mg/m3", "gate", lon=lon, lat=lat)


def test_signals_near_each_other_are_one_event_and_those_further_away_another():
    first = take_signal(NEAR, signal())
    assert first.title == "H2S at gate, 1.25 mg/m3"
    assert take_signal(NEAR, signal(lon=114.0 + 450 / 96_400)) == first, "450 m to the east; a degree of longitude is 96.4 km here"
    assert take_signal(NEAR, signal(lat=30.0 + 450 / 111_195)) == first
    assert take_signal(NEAR, signal(lon=114.0 + 550 / 96_400)) != first
    assert take_signal(NEAR, signal(lon=None, lat=None)) not in (first, None)
    assert sorted(CityEvent.objects.values_list("signals", flat=True)) == [1, 1, 3]


def test_subjects_stay_apart_where_no_radius_is_declared():
    assert take_signal(OWN, signal(subject="a")) != take_signal(OWN, signal(subject="b"))
    assert CityEvent.objects.count() == 2


def test_a_pause_longer_than_declared_begins_a_new_event():
    first = signal(subject="a")
    event = take_signal(OWN, first)
    clear_signal(first.key, T0 + dt.timedelta(hours=1))
    assert find_event(str(event.uid)).state == "closed"
    again = signal(subject="a", hours=2.9)
    assert take_signal(OWN, again) == event and find_event(str(event.uid)).state == "open"
    clear_signal(again.key, T0 + dt.timedelta(hours=4))
    assert take_signal(OWN, signal(subject="a", hours=6.1)) != event


def test_a_signal_is_taken_once_and_cleared_once_and_never_before_it_began():
    one = signal(subject="a")
    event = take_signal(OWN, one)
    assert take_signal(OWN, one) is None
    assert clear_signal(one.key, T0 - dt.timedelta(hours=9)) == event and clear_signal(one.key, T0) is None
    assert find_event(str(event.uid)).ended_at == T0
    assert list(OutboxEvent.objects.order_by("id").values_list("name", flat=True)) == ["brain.event.opened", "brain.event.closed"]


def test_the_level_of_an_event_is_its_worst_and_never_falls():
    event = take_signal(OWN, signal(subject="a", level="orange"))
    for level in ("red", "blue"):
        take_signal(OWN, signal(subject="a", hours=0.5, level=level))
    assert find_event(str(event.uid)).level == "red"


def test_historical_and_live_signals_never_share_an_event():
    assert take_signal(OWN, signal(subject="a", historical=True)) != take_signal(OWN, signal(subject="a"))


def test_an_event_rule_with_a_slip_is_refused():
    with pytest.raises(ValueError, match="none of"):
        EventRule("eventcheck.bad", "eventcheck.x", "x", min_level="pink")
    with pytest.raises(KeyError):
        EventRule("eventcheck.bad", "eventcheck.x", "x", title="{colour}")


def test_an_alarm_stands_before_the_many_results_of_a_rule_that_follow_it():
    event = take_signal(OWN, signal(subject="a"))
    for hour in range(3):
        take_signal(OWN, dataclasses.replace(signal(subject="a", hours=hour), source="rule"))
    assert [s.source for s in find_event(str(event.uid)).signals] == ["alarm", "rule", "rule", "rule"]
