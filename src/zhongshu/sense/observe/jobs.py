"""What the worker does to the lake on a schedule: hourly roll-ups, and keeping it quick."""

from contextlib import closing

from django.conf import settings

from zhongshu.kernel.home import House
from zhongshu.kernel.job import JobRun, job
from zhongshu.kernel.lake import Lake, LakeBusy, Maintenance, maintain_lake
from zhongshu.kernel.time import now_us

from .rollup import get_needed_commits, roll_up

__all__ = ["keep_lake", "roll_up_hours"]


def _open_lake() -> Lake | None:
    house: House = settings.HOUSE
    return Lake(house.path("lake"), house.city.zone, check=False) if house.path("lake", "lake.json").exists() else None


@job("sense.lake.rollup", every="1 min")
def roll_up_hours(run: JobRun) -> dict[str, int]:
    """Bring the hourly roll-ups up to what the lake holds."""
    lake = _open_lake()
    if lake is None:
        return {"cells": 0}
    with closing(lake):
        return {"cells": roll_up(lake)}


@job("sense.lake.keep", every="10 min")
def keep_lake(run: JobRun) -> dict[str, int]:
    """Fold late rows in, rewrite closed days, drop old frames, sweep and clean up; a lake that is being copied for a backup is left for the next time."""
    lake = _open_lake()
    if lake is None:
        return {}
    house: House = settings.HOUSE
    plan = Maintenance(keep_days={"frame": house.lake.frame_days})
    with closing(lake):
        try:
            return maintain_lake(lake, now_us(), plan, get_needed_commits(lake))
        except LakeBusy:
            return {"busy": 1}
