from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from zhongshu.kernel.lake import CivilDays, Lake, LakeBusy, LakeDamaged, LakeError, Maintenance, compact_day, compact_small, fold_late, maintain_lake
from zhongshu.kernel.lake.rewrite import hold_maintenance

SHANGHAI = ZoneInfo("Asia/Shanghai")


def us(*parts):
    return int(datetime(*parts, tzinfo=SHANGHAI).timestamp()) * 1_000_000


def rows(stream, t, value, quality=0, sub=0):
    n = len(t)
    return pa.table(
        {
            "stream": pa.array(np.broadcast_to(stream, n), pa.int64()),
            "t": pa.array(t, pa.int64()),
            "sub": pa.array(np.broadcast_to(sub, n), pa.int16()),
            "value": pa.array(value, pa.float64()),
            "quality": pa.array(np.broadcast_to(quality, n), pa.int8()),
        }
    )


def correction(stream, t, first, value, offset, recorded_at):
    return pa.table(
        {
            "stream": [stream],
            "t": [t],
            "sub": [0],
            "first": [first],
            "first_quality": [0],
            "value": [value],
            "quality": [0],
            "app": ["a"],
            "offset": [offset],
            "recorded_at": [recorded_at],
        }
    )


def ask(lake, sql, days=None):
    with lake.connect(("observation",), days) as con:
        return con.execute(sql).fetchall()


ALL = "SELECT stream, t, sub, value, quality FROM observation ORDER BY ALL"


def test_a_civil_day_begins_at_the_citys_midnight_also_across_summer_time():
    for zone in ("Asia/Shanghai", "Europe/Berlin", "Asia/Kathmandu"):
        days = CivilDays(zone)
        t = np.arange(us(2026, 3, 1), us(2026, 4, 15), 1_777_000_000)
        expected = [datetime.fromtimestamp(x / 1e6, ZoneInfo(zone)).date() for x in t.tolist()]
        assert [days.as_date(n) for n in days.compute(t)] == expected
    assert CivilDays("Asia/Shanghai").start_us(date(2026, 1, 2)) == us(2026, 1, 2)
    far = np.array([us(1990, 6, 1), us(2026, 1, 1)])
    assert [CivilDays("Asia/Shanghai").as_date(n) for n in CivilDays("Asia/Shanghai").compute(far)] == [date(1990, 6, 1), date(2026, 1, 1)]


def test_rows_are_cut_by_civil_day_and_the_application_version_comes_back(tmp_path):
    lake = Lake(tmp_path / "lake")
    t = [us(2026, 1, 1, 23, 59), us(2026, 1, 2, 0, 0)]
    lake.append("observation", rows([1, 2], t, [1.0, None]), {"log:a": 7, "log:b": 3})
    lake.append("observation", rows([], [], []), {"log:a": 9})
    again = Lake(tmp_path / "lake")
    assert again.version("log:a") == 9 and again.version("log:b") == 3 and again.version("log:c") is None
    assert [f.partition for f in again.files("observation", (date(2026, 1, 2), date(2026, 1, 3)))] == ["2026-01-02"]
    assert ask(again, "SELECT day, stream, value FROM observation ORDER BY t") == [(date(2026, 1, 1), 1, 1.0), (date(2026, 1, 2), 2, None)]
    assert ask(again, "SELECT count(*) FROM observation", (date(2026, 1, 2), date(2026, 1, 2))) == [(1,)]


def test_a_lake_refuses_another_zone(tmp_path):
    Lake(tmp_path, "Asia/Shanghai")
    with pytest.raises(LakeError, match="Asia/Shanghai, not Europe/Paris"):
        Lake(tmp_path, "Europe/Paris")


def test_the_same_application_version_cannot_be_committed_by_two(tmp_path):
    one, two = Lake(tmp_path), Lake(tmp_path)
    one.append("observation", rows(1, [1], [1.0]), {"log:a": 1})
    two.open("observation")
    one.append("observation", rows(1, [2], [1.0]), {"log:a": 2})
    with pytest.raises(LakeError):
        two.append("observation", rows(1, [2], [1.0]), {"log:a": 2})
    assert len(ask(Lake(tmp_path), ALL)) == 2


def test_what_a_power_cut_leaves_is_found_at_the_start(tmp_path):
    lake = Lake(tmp_path)
    lake.append("observation", rows(1, [1], [1.0]))
    lake.sync()
    lake.append("observation", rows(1, [2], [2.0]))
    commit = max((tmp_path / "observation" / "_delta_log").glob("*.json"))
    text = commit.read_bytes()
    commit.write_bytes(b"")
    with pytest.raises(LakeDamaged, match=commit.name):
        Lake(tmp_path)
    commit.write_bytes(text)
    file = lake.list_paths("observation")[0]
    file.write_bytes(b"")
    with pytest.raises(LakeDamaged, match="0 of"):
        Lake(tmp_path)


def test_a_correction_wins_and_the_latest_of_them(tmp_path):
    lake = Lake(tmp_path)
    t = us(2026, 1, 5)
    lake.append("observation", rows([1, 2], [t, t], [1.0, 5.0]))
    lake.append("correction", correction(1, t, 1.0, 2.0, 5, 100))
    lake.append("correction", correction(1, t, 1.0, None, 6, 101))
    assert ask(lake, ALL) == [(1, t, 0, None, 0), (2, t, 0, 5.0, 0)]


def test_late_rows_are_read_once_before_during_and_after_folding(tmp_path):
    lake = Lake(tmp_path)
    t = us(2026, 1, 5)
    lake.append("observation", rows(1, [t, t + 5], [1.0, 2.0]))
    lake.append("late", rows(1, [t + 3, us(2025, 12, 1)], [9.0, 8.0]))
    lake.append("late", rows(2, [t + 3], [7.0]))
    lake.append("correction", correction(1, t + 3, 9.0, 9.5, 5, 100))
    expected = [(1, us(2025, 12, 1), 0, 8.0, 0), (1, t, 0, 1.0, 0), (1, t + 3, 0, 9.5, 0), (1, t + 5, 0, 2.0, 0), (2, t + 3, 0, 7.0, 0)]
    assert ask(lake, ALL) == expected
    assert ask(lake, "SELECT count(*) FROM observation", (date(2026, 1, 5), date(2026, 1, 5))) == [(4,)]
    # stop between the two commits of a fold: the rows are in both tables
    stored = lake.open("late")
    keep, stored.commit = stored.commit, lambda *args: 1 / 0
    with pytest.raises(ZeroDivisionError):
        fold_late(lake)
    stored.commit = keep
    assert ask(lake, ALL) == expected and ask(Lake(tmp_path), ALL) == expected
    lake.append("late", rows(3, [t], [4.0]))
    assert fold_late(lake) == 1
    assert lake.open("late").files() == []
    assert ask(lake, ALL) == sorted([*expected, (3, t, 0, 4.0, 0)])
    assert fold_late(lake) == 0


def test_compaction_sorts_drops_repeats_and_keeps_what_is_appended_meanwhile(tmp_path, monkeypatch):
    lake, other = Lake(tmp_path), Lake(tmp_path)
    t0 = us(2026, 1, 5)
    rng = np.random.default_rng(1)
    for n in range(5):
        t = t0 + np.arange(n * 1000, n * 1000 + 1000) * 1000
        lake.append("observation", rows(rng.integers(0, 50, 1000), t, np.round(rng.random(1000), 2)))
    lake.append("observation", rows([7, 7], [t0 - 0, t0 + 10**9], [1.5, 1.5]))
    before = ask(lake, ALL)
    from zhongshu.kernel.lake import rewrite

    def append_meanwhile(name):
        other.append("observation", rows(99, [t0 + 1], [3.0]))

    monkeypatch.setattr(rewrite, "point", append_meanwhile)
    assert compact_day(lake, "observation", "2026-01-05") == 5002
    after = ask(Lake(tmp_path), ALL)
    assert after == sorted([*dict.fromkeys(before), (99, t0 + 1, 0, 3.0, 0)])
    assert len(lake.files("observation")) == 2


def test_only_one_may_rewrite(tmp_path):
    lake = Lake(tmp_path)
    with hold_maintenance(lake), pytest.raises(LakeBusy):
        compact_small(Lake(tmp_path), "observation")


def test_many_commits_stay_few_files_and_commits(tmp_path):
    lake = Lake(tmp_path)
    now = us(2026, 1, 6, 12)
    for n in range(130):
        lake.append("observation", rows(n % 3, [now + n], [1.0]), {"log:a": n + 1})
        lake.sync()
    plan = Maintenance(keep_files_s=0, keep_commits_s=0)
    done = maintain_lake(lake, now, plan)
    assert done["joined"] == 1 and done["swept"] == 130 and done["cleaned"] >= 100
    assert len(lake.files("observation")) == 1
    again = Lake(tmp_path)
    assert again.version("log:a") == 130
    assert len(ask(again, ALL)) == 130
    assert maintain_lake(lake, now, plan)["joined"] == 0


def test_closed_days_are_rewritten_once_and_again_when_rows_came(tmp_path):
    lake = Lake(tmp_path)
    day = us(2026, 1, 2)
    lake.append("observation", rows([2, 1], [day, day + 1], [1.0, 2.0]))
    plan = Maintenance()
    assert maintain_lake(lake, us(2026, 1, 3, 0, 30), plan)["days"] == 0
    assert maintain_lake(lake, us(2026, 1, 3, 2), plan)["days"] == 1
    lake.append("observation", rows([1], [day], [1.0]))
    assert maintain_lake(lake, us(2026, 1, 4), plan)["days"] == 0
    assert maintain_lake(lake, us(2026, 1, 7), plan)["days"] == 1
    assert maintain_lake(lake, us(2026, 1, 8), plan)["days"] == 0
    assert len(lake.files("observation")) == 1


def test_frames_leave_after_their_days(tmp_path):
    lake = Lake(tmp_path)

    def frame(at):
        return pa.table({"connection": ["c"], "received_at": [at], "raw": [b"x"], "state": [0], "reason": [""], "forgiven": [""]})

    lake.append("frame", frame(us(2026, 1, 1)))
    lake.append("frame", frame(us(2026, 4, 1)))
    assert maintain_lake(lake, us(2026, 4, 2), Maintenance(keep_days={"frame": 30}))["dropped"] == 1
    assert [f.partition for f in lake.files("frame")] == ["2026-04-01"]


def test_a_closed_day_takes_few_bytes_a_row(tmp_path):
    """HOUSE.md, numbers to hold: at most 5.5 bytes with random µs jitter, at most 3 on the whole second (two decimals; 1,000 streams at 1/min here)."""
    for jitter, most in ((True, 5.5), (False, 3.0)):
        lake = Lake(tmp_path / str(jitter))
        rng = np.random.default_rng(7)
        minutes = np.arange(1440) * 60_000_000 + us(2026, 1, 2)
        t = np.repeat(minutes, 1000) + (rng.integers(0, 1_000_000, 1_440_000) if jitter else 0)
        stream = np.tile(np.arange(1000), 1440)
        value = np.round(20 + np.sin(np.repeat(np.arange(1440), 1000) / 200) * 5 + rng.normal(0, 0.3, 1_440_000), 2)
        lake.append("observation", rows(stream, t, value))
        compact_day(lake, "observation", "2026-01-02")
        [file] = lake.files("observation")
        print(f"jitter={jitter}: {file.size / file.rows:.2f} bytes a row")
        assert file.size / file.rows <= most
