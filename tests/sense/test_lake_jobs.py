"""The worker's jobs that keep the lake: they are declared, and do what they say through the job table."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from zhongshu.kernel.job import Job, enqueue, run_next
from zhongshu.kernel.lake import Lake, hold_maintenance

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = 3_600_000_000


@pytest.fixture
def lake(settings, tmp_path):
    settings.HOUSE = dataclasses.replace(settings.HOUSE, home=tmp_path)
    made = Lake(tmp_path / "lake", settings.HOUSE.city.zone)
    yield made
    made.close()


def run(kind):
    enqueue(kind)
    assert run_next()
    return Job.objects.order_by("-id").first()


def test_hours_are_rolled_up_and_old_frames_dropped(lake, settings):
    settings.HOUSE = dataclasses.replace(settings.HOUSE, lake=dataclasses.replace(settings.HOUSE.lake, frame_days=30))
    now = int(datetime.now(UTC).timestamp() * 1e6)
    start = now // HOUR * HOUR - 2 * HOUR
    rows = {"stream": [1, 1, 1], "t": [start, start + 1, start + HOUR], "sub": [0, 0, 0], "value": [1.0, 2.0, 5.0], "quality": [0, 0, 0]}
    lake.append("observation", pa.table(rows))
    ages = [(datetime.now(UTC) - timedelta(days=days)).timestamp() * 1e6 for days in (40, 1)]
    frames = {"connection": ["c", "c"], "received_at": [int(age) for age in ages], "raw": [b"a", b"b"], "state": [0, 0], "reason": ["", ""], "forgiven": ["", ""]}
    lake.append("frame", pa.table(frames))
    assert run("sense.lake.rollup").result == {"cells": 2}
    kept = run("sense.lake.keep")
    assert (kept.state, kept.result["dropped"]) == (Job.State.DONE, 1)
    with lake.connect(("rollup_hour", "frame")) as connection:
        assert connection.execute("SELECT hour, n, sum FROM rollup_hour ORDER BY hour").fetchall() == [(start, 2, 3.0), (start + HOUR, 1, 5.0)]
        assert connection.execute("SELECT raw FROM frame").fetchall() == [(b"b",)]


def test_a_lake_that_is_being_copied_is_left_for_the_next_time(lake):
    lake.append("observation", pa.table({"stream": [1], "t": [HOUR], "sub": [0], "value": [1.0], "quality": [0]}))
    with hold_maintenance(lake):
        assert run("sense.lake.keep").result == {"busy": 1}
