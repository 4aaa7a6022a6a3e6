"""Rules on a real lake: live rows, late rows, corrections and compaction."""

import dataclasses
import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from zhongshu.brain.models import CityEvent, EventSignal
from zhongshu.brain.rule import Flags, Window, rule, try_rule
from zhongshu.brain.rule.lake import LakeSource
from zhongshu.kernel.job import Job, enqueue, run_next
from zhongshu.kernel.lake import TABLES, Lake, compact_day
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import freeze, to_us
from zhongshu.sense.device.feed import Feed, Measure
from zhongshu.sense.device.models import Product, Property, Stream, Thing

HOUR = 3_600_000_000
T0 = dt.datetime(2026, 11, 23, 0, 0, tzinfo=dt.UTC)
US0 = to_us(T0)

if registry.find("rule", "rulelake.high") is None:
    FEED = Feed("rulelake_station", "station", "1 h", (Measure("pm", "PM2.5"),))

    @rule(FEED, raises="rulelake.dirty", window="2 h", every="1 h", title="dirty")
    def high(readings: Window) -> Flags:
        good = readings.valid()
        hit = (good.count() >= 2) & (good.reduce(np.minimum) > 75)
        return Flags.of(good.streams[hit], good.start, good.mean()[hit])


@pytest.fixture
def lake(transactional_db, settings, tmp_path):
    settings.HOUSE = dataclasses.replace(settings.HOUSE, home=tmp_path)
    with change(SYSTEM, "stations"):
        product = Product(code="rulelake_station", name="station")
        product.save()
        prop = Property(product=product, code="pm", name="PM2.5")
        prop.save()
        for n in range(2):
            thing = Thing(external_id=f"L{n}", name=f"station {n}", product=product)
            thing.save()
            Stream(ordinal=n, external_id=f"L{n}/pm", thing=thing, property=prop).save()
    made = Lake(tmp_path / "lake", settings.TIME_ZONE)
    yield made
    made.close()


def rows(*values) -> pa.Table:
    stream, hour, value = zip(*values, strict=True)
    t = [US0 + h * HOUR for h in hour]
    return pa.table(
        {
            "stream": pa.array(stream, pa.int64()),
            "t": pa.array(t, pa.int64()),
            "sub": pa.array([0] * len(t), pa.uint8()),
            "value": pa.array(value, pa.float64()),
            "quality": pa.array([0] * len(t), pa.uint8()),
        }
    )


def correction(stream, hour, first, value) -> pa.Table:
    schema = TABLES["correction"].schema
    values = {
        "stream": stream,
        "t": US0 + hour * HOUR,
        "sub": 0,
        "first": first,
        "first_quality": 0,
        "value": value,
        "quality": 0,
        "app": "test",
        "offset": 1,
        "recorded_at": US0,
    }
    return pa.table([pa.array([values[f.name]], f.type) for f in schema if f.name != "day"], names=[f.name for f in schema if f.name != "day"])


def run_job():
    enqueue("brain.rule.run")
    assert run_next()
    job = Job.objects.order_by("-id").first()
    assert job.state == Job.State.DONE, job.error
    return job.result["signals"]


def test_the_job_finds_live_late_and_corrected_readings_in_the_lake_and_repeats_nothing(lake):
    with freeze(T0 + dt.timedelta(hours=3, minutes=5)) as clock:
        lake.append("observation", rows((0, 0, 80.0), (0, 1, 90.0), (1, 0, 10.0), (1, 1, 90.0)))
        assert run_job() == 1 and CityEvent.objects.get().title == "station 0: dirty"
        clock.move(dt.timedelta(hours=1))
        lake.append("observation", rows((0, 2, 20.0), (1, 2, 91.0)))
        assert run_job() == 1
        assert sorted(CityEvent.objects.values_list("title", "state")) == [("station 0: dirty", "closed"), ("station 1: dirty", "open")]
        lake.append("late", rows((0, 3, 1.0)))
        assert run_job() == 0
        compact_day(lake, "observation", dt.date(2026, 11, 23))
        assert run_job() == 0
        assert EventSignal.objects.count() == 2
        lake.append("late", rows((1, -30, 80.0), (1, -29, 99.0)))
        assert run_job() == 1
        late = EventSignal.objects.order_by("-id").first()
        lake.append("correction", correction(1, 0, 10.0, 78.0))
        assert run_job() == 1, "with the corrected value the first two hours of station 1 are over the limit too"
    assert EventSignal.objects.order_by("-id").first().started_at == T0
    assert (late.started_at, late.cleared_at) == (T0 - dt.timedelta(hours=30), T0 - dt.timedelta(hours=28))


def test_the_test_bench_reads_the_past_of_the_lake(lake):
    lake.append("observation", rows(*((n % 2, h, 80.0 + h) for h in range(48) for n in range(2))))
    hits = try_rule("rulelake.high", T0, T0 + dt.timedelta(hours=48), LakeSource(lake, 0))
    assert len(hits) == 2 * 47 and EventSignal.objects.count() == 0
    assert {h.value for h in hits if h.stream == 1} == {80.5 + h for h in range(47)}
