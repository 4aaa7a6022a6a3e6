import json
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from zhongshu.kernel.log import Entry, LogReader, LogWriter
from zhongshu.sense.observe import LatestReader, StreamDimension, publish_streams
from zhongshu.sense.observe.reading import encode_frames, encode_readings, encode_texts
from zhongshu.sense.pipeline import Pipeline, PipelineSettings

NOW = int(datetime(2026, 3, 10, 12, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * 1_000_000
DAY, MINUTE, SECOND = 86_400_000_000, 60_000_000, 1_000_000


def streams(count=4, thresholds=None, **columns):
    rows = [
        {"ordinal": n, "external_id": f"hj212:A/{n}", "period_s": 60.0, "low": -50.0, "high": 100.0, "thresholds": (thresholds or {}).get(n)} | columns
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows)


@pytest.fixture
def home(tmp_path):
    publish_streams(streams(), tmp_path)
    return tmp_path


class House:
    def __init__(self, home):
        self.home = home
        self.pipeline = Pipeline(PipelineSettings(home), clock=lambda: NOW)
        self.logs = {}

    def send(self, rows, partition="local", received=NOW):
        """rows: (stream number, t, value[, quality])"""
        ids = [f"hj212:A/{r[0]}" if isinstance(r[0], int) else r[0] for r in rows]
        known = list(dict.fromkeys(ids))
        body = encode_readings(known, [known.index(i) for i in ids], [r[1] for r in rows], [r[2] for r in rows], [r[3] if len(r) > 3 else 0 for r in rows])
        return self.put(Entry("readings", body, received, "test"), partition)

    def put(self, entry, partition="local"):
        if partition not in self.logs:
            self.logs[partition] = LogWriter(self.home / "log" / f"{partition}.sqlite3")
        self.logs[partition].append([entry])
        return self

    def step(self):
        return self.pipeline.step()

    def ask(self, sql, *tables):
        with self.pipeline.lake.connect(tables or ("observation",)) as con:
            return con.execute(sql).fetchall()

    def rows(self):
        return self.ask("SELECT stream, t, value, quality FROM observation ORDER BY ALL")

    def alarms(self):
        reader = LogReader(self.home / "log" / "facts.sqlite3")
        found = [row for e in reader.read(0) if e.kind == "alarms" for row in pa.ipc.open_stream(e.body).read_all().to_pylist()]
        reader.close()
        return found

    def close(self):
        self.pipeline.close()
        for log in self.logs.values():
            log.close()


@pytest.fixture
def house(home):
    house = House(home)
    yield house
    house.close()


def test_readings_arrive_in_lake_and_latest_and_the_log_is_trimmed(house):
    house.send([(0, NOW - 2, 1.0), (1, NOW - 1, None), (0, NOW - 1, 2.0)]).step()
    assert house.rows() == [(0, NOW - 2, 1.0, 0), (0, NOW - 1, 2.0, 0), (1, NOW - 1, None, 20)]
    latest = LatestReader(house.home / "latest").read(np.array([0, 1, 2, 10**7]))
    assert latest.value[0] == 2.0 and latest.t[0] == NOW - 1 and latest.arrived_at[0] == NOW
    assert np.isnan(latest.value[1:]).all() and latest.quality.tolist() == [0, 20, 20, 20]
    reader = LogReader(house.home / "log" / "local.sqlite3")
    assert reader.figures().entries == 0
    reader.close()


def test_an_equal_repetition_is_dropped_and_another_value_is_a_correction(house):
    house.send([(0, NOW, 1.0), (0, NOW, 1.0)]).step()
    house.send([(0, NOW, 1.0), (0, NOW, 3.0)], "other").step()
    house.send([(0, NOW, 3.0), (1, NOW, 5.0), (1, NOW, 6.0), (1, NOW, 6.0), (1, NOW, 5.0)]).step()
    assert house.rows() == [(0, NOW, 3.0, 0), (1, NOW, 5.0, 0)]
    kept = house.ask('SELECT stream, first, value FROM correction ORDER BY recorded_at, app, "offset"', "correction")
    assert sorted(kept) == [(0, 1.0, 3.0), (1, 5.0, 5.0)]
    counts = house.pipeline.counts
    assert (counts.new, counts.duplicates, counts.corrections) == (2, 4, 3)
    assert LatestReader(house.home / "latest").read(np.array([0])).value[0] == 3.0


def test_a_late_reading_goes_to_late_and_is_read_with_the_rest(house):
    old = NOW - 10 * DAY
    house.send([(0, old, 1.0), (0, NOW - DAY, 2.0)]).step()
    house.send([(0, old, 1.0), (0, old + 1, 4.0), (0, NOW - 2 * DAY, 3.0)]).step()
    assert house.pipeline.counts.late == 2
    assert [r[2] for r in house.rows()] == [1.0, 4.0, 3.0, 2.0]


def test_future_and_unknown_readings_are_kept_apart_and_played_again_when_known(house):
    house.send([("hj212:new/x", NOW - 5, 1.5), (0, NOW + 10 * MINUTE, 9.0), (0, NOW + 4 * MINUTE, 2.0)]).step()
    assert [r[2] for r in house.rows()] == [2.0]
    assert house.pipeline.counts.quarantined == {"unknown_stream": 1, "future": 1}
    quarantine = house.pipeline.quarantine
    assert quarantine.count_reasons() == {"unknown_stream": 1, "future": 1} and quarantine.list_ids() == ["hj212:new/x"]
    more = streams(5).to_pylist()
    more[4]["external_id"] = "hj212:new/x"
    publish_streams(pa.Table.from_pylist(more), house.home)
    replay = LogWriter(house.home / "log" / "replay.sqlite3")
    assert quarantine.release(StreamDimension.load(house.home), replay.append, NOW + MINUTE) == 1
    replay.close()
    house.step()
    assert (4, NOW - 5, 1.5, 0) in house.rows()
    assert quarantine.count_reasons() == {"future": 1}


def test_an_implausible_value_is_flagged_and_raises_no_alarm(home):
    publish_streams(streams(2, {0: [{"id": "T", "op": ">", "limit": 50.0, "clear": None, "for_s": 0.0, "level": 1}]}), home)
    house = House(home)
    house.send([(0, NOW, 1000.0)]).step()
    assert house.rows() == [(0, NOW, 1000.0, 1)] and house.alarms() == []
    house.close()


def test_one_alarm_a_excursion_with_duration_and_hysteresis(home):
    limit = {"id": "T", "op": ">=", "limit": 50.0, "clear": 40.0, "for_s": 120.0, "level": 2}
    publish_streams(streams(2, {0: [limit]}), home)
    house = House(home)
    t0 = NOW - 60 * MINUTE
    values = [49, 50, 45, 60, 60, 60, 41, 40, 55, 39, 51, 51, 51, 51]
    for n, value in enumerate(values):
        house.send([(0, t0 + n * MINUTE, float(value)), (1, t0 + n * MINUTE, 99.0)]).step()
        if n == 4:  # a restart in between changes nothing
            house.close()
            house = House(home)
    expected = [("raised", 1, 3), ("cleared", 1, 7), ("raised", 10, 12)]
    assert [(a["state"], (a["started_at"] - t0) // MINUTE, (a["at"] - t0) // MINUTE) for a in house.alarms()] == expected
    assert house.alarms()[0]["key"] == f"0:T:{t0 + MINUTE}" and house.alarms()[0]["historical"] is False
    house.close()


def test_batching_does_not_change_the_alarms(tmp_path):
    rng = np.random.default_rng(3)
    limits = {
        n: [
            {"id": "hi", "op": ">", "limit": 1.0, "clear": 0.5, "for_s": 60.0 * (n % 3), "level": 1},
            {"id": "lo", "op": "<=", "limit": -1.0, "clear": None, "for_s": 0.0, "level": 2},
        ]
        for n in range(6)
    }
    t0 = NOW - 300 * MINUTE
    values = np.cumsum(rng.normal(0, 0.6, (200, 6)), axis=0) * 0.5 % 4 - 2
    found = []
    for size in (200, 7, 1):
        home = tmp_path / str(size)
        publish_streams(streams(6, limits), home)
        house = House(home)
        for start in range(0, 200, size):
            house.send([(s, t0 + n * MINUTE, float(values[n, s])) for n in range(start, min(start + size, 200)) for s in range(6)]).step()
        found.append(sorted((a["key"], a["state"], a["at"]) for a in house.alarms()))
        house.close()
    assert len(found[0]) > 20 and found[0] == found[1] == found[2] == sorted(plain_alarms(values, t0, limits))


def plain_alarms(values, t0, limits):
    """The rule spelled out reading by reading."""
    for stream, rules in limits.items():
        for rule in rules:
            since, raised, upper = None, False, rule["op"] == ">"
            clear = rule["limit"] if rule["clear"] is None else rule["clear"]
            for n, value in enumerate(values[:, stream]):
                t = t0 + n * MINUTE
                over = value > rule["limit"] if upper else value <= rule["limit"]
                if over and since is None:
                    since = t
                elif not over and since is not None and (value <= clear if upper else value >= clear):
                    if raised:
                        yield (f"{stream}:{rule['id']}:{since}", "cleared", t)
                    since, raised = None, False
                if since is not None and not raised and t - since >= rule["for_s"] * 1e6:
                    raised = True
                    yield (f"{stream}:{rule['id']}:{since}", "raised", t)


def test_old_data_raise_historical_alarms(home):
    publish_streams(streams(1, {0: [{"id": "T", "op": ">", "limit": 5.0, "clear": None, "for_s": 0.0, "level": 1}]}), home)
    house = House(home)
    house.send([(0, NOW - 49 * 3600 * SECOND, 6.0), (0, NOW, 1.0)]).step()
    assert [(a["state"], a["historical"]) for a in house.alarms()] == [("raised", True), ("cleared", False)]
    house.close()


def test_a_standing_alarm_is_cleared_when_its_threshold_is_taken_away(home):
    publish_streams(streams(1, {0: [{"id": "T", "op": ">", "limit": 5.0, "clear": None, "for_s": 0.0, "level": 1}]}), home)
    house = House(home)
    house.send([(0, NOW, 6.0)]).step()
    publish_streams(streams(1), home)
    house.step()
    assert [(a["key"], a["state"]) for a in house.alarms()] == [(f"0:T:{NOW}", "raised"), (f"0:T:{NOW}", "cleared")]
    house.close()


POINTS = ["facts", "latest", "late", "correction", "observation", "sync"]


@pytest.mark.parametrize("where", POINTS)
def test_whatever_step_it_stops_after_everything_is_there_once(home, where, monkeypatch):
    publish_streams(streams(4, {0: [{"id": "T", "op": ">", "limit": 5.0, "clear": None, "for_s": 0.0, "level": 1}]}), home)
    house = House(home)
    house.send([(0, NOW - 9, 1.0), (1, NOW - 20 * DAY, 1.0)]).step()
    house.send([(0, NOW - 8, 6.0), (0, NOW - 9, 2.0), (1, NOW - 20 * DAY + 1, 7.0), ("hj212:new/x", NOW, 1.0)])
    house.send([(0, NOW - 9, 1.0), (2, NOW, 1.0)])
    pipeline, lake = house.pipeline, house.pipeline.lake
    append = lake.append

    class Stop(Exception):
        pass

    def stop_after(name, call):
        def stopping(*args, **kwargs):
            call(*args, **kwargs)
            raise Stop

        return stopping

    if where == "facts":
        pipeline.facts.commit = stop_after(where, pipeline.facts.commit)
    elif where == "latest":
        pipeline.latest.update = stop_after(where, pipeline.latest.update)
    elif where == "sync":
        lake.sync = stop_after(where, lake.sync)
    else:
        lake.append = lambda table, *args: (stop_after(where, append) if table == where else append)(table, *args)
    with pytest.raises(Stop):
        house.step()
    del house
    again = House(home)
    again.send([(2, NOW + 1, 3.0)])
    while again.step():
        pass
    assert again.rows() == [
        (0, NOW - 9, 1.0, 0),
        (0, NOW - 8, 6.0, 0),
        (1, NOW - 20 * DAY, 1.0, 0),
        (1, NOW - 20 * DAY + 1, 7.0, 0),
        (2, NOW, 1.0, 0),
        (2, NOW + 1, 3.0, 0),
    ]
    assert again.ask("SELECT first, value FROM correction ORDER BY value DESC", "correction") == [(1.0, 2.0), (1.0, 1.0)]
    assert again.ask("SELECT count(*), count(DISTINCT (stream, t, sub)) FROM observation") == [(6, 6)]
    assert [a["state"] for a in again.alarms()] == ["raised"]
    assert again.pipeline.quarantine.count_reasons() == {"unknown_stream": 1}
    again.close()


def test_frames_and_texts_have_their_own_tables(house):
    house.put(Entry("frames", encode_frames([("c1", NOW, b"##", 0, "", ""), ("c1", NOW, b"#", 2, "crc", ""), ("c2", NOW, b"#", 2, "crc", "")]), NOW))
    house.put(Entry("texts", encode_texts(["hj212:A/1"], [0, 0], [NOW, NOW], ["open", "shut"]), NOW))
    house.put(Entry("readings", b"broken", NOW))
    house.step()
    assert house.ask("SELECT connection, state FROM frame ORDER BY ALL", "frame") == [("c1", 0), ("c1", 2), ("c2", 2)]
    assert len(house.ask("SELECT value FROM observation_other", "observation_other")) == 1
    assert house.pipeline.counts.refused_frames == {"c1|crc": 1, "c2|crc": 1} and house.pipeline.counts.unreadable == 1
    house.pipeline.write_counts()
    assert json.loads((house.home / "run" / "pipeline.json").read_text())["frames"] == 3


def test_latest_values_are_made_again_from_the_lake_after_a_power_cut(home, monkeypatch):
    house = House(home)
    house.send([(0, NOW, 1.0), (1, NOW, None), (2, NOW - 1, 5.0)]).step()
    house.send([(0, NOW, 2.0)]).step()
    del house
    from zhongshu.sense.observe import latest

    for name in ("t", "value", "seen"):
        file = home / "latest" / name
        file.write_bytes(bytes(file.stat().st_size))
    monkeypatch.setattr(latest, "_boot_id", lambda: np.array([1, 2], np.uint64))
    again = House(home)
    assert again.pipeline.latest.rebuilt
    found = LatestReader(home / "latest").read(np.array([0, 1, 2, 3]))
    assert found.value[[0, 2]].tolist() == [2.0, 5.0] and np.isnan(found.value[[1, 3]]).all()
    assert found.t.tolist()[:3] == [NOW, NOW, NOW - 1]
    again.close()


def test_a_late_batch_of_250_000_readings_is_in_within_two_seconds_of_work(home):
    import time

    publish_streams(streams(1000), home)
    house = House(home)
    t = NOW - 6 * 3600 * SECOND + np.arange(250) * MINUTE
    ids = [f"hj212:A/{n}" for n in range(1000)]
    for start in range(250):
        body = encode_readings(ids, np.arange(1000), np.full(1000, t[start]), np.full(1000, 1.0))
        house.put(Entry("readings", body, NOW))
    house.send([(n, NOW, 1.0) for n in range(1000)], "a").step()
    while house.step():
        pass
    begun = time.process_time()
    for start in range(250):
        house.put(Entry("readings", encode_readings(ids, np.arange(1000), np.full(1000, t[start] + 5), np.full(1000, 1.0)), NOW))
    while house.step():
        pass
    used = time.process_time() - begun
    print(f"late batch of 250,000: {used:.2f} s of CPU")
    assert house.pipeline.counts.new == 501_000
    assert used < 4
    house.close()
