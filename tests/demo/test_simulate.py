"""Simulators and the history they go on from, without an installation."""

import asyncio
import json
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from zhongshu.demo.build.history import plan_history, write_history
from zhongshu.demo.build.plan import COLUMNS, choose_episode
from zhongshu.demo.build.weather import choose_weather
from zhongshu.demo.build.wiring import build_wiring
from zhongshu.demo.city import build_city
from zhongshu.demo.city.episode import Episode
from zhongshu.demo.city.readings import iter_readings
from zhongshu.demo.simulate import station as station_module
from zhongshu.demo.simulate.concentrator import build_payloads
from zhongshu.demo.simulate.due import Due
from zhongshu.demo.simulate.plan import Plan, read_plan, read_streams, write_plan
from zhongshu.demo.simulate.run import Simulator
from zhongshu.demo.simulate.station import Counts, Station
from zhongshu.kernel.lake import Lake
from zhongshu.sense.gateway.payload import parse_payload
from zhongshu.sense.protocol.hj212 import HJ212Framer, build_answer, decode, readings

NOW = 1_790_000_123_000_000
HOUR = 3_600_000_000
SEED = 3


@pytest.fixture(scope="module")
def wiring():
    return build_wiring(build_city(SEED, 300))


@pytest.fixture(scope="module")
def past(wiring):
    return wiring.streams.slice(0, wiring.hourly)


def read_lake(lake):
    with lake.connect(("observation",)) as connection:
        return connection.sql("SELECT stream, t, value, quality FROM observation ORDER BY stream, t").to_arrow_table()


def write_lake(folder, streams):
    lake = Lake(folder, "Asia/Shanghai")
    spans = plan_history(streams, NOW, 3)
    count = write_history(lake, spans, SEED, lambda _share: None)
    return lake, spans, count


@pytest.fixture(scope="module")
def history(past, tmp_path_factory):
    lake, spans, count = write_lake(tmp_path_factory.mktemp("lake"), past)
    table = read_lake(lake)
    assert table.num_rows == count
    return table, spans


def test_the_same_seed_makes_the_same_history_again(history, past, tmp_path):
    again, _, _ = write_lake(tmp_path, past)
    assert read_lake(again).equals(history[0])


def test_gaps_come_in_the_stated_share(history):
    table, spans = history
    wired = pa.array(np.sort(spans["tcp"].streams["stream"].to_numpy()))
    of_stations = table.filter(pc.is_in(table["stream"], wired))
    of_sensors = table.num_rows - of_stations.num_rows
    # outage 0.8 % and single gaps 0.4 % (FaultShares); a short past and few devices leave half of it as chance
    assert of_stations.num_rows == spans["tcp"].per_day * 3
    flagged = (of_stations["quality"].to_numpy() == 16).mean()
    assert 0.004 < 1 - of_sensors / (spans["mqtt"].per_day * 3) < 0.022
    assert 0.002 < flagged < 0.035
    assert of_stations.filter(pc.equal(of_stations["quality"], 16))["value"].null_count == (of_stations["quality"].to_numpy() == 16).sum()


def test_a_large_city_has_a_shorter_past_but_for_its_stations(past):
    many = pa.concat_tables([past] * 600)
    spans = plan_history(many, NOW, 30)
    assert spans["tcp"].end_us - spans["tcp"].start_us == 30 * 24 * HOUR
    length = spans["mqtt"].end_us - spans["mqtt"].start_us
    assert length % HOUR == 0 and HOUR <= length < 24 * HOUR
    assert spans["mqtt"].per_day * length / (24 * HOUR) <= 20_000_000


def test_live_readings_go_on_where_the_past_ends(past, history):
    _, spans = history
    for span in spans.values():
        due = Due(past.filter(pc.is_in(past["stream"], span.streams["stream"].combine_chunks())), SEED, Episode(0, {}))
        taken = [due.take(span.end_us + k * 60_000_000, span.end_us + (k + 1) * 60_000_000) for k in range(90)]
        whole = pa.concat_tables(list(iter_readings(span.streams, span.end_us, span.end_us + 90 * 60_000_000, SEED))).sort_by([("stream", "ascending"), ("t", "ascending")])
        pieces = pa.concat_tables(taken).sort_by([("stream", "ascending"), ("t", "ascending")])
        assert pieces.num_rows > 10
        assert pieces.equals(whole.select(pieces.column_names))


def test_the_present_is_calm_and_the_episode_stands_out(wiring, past, tmp_path):
    weather = choose_weather(past, SEED, NOW, 30)
    write_plan(tmp_path, build_plan(wiring), wiring.streams.select(list(COLUMNS)))
    hour = NOW // HOUR * HOUR
    episode = Episode(hour - HOUR, choose_episode(tmp_path, SEED, weather, hour - HOUR))
    stations = past.filter(pc.equal(pc.cast(past["transport"], pa.string()), "tcp"))
    table = episode.apply(pa.concat_tables(list(iter_readings(stations, hour - HOUR, hour + 2 * HOUR, weather))))
    limits = {"a34004-Avg": 75.0, "a34002-Avg": 150.0, "a05024-Avg": 200.0}
    names = dict(zip(past["stream"].to_pylist(), past["wire"].to_pylist(), strict=True))
    over = {s for s, v in zip(table["stream"].to_pylist(), table["value"].to_pylist(), strict=True) if v is not None and v > limits.get(names[s], 1e9)}
    assert [names[s] for s in over] == ["a34002-Avg"]
    assert not episode.compute(np.array(sorted(episode.streams)), np.full(len(episode.streams), episode.end_us)).any()


def build_plan(wiring):
    secrets = {name: "secret" for name, _, _ in wiring.sources}
    until = {"tcp": NOW // HOUR * HOUR - HOUR, "mqtt": NOW - 60_000_000}
    return Plan(SEED, 28_800, until, "127.0.0.1", 1, "mqtt://127.0.0.1:1", "zhongshu/+/up", secrets, 0, {}, "")


def test_a_plan_survives_its_file(wiring, tmp_path):
    plan = build_plan(wiring)
    path = write_plan(tmp_path, plan, wiring.streams.select(list(COLUMNS)))
    assert read_plan(path) == plan
    assert read_streams(path).num_rows == wiring.streams.num_rows


def test_uploads_of_a_station_are_read_by_the_codec_as_they_were_meant(wiring):
    counts = Counts()
    groups = station_module.build_groups(NOW // HOUR * HOUR, [("a34004-Avg", 35.0, 0), ("a21005-Avg", 0.84, 1), ("a05024-Avg", None, 0)], 28_800)
    packet = station_module.format_packet(cn="2061", mn="990100ZS0000000000000001", st="22", pw="ABC234", qn="20260801085857223", groups=groups, is_answer_wanted=True)
    found = readings(decode(HJ212Framer().feed(packet)[0], ()))
    assert [(r.property, r.t, r.value, r.quality) for r in found] == [
        ("a34004-Avg", NOW // HOUR * HOUR, 35.0, 0),
        ("a21005-Avg", NOW // HOUR * HOUR, 0.8, 0),
        ("a05024-Avg", NOW // HOUR * HOUR, None, 16),
    ]
    assert counts.sent == 0


def test_batches_of_a_concentrator_are_read_by_the_gateway_as_they_were_meant():
    rows = [(NOW + k % 7 * 1_000_000, f"zs-micro-{k:07d}.pm25", float(k)) for k in range(4500)]
    payloads = build_payloads(rows)
    assert [count for _, count in payloads] == [2000, 2000, 500]
    found = [reading for payload, _ in payloads for reading in parse_payload("mqtt:hub", payload, NOW).readings]
    assert sorted(found) == sorted((f"mqtt:hub/{name}", t, 0, value, 0) for t, name, value in rows)


def test_a_whole_first_step_reaches_every_station_and_every_concentrator(wiring):
    simulator = Simulator(build_plan(wiring), wiring.streams.select(list(COLUMNS)))
    sent = {}
    for hub in simulator.hubs.values():
        hub.put = lambda rows, name=hub.name: sent.setdefault(name, []).extend(rows)
    for name, table in simulator.take(NOW + 60_000_000):
        simulator.deliver(name, table)
    assert all(station._waiting[0][0] == "2061" for station in simulator.stations.values())
    assert len(sent) == len(simulator.hubs) and sum(map(len, sent.values())) > 50
    assert json.dumps(sent)


async def serve(replies):
    """A centre that answers the n-th packet as `replies` says: True answers, False is silent, None closes the connection."""
    heard = []

    async def converse(reader, writer):
        framer = HJ212Framer()
        while data := await reader.read(4096):
            for frame in framer.feed(data):
                message = decode(frame, ())
                reply = replies[min(len(heard), len(replies) - 1)]
                heard.append(message.qn)
                if reply is None:
                    writer.close()
                    return
                if reply:
                    writer.write(build_answer(message))
        writer.close()

    return await asyncio.start_server(converse, "127.0.0.1", 0), heard


def play(replies, uploads, monkeypatch):
    monkeypatch.setattr(station_module, "ANSWER_S", 0.2)

    async def run():
        server, heard = await serve(replies)
        counts = Counts()
        one = Station("990100ZS0000000000000001", "ABC234", 28_800, counts, random.Random(1))
        for number in range(uploads):
            one.put("2061", NOW + number * HOUR, [("a34004-Avg", 35.0, 0)])
        task = asyncio.create_task(one.run("127.0.0.1", server.sockets[0].getsockname()[1]))
        async with asyncio.timeout(20):
            while counts.answered < uploads:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()
        await server.wait_closed()
        return heard, counts

    return asyncio.run(run())


def test_an_unanswered_upload_is_sent_again_with_its_number(monkeypatch):
    heard, counts = play([False, True], 2, monkeypatch)
    assert heard[0] == heard[1] != heard[2]
    assert (counts.sent, counts.repeated, counts.answered) == (3, 1, 2)


def test_a_broken_connection_is_made_again_and_nothing_is_lost(monkeypatch):
    heard, counts = play([None, True], 2, monkeypatch)
    assert len(heard) == 3 and counts.answered == 2 and counts.dropped == 0


def test_simulators_load_nothing_of_the_product_but_encoders_and_the_city():
    code = "import sys, zhongshu.demo.simulate.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(station_module.__file__).split("/zhongshu/")[0]})
    loaded = [name for name in done.stdout.split() if name.startswith("zhongshu.")]
    allowed = ("zhongshu.demo.simulate", "zhongshu.demo.city", "zhongshu.sense.protocol", "zhongshu.kernel.place")
    parents = {"zhongshu.demo", "zhongshu.sense", "zhongshu.kernel"}
    assert [name for name in loaded if not name.startswith(allowed) and name not in parents] == []
    assert "zhongshu.kernel.place.models" not in loaded
    assert "django" not in done.stdout.split()
