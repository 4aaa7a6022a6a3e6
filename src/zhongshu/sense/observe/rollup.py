"""Hourly roll-ups kept equal to the raw readings: the (stream, hour) cells that new, late or corrected rows touched are computed again from the raw."""

from pathlib import Path

import duckdb
import pyarrow as pa

from zhongshu.kernel.lake import Lake
from zhongshu.sense.observe.questions import HOUR_US

__all__ = ["get_needed_commits", "roll_up"]

_SOURCES = ("observation", "late", "correction")
_APP = "rolled:{}"


def get_needed_commits(lake: Lake) -> dict[str, int]:
    """Return the first commit of each source table that the roll-ups have not read; pass it to `maintain_lake(needed_from=…)` so that it is kept."""
    return {table: _get_done(lake, table) + 1 for table in _SOURCES}


def _get_done(lake: Lake, table: str) -> int:
    found = lake.version(_APP.format(table), "rollup_hour")
    return -1 if found is None else found


def roll_up(lake: Lake, *, memory: str = "2GB") -> int:
    """Bring `rollup_hour` up to what the lake holds now and return how many cells were computed. Killed anywhere it is simply done again: cells and the commits they
    cover are one commit. One caller at a time (the worker)."""
    for table in (*_SOURCES, "rollup_hour"):
        lake.open(table)
    lake.refresh()
    reached = {table: lake.open(table).version_number for table in _SOURCES}
    paths = {table: _list_added(lake, table, _get_done(lake, table), reached[table]) for table in _SOURCES}
    apps = {_APP.format(table): version for table, version in reached.items() if version > _get_done(lake, table)}
    if not apps:
        return 0
    cells = _list_cells(lake, paths)
    if not cells.num_rows:
        lake.append("rollup_hour", _empty(lake), apps)
        lake.sync()
        return 0
    hours = cells.column("hour")
    days = frozenset(lake.days.as_date(number) for number in set(lake.days.compute(hours.to_numpy()).tolist()))
    until = frozenset(lake.days.as_date(number) for number in set(lake.days.compute(hours.to_numpy() + HOUR_US - 1).tolist()))
    revision = lake.open("rollup_hour").version_number + 1
    with lake.connect(("observation",), days | until, memory=memory) as connection:
        connection.register("cells", cells)
        low, high = int(hours.to_numpy().min()), int(hours.to_numpy().max())
        rows = connection.sql(
            f"""SELECT c.stream, c.hour, count(o.stream) AS n, count(o.value) FILTER (o.quality = 0) AS n_valid,
                coalesce(fsum(o.value) FILTER (o.quality = 0), 0) AS sum, min(o.value) FILTER (o.quality = 0) AS min,
                max(o.value) FILTER (o.quality = 0) AS max, {revision} AS revision
            FROM cells c LEFT JOIN (SELECT stream, t // {HOUR_US} * {HOUR_US} AS hour, value, quality FROM observation
                                    WHERE t >= {low} AND t < {high + HOUR_US}) o ON o.stream = c.stream AND o.hour = c.hour
            GROUP BY c.stream, c.hour ORDER BY c.stream, c.hour"""  # noqa: S608
        ).to_arrow_table()
    lake.append("rollup_hour", rows, apps)
    lake.sync()
    return int(rows.num_rows)


def _list_added(lake: Lake, table: str, done: int, reached: int) -> list[Path]:
    """Return the files that commits after `done` added as new data; if some of these commits are gone, all live files."""
    stored = lake.open(table)
    names: list[str] = []
    for version in range(done + 1, reached + 1):
        added = stored.read_added(version)
        if added is None:
            return [stored.root / file.relative for file in stored.files()]
        names.extend(added)
    return [stored.root / name for name in names]


def _list_cells(lake: Lake, paths: dict[str, list[Path]]) -> pa.Table:
    """Return the distinct (stream, hour) that these files touch. A file that was compacted and swept meanwhile is replaced by its day's live files."""
    scans = []
    for table, given in paths.items():
        there = [path for path in given if path.exists()]
        if len(there) < len(given):
            there = lake.list_paths(table)
        if there:
            names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in there)
            scans.append(f"SELECT stream, t // {HOUR_US} * {HOUR_US} AS hour FROM read_parquet([{names}], hive_partitioning=false)")  # noqa: S608
    if not scans:
        return pa.table({"stream": pa.array([], pa.int64()), "hour": pa.array([], pa.int64())})
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_progress_bar=false")
        return connection.sql(f"SELECT DISTINCT stream, hour FROM ({' UNION ALL '.join(scans)})").to_arrow_table()  # noqa: S608


def _empty(lake: Lake) -> pa.Table:
    return lake.tables["rollup_hour"].schema.empty_table()
