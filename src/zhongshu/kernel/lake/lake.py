"""The lake's one door: append with application versions, sync, list files, connect."""

import json
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from zhongshu.kernel.faults import point
from zhongshu.kernel.lake import views
from zhongshu.kernel.lake.days import CivilDays
from zhongshu.kernel.lake.files import FileWriter, sync_files
from zhongshu.kernel.lake.table import LakeDamaged, LakeError, Stored, StoredFile
from zhongshu.kernel.lake.tables import TABLES, LakeTable

__all__ = ["Lake", "LakeDamaged", "LakeError"]

Days = views.Days

_CHECKPOINT_EVERY = 50
FOLD = "fold"


class Lake:
    """All tables of one installation, as one process sees them. Not for several threads at once (give each its own).

    `zone` is the city's zone; it is written into the lake when it is made and can never differ after, because days are cut by it.
    Opening checks commits and live files for what a power cut leaves behind and raises `LakeDamaged`; `check=False` skips the live files.
    """

    def __init__(self, root: Path | str, zone: str = "Asia/Shanghai", *, tables: Mapping[str, LakeTable] = TABLES, check: bool = True) -> None:
        self.root = Path(root)
        self.tables = tables
        self._stored: dict[str, Stored] = {}
        self._synced: dict[str, int] = {}
        self._checkpointed: dict[str, int] = {}
        self._check_zone(zone)
        self.days = CivilDays(zone)
        for name in tables:
            if (self.root / name / "_delta_log").is_dir():
                stored = self.open(name)
                if check:
                    stored.check_files()

    def _check_zone(self, zone: str) -> None:
        file = self.root / "lake.json"
        if not file.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            _replace(file, {"format": 1, "zone": zone})
            sync_files([file])
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["zone"] != zone:
            raise LakeError(f"this lake's days are cut in zone {kept['zone']}, not {zone}; the zone of a city is fixed when its lake is made ({file})")

    def open(self, table: str) -> Stored:
        """Return one table, made at first use."""
        if table not in self._stored:
            if table not in self.tables:
                raise LakeError(f"the lake has no table {table!r}; it has {', '.join(self.tables)}")
            self._stored[table] = stored = Stored(self.root / table, self.tables[table])
            self._synced[table] = self._read_synced().get(table, -1)
            self._checkpointed[table] = stored.version_number
        return self._stored[table]

    def append(self, table: str, data: pa.Table, apps: Mapping[str, int] | None = None) -> int:
        """Append rows in one commit that also sets application versions (`apps`: name → last offset contained); return the table's version.

        Rows need not be sorted; sorted ones compress better. The partition (civil day of the time column, or the arrival) is made here.
        Visible at once, durable after `sync`. An empty `data` with `apps` commits the versions alone.
        """
        stored, spec = self.open(table), self.tables[table]
        if "day" in spec.schema.names and "day" not in data.column_names:
            data = data.append_column("day", pa.array(self.days.compute(_numbers(data, spec.time)), pa.int32()).cast(pa.date32()))
        rows = data.select(spec.schema.names).cast(spec.schema)
        add = []
        for partition, part in self._split(stored, rows):
            writer = FileWriter(stored.root, spec, partition)
            writer.write(part)
            add.append(writer.close(sync=False))
        if not add and not apps:
            return stored.version_number
        version = stored.commit(add, apps=apps)
        point("lake.committed")
        return version

    def _split(self, stored: Stored, rows: pa.Table) -> list[tuple[str | None, pa.Table]]:
        if rows.num_rows == 0:
            return []
        spec = stored.spec
        if spec.partition is None:
            return [(None, rows)]
        if spec.partition == "arrival":
            last = max((int(file.partition or 0) for file in stored.files()), default=0)
            return [(str(max(time.time_ns() // 1000, last + 1, self.get_folded() + 1)), rows)]
        numbers = self.days.compute(_numbers(rows, spec.time))
        known = np.unique(numbers)
        if len(known) == 1:
            return [(self.days.as_date(known[0]).isoformat(), rows)]
        return [(self.days.as_date(number).isoformat(), rows.filter(pa.array(numbers == number))) for number in known]

    def version(self, app: str, table: str = "observation") -> int | None:
        """Return the last application version that `table` holds for `app`, or None."""
        return self.open(table).version(app)

    def get_folded(self) -> int:
        """Return the last arrival of `late` that is contained in `observation` (0 for none)."""
        return self.open("observation").version(FOLD) or 0

    def refresh(self) -> None:
        """See what other processes committed. `late` is looked at before `observation`, so that folding never hides a row."""
        for name in sorted(self._stored, key=lambda name: name == "observation"):
            self._stored[name].refresh()

    def sync(self) -> None:
        """Make every commit so far durable: data files, commits and their folders. Only after this may a log be trimmed."""
        for name, stored in self._stored.items():
            reached = stored.sync(self._synced[name])
            self._synced[name] = reached
            if reached - self._checkpointed[name] >= _CHECKPOINT_EVERY:
                stored.checkpoint()
                self._checkpointed[name] = reached
                self._write_synced()
        point("lake.synced")

    def _read_synced(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads((self.root / "synced.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found

    def _write_synced(self) -> None:
        # lost or old is harmless: more is synced again at the next start
        known = self._read_synced()
        _replace(self.root / "synced.json", {name: max(version, known.get(name, -1)) for name, version in self._synced.items()})

    def files(self, table: str, days: Days | None = None) -> list[StoredFile]:
        """Return the live files of a table; `days`, (first, last) or a frozenset, prunes tables cut by day. Other tables, and `late`, are returned whole."""
        files = self.open(table).files()
        if table == "late":
            folded = self.get_folded()
            return [file for file in files if int(file.partition or 0) > folded]
        if days is None or self.tables[table].partition != "day":
            return files
        if isinstance(days, frozenset):
            wanted = {day.isoformat() for day in days}
            return [file for file in files if file.partition in wanted]
        first, last = days[0].isoformat(), days[1].isoformat()
        return [file for file in files if file.partition is not None and first <= file.partition <= last]

    def list_paths(self, table: str, days: Days | None = None) -> list[Path]:
        """Return the absolute paths of the live files, for `spark.read.parquet(*…)` and the like."""
        return [self.root / table / file.relative for file in self.files(table, days)]

    def connect(
        self, tables: Collection[str] = ("observation",), days: Days | None = None, *, threads: int | None = None, memory: str = "2GB"
    ) -> duckdb.DuckDBPyConnection:
        """Return an in-memory DuckDB with one view per table, as of now.

        The view `observation` holds late rows and has corrections applied: one row per (stream, t, sub); `observation_first` shows first values. `days`, a
        (first, last) civil day or a frozenset of days, limits which files are read; state it whenever the question has a window. Times are int64 UTC µs: cut
        hours by integer arithmetic.
        """
        connection = duckdb.connect(":memory:")
        connection.execute(f"SET threads={threads or os.cpu_count() or 1}")
        connection.execute(f"SET memory_limit='{memory}'")
        connection.execute("SET preserve_insertion_order=false")
        connection.execute("SET TimeZone='UTC'")
        connection.execute("SET enable_progress_bar=false")
        self.add_views(connection, tables, days)
        return connection

    def add_views(self, connection: duckdb.DuckDBPyConnection, tables: Collection[str], days: Days | None = None) -> None:
        """Create or replace the views in a DuckDB connection, as of now."""
        for name in (*(set(tables) - views.OBSERVED), *(("late", "correction", "observation") if set(tables) & views.OBSERVED else ())):
            self.open(name)
        self.refresh()
        for name in tables:
            connection.execute(f"CREATE OR REPLACE VIEW {name} AS {views.build_view(self, name, days)}")

    def close(self) -> None:
        """Remember what is synced and let go of the handles."""
        self._write_synced()
        self._stored.clear()


def _numbers(data: pa.Table, column: str) -> np.ndarray:
    return data.column(column).to_numpy()


def _replace(file: Path, content: object) -> None:
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text(json.dumps(content), encoding="utf-8")
    new.replace(file)
