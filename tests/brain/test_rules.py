"""Window rules: complete windows once, late readings again, the test bench over the past."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.brain.fuse import run_rule
from zhongshu.brain.models import CityEvent, EventSignal, RuleProgress
from zhongshu.brain.rule import READINGS, Arrivals, Flags, StreamTable, TableSource, Window, plan_windows, rule, try_rule
from zhongshu.kernel.event.models import OutboxEvent
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import freeze, to_us
from zhongshu.sense.device.feed import Feed, Measure
from zhongshu.sense.device.models import Product, Thing

HOUR = 3_600_000_000
T0 = dt.datetime(2026, 11, 23, 0, 0, tzinfo=dt.UTC)
US0 = to_us(T0)


class Limits:
    """A provider: the limit in force, as an array."""

    name = "limits"
    asked: list = []

    def read(self, start, end):
        self.asked.append((start, end))
        return np.array([75.0])


if registry.find("rule", "rulecheck.sustained") is None:
    FEED = Feed("rulecheck_station", "station", "1 h", (Measure("pm", "PM2.5"), Measure("temp", "temperature")))

    @rule(FEED, raises="rulecheck.dirty", window="3 h", every="1 h", measures=["pm"], using=[Limits()], level="yellow", title="dirty for three hours")
    def sustained(readings: Window, limits) -> Flags:
        good = readings.pick("pm").valid()
        hit = (good.count() >= 3) & (good.reduce(np.minimum) > limits[0])
        return Flags.of(good.streams[hit], good.first()[hit], good.mean()[hit], np.where(good.mean()[hit] > 150, "orange", ""))


SUSTAINED = registry.get("rule", "rulecheck.sustained")


def readings(rows) -> pa.Table:
    """Rows of (stream, hour, value[, quality])."""
    full = [(s, US0 + round(h * HOUR), v, *(q or [0])) for s, h, v, *q in rows]
    return pa.table([pa.array(c, f.type) for c, f in zip(zip(*full, strict=True), READINGS, strict=True)], schema=READINGS)


def make_source(uids=("a", "b", "b")) -> TableSource:
    streams = StreamTable(np.array([1, 2, 3]), np.array(["pm", "pm", "temp"]), np.array(uids))
    return TableSource(streams, "rulecheck_station")


def test_a_window_gives_each_stream_its_own_rows_sorted_by_time():
    table = readings([(2, 1, 5.0), (1, 2, 3.0), (1, 0, 1.0), (1, 1, 2.0), (2, 9, 9.0), (3, 0, 7.0, 1), (4, 0, 8.0)])
    window = Window.build(US0, US0 + 3 * HOUR, table, make_source().streams)
    assert window.streams.tolist() == [1, 2, 3] and window.count().tolist() == [3, 1, 1]
    assert window.value.tolist() == [1.0, 2.0, 3.0, 5.0, 7.0] and window.last().tolist() == [3.0, 5.0, 7.0]
    assert window.mean().tolist() == [2.0, 5.0, 7.0] and window.first().tolist() == [US0, US0 + HOUR, US0]
    assert window.pick("pm").valid().streams.tolist() == [1, 2] and window.valid().streams.tolist() == [1, 2]
    assert len(window.pick("none").streams) == 0 and window.pick("none").reduce(np.maximum).tolist() == []


def test_the_test_bench_tells_what_a_rule_would_have_raised_and_writes_nothing():
    source = make_source()
    source.append(readings([(1, h, 80.0 if 2 <= h < 6 else 10.0) for h in range(12)] + [(2, h, 200.0) for h in range(4)] + [(3, h, 99.0) for h in range(12)]))
    hits = try_rule("rulecheck.sustained", T0, T0 + dt.timedelta(hours=12), source)
    found = [(h.stream, (h.window_start - US0) // HOUR, (h.start - US0) // HOUR, h.value, h.level) for h in hits]
    assert found == [(2, 0, 0, 200.0, "orange"), (2, 1, 1, 200.0, "orange"), (1, 2, 2, 80.0, "yellow"), (1, 3, 3, 80.0, "yellow")]
    assert hits[0].key == f"rulecheck.sustained@1/2/{US0}" and hits[0].thing == "b"


def test_a_flag_on_a_stream_that_was_not_given_is_refused():
    window = Window.build(US0, US0 + HOUR, readings([(1, 0, 1.0)]), make_source().streams)
    with pytest.raises(ValueError, match="not given"):
        window.known.find([99])


def test_declarations_with_a_slip_are_refused():
    for more, words in (({"window": "3 hours"}, "not a length"), ({"level": "purple"}, "none of"), ({"measures": ["so2"]}, "no measure")):
        with pytest.raises(ValueError, match=words):
            rule(SUSTAINED.feed, **{"raises": "rulecheck.x", "window": "3 h", "title": "x"} | more)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.lists(st.integers(0, 60), max_size=3)), min_size=1, max_size=12))
def test_every_complete_window_is_evaluated_exactly_once_as_new_and_again_for_each_late_span(steps):
    """Against brute force: after each step, the windows planned as new so far are all complete ones since the first run; late ones are the old ones that overlap."""
    length, done_to, again, seen, clock = 3 * HOUR, 0, [], [], US0
    for forward, lates in steps:
        clock += forward * HOUR // 4
        spans = tuple((US0 + h * HOUR // 4, US0 + h * HOUR // 4 + 10) for h in lates)
        before = done_to
        plan = plan_windows(SUSTAINED, done_to, again, Arrivals("1", clock, spans))
        seen += plan.new
        done_to, again = plan.done_to, plan.again
        assert len(set(seen)) == len(seen)
        assert seen == list(range(seen[0], clock - length + 1, HOUR)) if seen else True
        if before:
            old = [s for s in range(US0 - 10 * HOUR, before, HOUR) if s + length <= before]
            assert set(plan.late) == {s for s in old for low, high in spans if s <= high and s + length > low}
        assert again == ()


@pytest.fixture
def stations(transactional_db):
    with change(SYSTEM, "stations"):
        product = Product(code="rulecheck_station", name="station")
        product.save()
        made = [Thing(external_id=n, name=f"station {n}", product=product, lon=114.0, lat=30.0) for n in ("A", "B")]
        for thing in made:
            thing.save()
    return [str(t.uid) for t in made]


def _events():
    return list(OutboxEvent.objects.order_by("id").values_list("name", flat=True))


def test_results_open_one_event_join_it_and_close_it_when_the_stream_is_heard_and_fine(stations):
    source = make_source((stations[0], stations[1], stations[1]))
    with freeze(T0 + dt.timedelta(hours=3)) as clock:
        source.append(readings([(1, h, 80.0) for h in (0, 1, 2, 3)]))
        assert run_rule(SUSTAINED, source) == 1
        event = CityEvent.objects.get()
        assert (event.kind, event.title, event.started_at, event.historical) == ("rulecheck.dirty", "station A: dirty for three hours", T0, False)
        assert run_rule(SUSTAINED, source) == 0, "nothing new arrived"
        source.append(readings([(1, 4, 90.0), (2, 5, 10.0)]))
        clock.move(dt.timedelta(hours=2))
        assert run_rule(SUSTAINED, source) == 2, "the windows that begin at one and two o'clock"
        assert CityEvent.objects.get().state == "open", "silence says nothing"
        source.append(readings([(1, 5, 20.0), (1, 6, 20.0)]))
        assert run_rule(SUSTAINED, source) == 0
    event.refresh()
    assert (event.state, event.signals, event.ended_at) == ("closed", 3, T0 + dt.timedelta(hours=6))
    assert _events() == ["brain.event.opened", "brain.event.joined", "brain.event.joined", "brain.event.closed"]


def test_late_readings_raise_what_was_missed_once_and_never_twice(stations):
    source = make_source((stations[0], stations[1], stations[1]))
    with freeze(T0 + dt.timedelta(hours=9)):
        source.append(readings([(1, h, 10.0) for h in range(10)] + [(2, h, 80.0) for h in (0, 2)]))
        run_rule(SUSTAINED, source)
        RuleProgress.objects.update(done_to=0, position="")
        source.append(readings([(2, 9.0, 10.0)]))
        run_rule(SUSTAINED, source)
        assert EventSignal.objects.count() == 0
        source.append(readings([(2, 1, 90.0)]))
        assert run_rule(SUSTAINED, source) == 1
        event = CityEvent.objects.get()
        assert (event.started_at, event.state, event.ended_at, event.title[:9]) == (T0, "closed", T0 + dt.timedelta(hours=3), "station B")
        source.append(readings([(3, 1, 50.0)]))
        Limits.asked.clear()
        assert run_rule(SUSTAINED, source) == 0
        assert US0 in [start for start, _end in Limits.asked], "the window was evaluated again"
    assert EventSignal.objects.count() == 1 and _events() == ["brain.event.opened", "brain.event.closed"]


def test_results_about_old_data_are_historical(stations):
    source = make_source((stations[0], stations[1], stations[1]))
    with freeze(T0 + dt.timedelta(days=30)):
        source.append(readings([(1, h, 80.0) for h in range(4)]))
        assert run_rule(SUSTAINED, source) == 1
    assert CityEvent.objects.get().historical


def test_a_run_that_another_worker_overtook_writes_nothing(stations, monkeypatch):
    source = make_source((stations[0], stations[1], stations[1]))
    source.append(readings([(1, h, 80.0) for h in range(4)]))
    real = source.read

    def overtaken(*question):
        monkeypatch.setattr(source, "read", real)
        run_rule(SUSTAINED, source)
        return real(*question)

    with freeze(T0 + dt.timedelta(hours=3)):
        monkeypatch.setattr(source, "read", overtaken)
        assert run_rule(SUSTAINED, source) == 0
    assert EventSignal.objects.count() == 1 and _events() == ["brain.event.opened"]
