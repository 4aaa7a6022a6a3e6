"""One archive of a whole installation, taken while it runs, and read back into an empty one.

The order makes a running snapshot whole: gateway logs, then the lake, then the facts log, then records. What a later step no longer holds an earlier copy has: a log entry
trimmed after its copy is in the lake's copy; a fact trimmed after its copy is in the records. On restore the logs' sequences are raised to what lake and records have read.
"""

import hashlib
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.core.management import call_command
from django.db import connection, connections, transaction

from zhongshu import __version__
from zhongshu.kernel.home import House
from zhongshu.kernel.place.models import Division
from zhongshu.security.identity.models import User

from .tables import dump_tables, load_tables

__all__ = ["BackupError", "create_backup", "restore_backup"]

MANIFEST = "manifest.json"
PLAIN = ("zhongshu.toml", "secret.key")
Progress = Callable[[str, int], None]


class BackupError(RuntimeError):
    """A backup cannot be taken or read; the message says why and what to do."""


def create_backup(house: House, target: Path, progress: Progress) -> dict[str, object]:
    """Write one archive of the running installation; returns its manifest. The file appears under its name only when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as name:
        folder = Path(name)
        _copy_logs(house, folder, lambda file: file.name != "facts.sqlite3", progress)
        _copy_lake(house, folder, progress)
        _copy_logs(house, folder, lambda file: file.name == "facts.sqlite3", progress)
        with _snapshot(house, folder) as alias:
            counts = dump_tables(folder / "records", alias, progress)
        for plain in (*PLAIN, "audit"):
            _copy_plain(house.path(plain), folder / plain)
        manifest = _describe(folder, counts)
        partial = target.with_name(f".{target.name}.partial")
        with tarfile.open(partial, "w") as archive:
            archive.add(folder, arcname=".")
        partial.replace(target)
    return manifest


def restore_backup(house: House, source: Path, progress: Progress) -> dict[str, object]:
    """Read an archive into this installation, whose records must be empty; SQLite and PostgreSQL can be mixed freely.

    Raises `BackupError` for a damaged archive, a newer version, or an installation that already holds records.
    """
    if not source.exists():
        raise BackupError(f"{source} does not exist")
    house.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=house.home, prefix=".restore-") as name:
        folder = Path(name)
        manifest = _unpack(source, folder)
        _refuse_full(house)
        call_command("migrate", interactive=False, verbosity=0)
        load_tables(folder / "records", "default", progress)
        for part in ("log", "lake", *PLAIN, "audit"):
            if (folder / part).exists() and not (part == "zhongshu.toml" and house.path(part).exists()):
                _move(folder / part, house.path(part))
    return manifest


def _copy_logs(house: House, folder: Path, wanted: Callable[[Path], bool], progress: Progress) -> None:
    for file in sorted(house.path("log").glob("*.sqlite3")):
        if wanted(file):
            _copy_sqlite(file, folder / "log" / file.name)
            progress(f"log/{file.name}", 1)


def _copy_sqlite(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new, pages=4096)


def _copy_lake(house: House, folder: Path, progress: Progress) -> None:
    """Copy each table's log first, then the files it may name; data files never change, and retention outlives a copy."""
    for table in sorted(house.path("lake").glob("*")):
        if table.is_dir():
            target = folder / "lake" / table.name
            logs = table / "_delta_log"
            if logs.exists():
                shutil.copytree(logs, target / "_delta_log")
            shutil.copytree(table, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("_delta_log", "*.tmp"))
            progress(f"lake/{table.name}", 1)
        else:
            _copy_plain(table, folder / "lake" / table.name)


def _copy_plain(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


@contextmanager
def _snapshot(house: House, folder: Path) -> Iterator[str]:
    if connection.vendor == "sqlite":
        copy = folder / "snapshot.sqlite3"
        _copy_sqlite(house.path("records.sqlite3"), copy)
        connections.databases["snapshot"] = {**connections.databases["default"], "NAME": str(copy)}
        try:
            yield "snapshot"
        finally:
            connections["snapshot"].close()
            del connections.databases["snapshot"]
            for file in folder.glob("snapshot.sqlite3*"):
                file.unlink()
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield "default"


def _describe(folder: Path, counts: dict[str, int]) -> dict[str, object]:
    files = {str(f.relative_to(folder)): _sha256(f) for f in sorted(folder.rglob("*")) if f.is_file()}
    manifest: dict[str, object] = {"version": __version__, "taken_at": datetime.now(UTC).isoformat(), "rows": counts, "files": files}
    folder.joinpath(MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _unpack(source: Path, folder: Path) -> dict[str, object]:
    try:
        with tarfile.open(source, "r") as archive:
            archive.extractall(folder, filter="data")
        manifest = json.loads(folder.joinpath(MANIFEST).read_text(encoding="utf-8"))
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BackupError(f"{source} is not a backup of zhongshu, or it is damaged: {error}") from error
    for name, digest in manifest["files"].items():
        file = folder / name
        if not file.exists() or _sha256(file) != digest:
            raise BackupError(f"{source} is damaged: {name} is not what was backed up")
    if _number(manifest["version"]) > _number(__version__):
        raise BackupError(f"{source} was taken with version {manifest['version']}, this is {__version__}; restore with that version or a newer one")
    return manifest


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _refuse_full(house: House) -> None:
    tables = set(connection.introspection.table_names())
    for model in (User, Division):
        if model._meta.db_table in tables and model._base_manager.exists():
            raise BackupError(f"this installation ({house.home}) already holds records; restore into an empty data folder or database")
    if any(house.path("lake").glob("*/_delta_log")):
        raise BackupError(f"{house.path('lake')} is not empty; restore into an empty data folder")


def _move(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
