"""What the worker does for the lake on a schedule: roll-ups first, then the files."""

from django.conf import settings

from zhongshu.kernel.home import House
from zhongshu.kernel.job import JobRun, job
from zhongshu.kernel.lake import Lake, LakeBusy, Maintenance, maintain_lake
from zhongshu.kernel.time import now_us
from zhongshu.sense.observe.rollup import get_needed_commits, roll_up

__all__ = ["keep_lake"]


@job("sense.lake.maintain", every="1 min")
def keep_lake(run: JobRun) -> dict[str, int]:
    """Bring the hourly roll-ups up to the lake, then compact, fold, drop and sweep what is due; one job, so that nobody rolls up twice at a time.

    Returns the cells rolled up and the counts of `maintain_lake`; where another process is rewriting the lake only the roll-ups are made, the rest waits for the next
    run.
    """
    house: House = settings.HOUSE
    plan = Maintenance(keep_days={"frame": house.lake.frame_days})
    lake = Lake(house.path("lake"), house.city.zone, check=False)
    try:
        cells = roll_up(lake)
        run.progress(0.5, "hours rolled up")
        return {"cells": cells, **maintain_lake(lake, now_us(), plan, get_needed_commits(lake))}
    except LakeBusy:
        return {"cells": cells}
    finally:
        lake.close()
