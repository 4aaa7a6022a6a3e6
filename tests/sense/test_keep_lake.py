"""The worker's schedule keeps the lake: hours are rolled up and maintained by one job."""

import numpy as np
import pyarrow as pa

from zhongshu.kernel.job import Job, enqueue_due, run_next
from zhongshu.kernel.lake import Lake, hold_maintenance
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now

HOUR_US = 3_600_000_000


def append(house, t):
    lake = Lake(house.path("lake"), house.city.zone)
    rows = lake.tables["observation"].schema
    t = np.asarray(t, np.int64)
    day = [lake.days.as_date(number) for number in lake.days.compute(t).tolist()]
    given = {"day": day, "stream": np.ones(len(t), np.int64), "t": t, "sub": np.zeros(len(t), np.int16), "value": np.arange(len(t), dtype=float)}
    columns = {**given, "quality": np.zeros(len(t), np.int8)}
    lake.append("observation", pa.table([pa.array(columns[field.name], field.type) for field in rows], schema=rows), {})
    lake.sync()
    lake.close()


def read(house, query):
    lake = Lake(house.path("lake"), house.city.zone, check=False)
    with lake.connect(("rollup_hour",)) as connection:
        found = connection.sql(query).fetchall()
    lake.close()
    return found


def run_due():
    Job.objects.all().delete()
    enqueue_due(now())
    Job.objects.exclude(kind="sense.lake.maintain").delete()
    assert run_next()
    return Job.objects.get()


def test_the_schedule_rolls_hours_up_and_keeps_the_files(db, own_house):
    begun = 480_000 * HOUR_US
    append(own_house, begun + np.arange(6) * HOUR_US // 2)
    done = run_due()
    assert (done.state, done.error, done.result["cells"]) == ("done", "", 3)
    assert read(own_house, "SELECT count(*), sum(n), sum(sum) FROM rollup_hour") == [(3, 6, 15.0)]
    assert done.result["days"] == 2, "the closed day of readings, and that of roll-ups"
    assert run_due().result["cells"] == 0


def test_while_another_process_rewrites_the_lake_the_hours_are_rolled_up_all_the_same(db, own_house):
    append(own_house, [480_000 * HOUR_US])
    lake = Lake(own_house.path("lake"), own_house.city.zone)
    with hold_maintenance(lake):
        done = run_due()
    lake.close()
    assert (done.state, done.result) == ("done", {"cells": 1})


def test_the_job_is_on_the_schedule():
    assert registry.get("job", "sense.lake.maintain").every_s == 60
