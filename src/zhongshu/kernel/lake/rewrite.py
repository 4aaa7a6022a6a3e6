"""Rewriting parts of a table so that they are small and quick to read: sorted, packed, each identity once. New files are synced before the commit that
swaps them in; a kill at any line leaves the old files in place and at most an unused new one, which is swept later."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from deltalake.transaction import AddAction

from zhongshu.kernel.faults import point
from zhongshu.kernel.lake.files import FileWriter
from zhongshu.kernel.lake.lake import FOLD, Lake
from zhongshu.kernel.lake.table import StoredFile
from zhongshu.kernel.lake.tables import LakeTable
from zhongshu.kernel.lake.views import build_scan

__all__ = ["LakeBusy", "compact_day", "compact_small", "fold_late", "hold_maintenance"]

_GROUP_ROWS = 131_072
_FILE_ROWS = 32_000_000
_SMALL_BYTES = 8 << 20


class LakeBusy(RuntimeError):
    """Another process is rewriting the lake; Delta does not notice two rewrites of the same file, so only one may run."""


@contextmanager
def hold_maintenance(lake: Lake) -> Iterator[None]:
    """Be the only one that rewrites this lake. Raises `LakeBusy`. Readers and appending processes are not held up."""
    with (lake.root / "maintain.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LakeBusy("another process is rewriting this lake") from error
        yield


def compact_day(lake: Lake, table: str, day: str, *, memory: str = "2GB") -> int:
    """Rewrite one closed day as sorted files and return its rows. Rows appended meanwhile stay in their own files."""
    with hold_maintenance(lake):
        stored = lake.open(table)
        stored.refresh()
        return _rewrite(lake, table, day, [file for file in stored.files() if file.partition == day], memory, level=3)


def compact_small(lake: Lake, table: str, *, at_least: int = 64, memory: str = "2GB") -> int:
    """Join the small files of every partition that has at least `at_least` of them (the live day); return how many partitions were joined."""
    joined = 0
    with hold_maintenance(lake):
        stored = lake.open(table)
        stored.refresh()
        if stored.spec.partition == "arrival":
            return 0
        small: dict[str | None, list[StoredFile]] = {}
        for file in stored.files():
            if file.size < _SMALL_BYTES:
                small.setdefault(file.partition, []).append(file)
        for partition, files in small.items():
            if len(files) >= at_least:
                _rewrite(lake, table, partition, files, memory, level=1)
                joined += 1
    return joined


def fold_late(lake: Lake, *, memory: str = "2GB") -> int:
    """Move all rows of `late` into their days and return how many. One commit of `observation` adds them and notes the last arrival contained, from which
    readers stop looking at `late`; its files are taken out after that."""
    with hold_maintenance(lake):
        late, stored = lake.open("late"), lake.open("observation")
        late.refresh()
        stored.refresh()
        folded = lake.get_folded()
        waiting = [file for file in late.files() if int(file.partition or 0) > folded]
        if waiting:
            _fold(lake, waiting, memory)
            lake.sync()
        done = [file for file in late.files() if int(file.partition or 0) <= lake.get_folded()]
        if done:
            late.commit([], [late.remove_action(file, new_data=False) for file in done])
        return sum(file.rows for file in waiting)


def _fold(lake: Lake, waiting: Sequence[StoredFile], memory: str) -> None:
    stored, spec = lake.open("observation"), lake.tables["observation"]
    late = build_scan(lake.tables["late"], [lake.root / "late" / file.relative for file in waiting])
    with duckdb.connect(":memory:") as connection:
        days = [str(row[0]) for row in connection.execute(f"SELECT DISTINCT day FROM ({late}) ORDER BY day").fetchall()]  # noqa: S608
    old = [file for file in stored.files() if file.partition in set(days)]
    add: list[AddAction] = []
    for day in days:
        scan = build_scan(spec, [stored.root / file.relative for file in old if file.partition == day])
        columns = ", ".join(spec.schema.names)
        add += _write_sorted(lake, spec, day, f"SELECT {columns} FROM ({scan}) UNION ALL SELECT {columns} FROM ({late}) WHERE day = DATE '{day}'", memory, 3)  # noqa: S608
    point("lake.compacting")
    last = max(int(file.partition or 0) for file in waiting)
    stored.commit(add, [stored.remove_action(file, new_data=False) for file in old], {FOLD: last})


def _rewrite(lake: Lake, table: str, partition: str | None, files: Sequence[StoredFile], memory: str, *, level: int) -> int:
    stored, spec = lake.open(table), lake.tables[table]
    if not files:
        return 0
    # what is swapped in must not be more durable than what it replaces: the log may be trimmed meanwhile
    scan = build_scan(spec, [stored.root / file.relative for file in files])
    add = _write_sorted(lake, spec, partition, scan, memory, level)
    point("lake.compacting")
    stored.commit(add, [stored.remove_action(file, new_data=False) for file in files])
    lake.sync()
    return sum(file.rows for file in files)


def _write_sorted(lake: Lake, spec: LakeTable, partition: str | None, query: str, memory: str, level: int) -> list[AddAction]:
    columns = ", ".join(f'"{name}"' for name in spec.schema.names)
    partition_by = "PARTITION BY " + ", ".join(f'"{name}"' for name in spec.identity)
    newest = f' QUALIFY row_number() OVER ({partition_by} ORDER BY "{spec.newest_by}" DESC) = 1' if spec.newest_by else ""
    order = ", ".join(f'"{name}"' for name in spec.sort)
    spill = lake.root / "spill"
    add: list[AddAction] = []
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"SET memory_limit='{memory}'")
        connection.execute(f"SET temp_directory='{str(spill).replace(chr(39), chr(39) * 2)}'")
        ordered = connection.sql(f"SELECT {columns} FROM ({query}){newest} ORDER BY {order}")  # noqa: S608
        batches = _drop_repeated(ordered.to_arrow_reader(_GROUP_ROWS), spec.identity)
        writer: FileWriter | None = None
        for rows in batches:
            if writer is None:
                writer = FileWriter(lake.root / spec.name, spec, partition, level=level)
            writer.write(rows.cast(spec.schema))
            if writer.rows >= _FILE_ROWS:
                add.append(writer.close(sync=True, new_data=False))
                writer = None
        if writer is not None:
            add.append(writer.close(sync=True, new_data=False))
    return add


def _drop_repeated(batches: pa.RecordBatchReader, identity: Sequence[str]) -> Iterator[pa.Table]:
    """Yield sorted rows in row groups, each identity once (the first)."""
    last: tuple[np.ndarray, ...] | None = None
    held: list[pa.Table] = []
    for batch in batches:
        rows = pa.table(batch)
        if identity and rows.num_rows and not pa.types.is_string(rows.column(identity[0]).type):
            keys = [rows.column(name).fill_null(0).to_numpy() for name in identity]
            same = np.ones(rows.num_rows, bool)
            for position, key in enumerate(keys):
                before = key[:1] - 1 if last is None else last[position]
                same &= key == np.concatenate([before, key[:-1]])
            last = tuple(key[-1:] for key in keys)
            if same.any():
                rows = rows.filter(pa.array(~same))
        held.append(rows)
        if sum(table.num_rows for table in held) >= _GROUP_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held and any(table.num_rows for table in held):
        yield pa.concat_tables(held)


def drop_partitions(lake: Lake, table: str, before: str) -> int:
    """Take every partition before the ISO day `before` out of a table; return how many files went."""
    stored = lake.open(table)
    stored.refresh()
    old = [file for file in stored.files() if file.partition is not None and file.partition < before]
    if old:
        stored.commit([], [stored.remove_action(file, new_data=True) for file in old])
    return len(old)


def list_parquet(root: Path) -> list[Path]:
    """Return every Parquet file below a table's folder, live or not (checkpoints left out)."""
    return [path for path in root.rglob("*.parquet") if "_delta_log" not in path.parts]
