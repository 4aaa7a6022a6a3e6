"""Taking a backup while everything runs.

The order makes it whole: what a later copy no longer holds, an earlier one has, and what an earlier copy says of a later one is not ahead of it.

1. quarantine (what is released after this is here), then the gateways' logs (what is trimmed after this is in the lake);
2. the lake's commits, with maintenance held off: `rollup_hour` first (it names versions of the others), `observation` (its offsets are where the pipeline goes on),
   then the tables that the pipeline writes before it: they are at least as far;
3. quarantine again and the facts log: the pipeline writes them before the lake, so they are at least as far too; after them `batch`, into which facts notes move;
4. the head of the audit trail (so that it is not ahead of the records), records, keys;
5. the lake's data files, which never change and stay for hours after they are no longer listed.

On restore the logs' sequences are raised to what the lake and the records have read (`restore`).
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import connection, connections, transaction

from zhongshu import __version__
from zhongshu.kernel.home import FILE, House
from zhongshu.kernel.lake import TABLES, Lake, LakeBusy, LakeError, copy_commits, hold_maintenance, list_data_files
from zhongshu.kernel.log import LogError, add_missing_entries, copy_log

from .archive import ArchiveWriter, BackupError
from .tables import dump_tables

__all__ = ["create_backup"]

APART = ("quarantine", "facts")
LAKE_ORDER = ("rollup_hour", "observation")
LAKE_LAST = "batch"
PATIENCE_S = 600.0
STEPS = 20
Progress = Callable[[str, int], None]


def create_backup(house: House, target: Path, progress: Progress) -> dict[str, Any]:
    """Write one archive of the running installation and return its manifest; `progress(what, count)` is called after each part.

    What was acknowledged before the call is in it. Needs free disk beside `target` for the archive and one copy of logs and records. Raises `BackupError`.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as name, ArchiveWriter(target) as archive:
            return _write(house, archive, Path(name), progress)
    except (OSError, LogError, LakeError) as error:
        raise BackupError(f"the backup could not be taken: {error}") from error


def _write(house: House, archive: ArchiveWriter, stage: Path, progress: Progress) -> dict[str, Any]:
    begun_at = datetime.now(UTC)
    _copy_log(house, stage, "quarantine", "quarantine-before")
    for partition in sorted(file.stem for file in house.path("log").glob("*.sqlite3")):
        if partition not in APART:
            _copy_log(house, stage, partition)
            archive.add(stage / "log" / f"{partition}.sqlite3", f"log/{partition}.sqlite3", remove=True)
            progress(f"log {partition}", 1)
    with _hold_lake(house, progress):
        _copy_lake(house, stage, lambda table: table != LAKE_LAST)
        _copy_apart(house, stage, archive)
        _copy_lake(house, stage, lambda table: table == LAKE_LAST)
    progress("commits of the lake", sum(1 for _ in (stage / "lake").glob("*/_delta_log/*")))
    _add_plain(house, archive, "audit/head.json")
    with _snapshot(house, stage) as alias:
        counts = dump_tables(stage / "records", alias, progress)
    archive.add_folder(stage / "records", "records", remove=True)
    for plain in (FILE, "secret.key", "audit/seal.key", "audit/seal.pub", "lake/lake.json"):
        _add_plain(house, archive, plain)
    _add_data(house, archive, stage, progress)
    archive.add_folder(stage / "lake", "lake")
    manifest = {"version": __version__, "taken_at": begun_at.isoformat(), "zone": house.city.zone, "records": connection.vendor, "rows": counts}
    return archive.finish(manifest, stage)


def _copy_log(house: House, stage: Path, name: str, called: str = "") -> None:
    source = house.path("log", f"{name}.sqlite3")
    if source.exists():
        copy_log(source, stage / "log" / f"{called or name}.sqlite3")


def _copy_apart(house: House, stage: Path, archive: ArchiveWriter) -> None:
    for name in APART:
        _copy_log(house, stage, name)
    before, after = stage / "log" / "quarantine-before.sqlite3", stage / "log" / "quarantine.sqlite3"
    if before.exists():
        add_missing_entries(after, before)
    for name in APART:
        if (copied := stage / "log" / f"{name}.sqlite3").exists():
            archive.add(copied, f"log/{name}.sqlite3", remove=True)


@contextmanager
def _hold_lake(house: House, progress: Progress) -> Iterator[None]:
    """Keep the lake from being rewritten while its commits are copied; wait for a rewriting that is under way."""
    if not house.path("lake", "lake.json").exists():
        yield
        return
    lake, until = Lake(house.path("lake"), house.city.zone, check=False), time.monotonic() + PATIENCE_S
    while True:
        try:
            with hold_maintenance(lake):
                yield
            break
        except LakeBusy as error:
            if time.monotonic() > until:
                raise BackupError("the lake is being rewritten for ten minutes now; try again when its maintenance is done (see jobs)") from error
            progress("waiting for the lake's maintenance", 0)
            time.sleep(1.0)


def _copy_lake(house: House, stage: Path, wanted: Callable[[str], bool]) -> None:
    for table in (*LAKE_ORDER, *(name for name in TABLES if name not in LAKE_ORDER)):
        if wanted(table) and house.path("lake", table, "_delta_log").is_dir():
            copy_commits(house.path("lake", table), stage / "lake" / table)


def _add_data(house: House, archive: ArchiveWriter, stage: Path, progress: Progress) -> None:
    for table, spec in TABLES.items():
        files = list_data_files(stage / "lake" / table, spec)
        for place, relative in enumerate(files, 1):
            archive.add(house.path("lake", table, relative), f"lake/{table}/{relative}")
            if place == len(files) or place % max(1, len(files) // STEPS) == 0:
                progress(f"lake {table}, of {len(files)} files", place)


def _add_plain(house: House, archive: ArchiveWriter, name: str) -> None:
    if house.path(name).exists():
        archive.add(house.path(name), name)


@contextmanager
def _snapshot(house: House, stage: Path) -> Iterator[str]:
    """Yield the alias of a database that does not change while it is read."""
    if connection.vendor != "sqlite":
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield "default"
        return
    copy = stage / "snapshot.sqlite3"
    copy_log(Path(str(connection.settings_dict["NAME"])), copy)
    connections.databases["snapshot"] = {**connections.databases["default"], "NAME": str(copy)}
    try:
        yield "snapshot"
    finally:
        connections["snapshot"].close()
        del connections["snapshot"]
        del connections.databases["snapshot"]
        for file in stage.glob("snapshot.sqlite3*"):
            file.unlink()
