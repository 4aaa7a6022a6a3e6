"""What pages ask about measurements."""

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from zhongshu.kernel.log import Entry, LogWriter
from zhongshu.sense.device.publish import publish_all
from zhongshu.sense.device.register import ThingRow, create_thing
from zhongshu.sense.gateway.process import open_gateway
from zhongshu.sense.observe import facade
from zhongshu.sense.observe.quality import Quality
from zhongshu.sense.observe.reading import encode_readings
from zhongshu.sense.pipeline.pipeline import Pipeline, PipelineSettings
from zhongshu.sense.protocol.hj212 import format_packet

pytestmark = pytest.mark.django_db
START = datetime(2026, 8, 1, tzinfo=UTC)
MN = "A110000000000000000000001"


def upload(mn, hour, value):
    groups = [[("DataTime", f"20260801{hour:02}0000")], [("flow", "1")] if value is None else [("a34004-Avg", value), ("a34004-Flag", "N")]]
    return format_packet(cn="2061", mn=mn, st="22", pw="123456", qn=f"20260801{hour:02}0000001", groups=groups, is_answer_wanted=True)


def step(house, now=None):
    pipeline = Pipeline(PipelineSettings(house.home), **({"clock": lambda: now} if now else {}))
    while pipeline.step():
        pass
    pipeline.close()


def test_latest_values_and_series_come_with_unit_quality_and_age(meter, officer, own_house):
    thing = create_thing(ThingRow("mqtt:m1", "M1", "meter", lon=116.0, lat=40.0), officer, "test")
    publish_all(own_house)
    view = facade.get_thing_view(str(thing.uid))
    assert [(v.property, v.value, v.t) for v in view.values] == [("flow", None, None), ("level", None, None)]
    t0 = round(START.timestamp() * 1e6)
    t = [t0 + n * 60_000_000 for n in range(180)]
    values = [float(n) if n % 10 else None for n in range(180)]
    quality = [0 if n % 10 else 20 for n in range(180)]
    writer = LogWriter(own_house.path("log", "local.sqlite3"))
    writer.append([Entry("readings", encode_readings(["mqtt:m1/flow"], [0] * 180, t, values, quality), t[-1], "test")])
    writer.close()
    step(own_house, t[-1])
    latest = facade.list_latest([str(thing.uid)])[0]
    assert (latest.value, latest.unit, latest.quality, latest.t, latest.headline) == (179.0, "m3/h", Quality.GOOD, START + timedelta(minutes=179), True)
    series = facade.get_series("mqtt:m1/flow", START, START + timedelta(hours=3), 3600)
    good = np.array([n for n in range(60) if n % 10])
    assert [(p.n, p.n_valid) for p in series.points] == [(60, 54)] * 3
    assert series.points[0].value == pytest.approx(good.mean()) and (series.points[0].low, series.points[0].high) == (1.0, 59.0)
    raw = facade.get_series("mqtt:m1/flow", START + timedelta(minutes=10), START + timedelta(minutes=12))
    assert [(p.t.minute, p.value, p.n_valid) for p in raw.points] == [(10, None, 0), (11, 11.0, 1)]
    long = facade.get_series("mqtt:m1/flow", START - timedelta(days=20), START + timedelta(hours=3), 3600)
    assert [p.n for p in long.points] == [60, 60, 60] and long.points[0].t == START


def test_frames_counters_and_refused_arrivals_are_listed_and_refused_ones_can_be_played_again(meter, officer, own_house):
    from zhongshu.kernel.home import Gateway

    object.__setattr__(own_house, "gateway", Gateway(hj212_port=0))
    publish_all(own_house)

    async def talk(mn, hours):
        async with open_gateway(own_house) as parts:
            _reader, writer = await asyncio.open_connection("127.0.0.1", parts.server.port)
            before = parts.counters.of(f"hj212:{mn}", is_known=False).frames
            for hour in hours:
                writer.write(upload(mn, hour, "35.5"))
            await writer.drain()
            async with asyncio.timeout(10):
                while parts.counters.of(f"hj212:{mn}", is_known=False).frames < before + len(hours):
                    await asyncio.sleep(0.01)
            writer.close()
            parts.write_pulse(0.0)

    asyncio.run(talk(MN, [8, 9]))
    refused = facade.list_refused()
    assert [(r.source, r.reason) for r in refused] == [(f"hj212:{MN}", "unknown-source")] * 2
    assert facade.list_refused_counts() == {(f"hj212:{MN}", "unknown-source"): 2}
    strangers = facade.list_connections(strangers=True)
    assert [(c.source, c.uid, c.counters.refused) for c in strangers] == [(f"hj212:{MN}", "", {"unknown-source": 2})]
    again = facade.replay_quarantine(refused[0].partition, refused[0].id)
    assert not again.taken and "no connection" in again.message

    create_thing(ThingRow(f"hj212:{MN}", "Station", "meter", protocol="hj212", secret="123456"), officer, "registered late")
    publish_all(own_house)
    assert [facade.replay_quarantine(r.partition, r.id).taken for r in refused] == [True, True]
    assert facade.list_refused() == []
    with pytest.raises(LookupError):
        facade.replay_quarantine(refused[0].partition, refused[0].id)
    asyncio.run(talk(MN, [9, 10]))
    step(own_house)
    frames = facade.list_frames(f"hj212:{MN}")
    assert [f.state for f in frames] == ["taken"] * 3 and frames[0].raw == upload(MN, 10, "35.5").strip().replace(b"PW=123456", b"PW=******")
    view = facade.list_connections()[0]
    assert (view.counters.frames, view.counters.readings, view.counters.repeated, view.active) == (4, 1, 1, True)
