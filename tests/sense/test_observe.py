import numpy as np
import pyarrow as pa
import pytest

from zhongshu.kernel.lake import Lake, Maintenance, compact_day, fold_late, maintain_lake
from zhongshu.sense.observe import Band, Directory, LatestReader, LatestWriter, StreamDimension, build_directory, compute_band, publish_streams
from zhongshu.sense.observe.directory import DirectoryError
from zhongshu.sense.observe.latest import NEVER
from zhongshu.sense.observe.questions import HOUR_US, count_qualities, list_frames, list_hourly, list_hourly_raw, list_series
from zhongshu.sense.observe.rollup import get_needed_commits, roll_up

T0 = 1_772_323_200_000_000 - 8 * HOUR_US  # 2026-03-01 00:00 in Shanghai
DAY = 24 * HOUR_US


def test_a_directory_finds_every_id_and_no_other(tmp_path):
    rng = np.random.default_rng(1)
    ids = [f"hj212:{'x' * int(rng.integers(0, 40))}{n}/a34004-Avg" for n in range(50_000)] + ["中枢/温度", "a", "aa", "a\0"]
    ordinals = rng.permutation(len(ids))
    build_directory(pa.array(ids), ordinals, tmp_path / "d")
    found = Directory(tmp_path / "d")
    assert (found.find(pa.array(ids)) == ordinals).all()
    assert (found.find(pa.array(ids).slice(100, 5)) == ordinals[100:105]).all()
    for one in (0, 7, 50_000, 50_003):  # alone or among longer ones: the same hash
        assert found.find(pa.array([ids[one]]))[0] == ordinals[one]
    strangers = [f"{i}x" for i in ids[:20_000]] + ["", None, "y" * 5000, "a\0\0"]
    assert (found.find(pa.array(strangers)) == -1).all()
    assert (tmp_path / "d").stat().st_size / len(ids) < 16


def test_a_directory_refuses_one_id_for_two_streams(tmp_path):
    with pytest.raises(DirectoryError, match="two streams"):
        build_directory(pa.array(["a", "b", "a"]), np.arange(3), tmp_path / "d")
    with pytest.raises(DirectoryError, match="longer"):
        build_directory(pa.array(["a" * 300]), np.arange(1), tmp_path / "d")
    build_directory(pa.array([], pa.string()), np.arange(0), tmp_path / "empty")
    assert Directory(tmp_path / "empty").find(pa.array(["a"]))[0] == -1
    (tmp_path / "cut").write_bytes((tmp_path / "empty").read_bytes()[:-5])
    with pytest.raises(DirectoryError, match="complete"):
        Directory(tmp_path / "cut")


def test_a_dimension_is_swapped_whole_and_noticed(tmp_path):
    assert StreamDimension.load(tmp_path).size == 0
    limit = {"id": "T", "op": ">", "limit": 5.0, "clear": None, "for_s": 90.0, "level": 2}
    rows = [
        {"ordinal": 3, "external_id": "c", "low": 0.0, "period_s": None, "thresholds": [limit]},
        {"ordinal": 1, "external_id": "a", "period_s": 60.0, "thresholds": []},
    ]
    publish_streams(pa.Table.from_pylist(rows), tmp_path)
    first = StreamDimension.load(tmp_path)
    assert first.known.tolist() == [False, True, False, True] and first.find(pa.array(["a", "b", "c"])).tolist() == [1, -1, 3]
    assert first.low.tolist() == [-np.inf] * 3 + [0.0] and first.period_us[1] == 60_000_000
    assert first.thresholds.start.tolist() == [0, 0, 0, 0, 1] and first.thresholds.clear.tolist() == [5.0] and first.thresholds.for_us.tolist() == [90_000_000]
    assert first.reload(tmp_path) is first
    for _ in range(3):
        publish_streams(pa.Table.from_pylist(rows[:1]), tmp_path)
    assert first.reload(tmp_path).generation == 4 and not first.reload(tmp_path).known[1]
    assert len(list((tmp_path / "dim").glob("stream-*"))) == 4
    with pytest.raises(ValueError, match="one stream each"):
        publish_streams(pa.Table.from_pylist([rows[0], rows[0]]), tmp_path)


def put(writer, ordinals, t, value, quality=0):
    n = len(ordinals)
    return writer.update(np.array(ordinals), np.array(t), np.array(value, float), np.full(n, quality), np.array(t) + 1)


def test_latest_values_grow_and_changes_are_listed(tmp_path):
    reader = LatestReader(tmp_path / "latest")
    assert reader.generation == 0 and np.isnan(reader.read(np.array([5])).value).all() and len(reader.changed_since(0)) == 0
    writer = LatestWriter(tmp_path / "latest")
    one = put(writer, [1, 5], [10, 20], [1.0, 2.0])
    assert reader.generation == one and reader.changed_since(0).tolist() == [1, 5]
    two = put(writer, [5, 300_000], [15, 20], [9.0, 3.0])
    assert reader.read(np.array([300_000, 5, 1, 2])).value[:3].tolist() == [3.0, 2.0, 1.0]
    assert reader.changed_since(one).tolist() == [300_000] and len(reader.changed_since(two)) == 0
    assert writer.get_seen(np.array([5, 2])).tolist() == [20, NEVER]
    writer.close()
    assert not LatestWriter(tmp_path / "latest").rebuilt


def test_a_row_that_a_killed_writer_left_half_written_is_never_read(tmp_path):
    writer = LatestWriter(tmp_path / "latest")
    put(writer, [1, 2], [10, 10], [1.0, 2.0])
    writer._columns["sequence"][1] += 1  # as if killed
    writer._columns["value"][1] = 777.0
    got = LatestReader(tmp_path / "latest").read(np.array([1, 2]))
    assert np.isnan(got.value[0]) and got.value[1] == 2.0
    again = LatestWriter(tmp_path / "latest")
    assert again.get_seen(np.array([1]))[0] == 10
    put(again, [1], [10], [1.0])
    assert LatestReader(tmp_path / "latest").read(np.array([1])).value[0] == 1.0


def test_bands_are_of_the_limits_in_force_and_the_moment(tmp_path):
    limits = [
        {"id": "h", "op": ">", "limit": 5.0, "clear": None, "for_s": 0.0, "level": 1},
        {"id": "l", "op": "<=", "limit": 1.0, "clear": None, "for_s": 0.0, "level": 1},
    ]
    publish_streams(pa.Table.from_pylist([{"ordinal": n, "external_id": str(n), "period_s": 60.0, "thresholds": limits} for n in range(6)]), tmp_path)
    dims = StreamDimension.load(tmp_path)
    writer = LatestWriter(tmp_path / "latest")
    put(writer, [0, 1, 2, 3, 4], [T0, T0, T0, T0, T0 - 181_000_000], [5.0, 5.1, 1.0, 1.1, 3.0])
    ordinals = np.arange(7)
    bands = compute_band(ordinals, LatestReader(tmp_path / "latest").read(ordinals), dims, T0)
    assert bands.tolist() == [Band.OK, Band.HIGH, Band.LOW, Band.OK, Band.SILENT, Band.SILENT, Band.SILENT]


def rows(stream, t, value, quality):
    return pa.table(
        {
            "stream": pa.array(stream, pa.int64()),
            "t": pa.array(t, pa.int64()),
            "sub": pa.array(np.zeros(len(t)), pa.int16()),
            "value": pa.array(value, pa.float64(), from_pandas=True),
            "quality": pa.array(quality, pa.int8()),
        }
    )


def some(rng, n, day=0):
    value = np.round(rng.normal(10, 3, n), 2)
    quality = rng.choice([0, 0, 0, 11], n)
    value[::17], quality[::17] = np.nan, 20
    return rows(rng.integers(0, 5, n), T0 + day * DAY + rng.permutation(86_400)[:n] * 1_000_000, value, quality)


def assert_rolled(lake):
    streams, until = list(range(6)), T0 + 3 * DAY
    rolled, raw = (ask(lake, streams, T0 - 20 * DAY, until).to_pydict() for ask in (list_hourly, list_hourly_raw))
    assert [rolled[name] for name in ("stream", "hour", "n", "n_valid", "min", "max")] == [raw[name] for name in ("stream", "hour", "n", "n_valid", "min", "max")]
    both = [(a, b) for a, b in zip(rolled["mean"], raw["mean"], strict=True) if b is not None]
    assert np.allclose(*zip(*both, strict=True), rtol=1e-12) and [m is None for m in rolled["mean"]] == [m is None for m in raw["mean"]]
    return len(raw["n"])


def test_the_roll_up_equals_the_raw_answer_after_every_kind_of_change(tmp_path):
    rng = np.random.default_rng(2)
    lake = Lake(tmp_path)
    lake.append("observation", some(rng, 3000))
    assert roll_up(lake) == assert_rolled(lake) > 100
    assert roll_up(lake) == 0
    lake.append("observation", some(rng, 500, 1))
    lake.append("late", some(rng, 50, -10))
    roll_up(lake)
    cells = assert_rolled(lake)
    first = lake.connect(("observation",)).execute("SELECT stream, t, value FROM observation WHERE quality = 0 LIMIT 1").fetchone()
    fix = pa.table(
        {
            "stream": [first[0]],
            "t": [first[1]],
            "sub": [0],
            "first": [first[2]],
            "first_quality": [0],
            "value": [99.0],
            "quality": [0],
            "app": ["a"],
            "offset": [1],
            "recorded_at": [1],
        }
    )
    lake.append("correction", fix)
    assert roll_up(lake) == 1 and assert_rolled(lake) == cells
    assert 99.0 in list_hourly(lake, [first[0]], T0 - 20 * DAY, T0 + 3 * DAY).column("max").to_pylist()
    fold_late(lake)
    compact_day(lake, "observation", "2026-03-01")
    compact_day(lake, "rollup_hour", "2026-03-01")
    assert roll_up(lake) == 0 and assert_rolled(lake) == cells
    assert get_needed_commits(lake)["observation"] == lake.open("observation").version_number + 1
    # far behind: commits cleaned away, files compacted and swept
    for _ in range(60):
        lake.append("observation", some(rng, 20, 2))
        lake.sync()
    maintain_lake(lake, T0 + 30 * DAY, Maintenance(keep_files_s=0, keep_commits_s=0, many=2))
    roll_up(lake)
    assert_rolled(lake)


def test_the_named_questions_answer(tmp_path):
    lake = Lake(tmp_path)
    lake.append("observation", rows([1, 1, 2, 1], [T0, T0 + HOUR_US, T0, T0 + DAY], [1.0, 2.0, 3.0, 4.0], [0, 11, 0, 0]))
    assert list_series(lake, 1, T0, T0 + DAY).to_pydict() == {"t": [T0, T0 + HOUR_US], "sub": [0, 0], "value": [1.0, 2.0], "quality": [0, 11]}
    assert list_series(lake, 1, T0, T0 + 2 * DAY, limit=1).num_rows == 1
    assert count_qualities(lake, T0, T0 + DAY).to_pydict() == {"quality": [0, 11], "n": [2, 1]}
    assert count_qualities(lake, T0, T0 + 2 * DAY, [1]).to_pydict() == {"quality": [0, 11], "n": [2, 1]}
    frames = pa.table(
        {
            "connection": ["a", "b", "a"],
            "received_at": [T0, T0, T0 + 5],
            "raw": [b"1", b"2", b"3"],
            "state": [0, 0, 2],
            "reason": ["", "", "crc"],
            "forgiven": ["", "", ""],
        }
    )
    lake.append("frame", frames)
    assert list_frames(lake, "a", 1).to_pylist() == [{"received_at": T0 + 5, "raw": b"3", "state": 2, "reason": "crc", "forgiven": ""}]
