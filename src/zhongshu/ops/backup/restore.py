"""Reading a backup into an empty installation, and bringing its parts in line with each other."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from zhongshu import __version__
from zhongshu.brain.rule.models import RuleProgress
from zhongshu.kernel.event import Offset
from zhongshu.kernel.home import FILE, House
from zhongshu.kernel.lake import TABLES, Lake, LakeError
from zhongshu.kernel.log import LogError, LogReader, forget_origin, raise_sequence
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.pulse import read_pulses
from zhongshu.kernel.record import Actor
from zhongshu.security.audit import create_entry
from zhongshu.security.identity.models import User
from zhongshu.sense.device.publish import publish_all
from zhongshu.sense.observe.facts import CONSUMER
from zhongshu.sense.pipeline import Pipeline, PipelineSettings

from .archive import BackupError, unpack_archive
from .tables import find_differences, load_tables

__all__ = ["restore_backup"]

PARTS = ("log", "lake", "audit", "secret.key")
RUNNING_S = 15.0
RULE_TABLES = ("observation", "late", "correction")
Progress = Callable[[str, int], None]


def restore_backup(house: House, source: Path, progress: Progress, by: str = "command line") -> dict[str, Any]:
    """Read an archive into this installation, which must be empty and stopped, and return its manifest; SQLite and PostgreSQL can be mixed freely.

    Dimension files and latest values are made again. Settings are taken over only where there are none and the database is the same kind of place; else they are left
    beside as `zhongshu.toml.restored`. Raises `BackupError` for a damaged archive, another version's tables, or an installation that holds something or runs; nothing
    was changed then.
    """
    if not source.exists():
        raise BackupError(f"{source} does not exist")
    _refuse_running(house)
    _refuse_full(house)
    house.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=house.home, prefix=".restore-") as name:
        folder = Path(name)
        manifest = unpack_archive(source, folder)
        progress("files checked", len(manifest["files"]))
        _refuse_other(house, source, manifest)
        call_command("migrate", interactive=False, verbosity=0)
        if differences := find_differences(folder / "records"):
            raise BackupError(f"{source} was taken with version {manifest['version']}, whose records differ ({differences[0]}); restore with that version, then upgrade")
        with transaction.atomic():
            load_tables(folder / "records", "default", progress)
            _place_files(house, folder)
    settings.SECRET_KEY = house.path("secret.key").read_text(encoding="ascii").strip()
    try:
        _align(house, progress)
    except (LakeError, LogError) as error:
        raise BackupError(f"records and files are restored, but they do not fit together: {error}") from error
    for pulse in house.path("run").glob("*.json"):  # nobody runs here yet
        pulse.unlink()
    create_entry(Actor("system", by), "restore", f"the state of {manifest['taken_at']}")
    return manifest


def _refuse_running(house: House) -> None:
    alive = [name for name, figures in read_pulses(house.path("run")).items() if figures["age_s"] < RUNNING_S]
    if alive:
        raise BackupError(f"processes of this installation run ({', '.join(alive)}); stop them, wait {RUNNING_S:.0f} seconds and restore then")


def _refuse_full(house: House) -> None:
    try:
        tables = set(connection.introspection.table_names())
    except DatabaseError as error:
        raise BackupError(f"the records database cannot be reached: {error}") from error
    for model in (User, Division):
        if model._meta.db_table in tables and model._base_manager.exists():
            raise BackupError(f"this installation ({house.home}) already holds records; restore into an empty data folder or database")
    if any(house.path("lake").glob("*/*/*.parquet")):
        raise BackupError(f"{house.path('lake')} is not empty; restore into an empty data folder")
    for file in house.path("log").glob("*.sqlite3"):
        with closing(LogReader(file)) as log:
            if log.figures().last_seq:
                raise BackupError(f"the log {file} is not empty; restore into an empty data folder")


def _refuse_other(house: House, source: Path, manifest: dict[str, Any]) -> None:
    if _number(str(manifest["version"])) > _number(__version__):
        raise BackupError(f"{source} was taken with version {manifest['version']}, this is {__version__}; restore with that version or a newer one")
    if manifest["zone"] != house.city.zone:
        raise BackupError(f"{source} is of a city in zone {manifest['zone']}, this installation says {house.city.zone}; set [city] zone in {house.path(FILE)} first")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _place_files(house: House, folder: Path) -> None:
    """Put everything in its place; what an empty installation has made there (a key, empty logs) gives way."""
    for part in (*PARTS, "latest"):
        target = house.path(part)
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
        if (folder / part).exists():
            (folder / part).replace(target)
    kept = folder / FILE
    if kept.exists():
        mine = house.path(FILE)
        kept.replace(mine if not mine.exists() and _names_no_database(kept) and not house.records.url else house.path(f"{FILE}.restored"))


def _names_no_database(file: Path) -> bool:
    return "[records]" not in file.read_text(encoding="utf-8")


def _align(house: House, progress: Progress) -> None:
    """Bring the copies, taken one after another, in line: sequences up to what was read, positions down to what is there; then make what is derived."""
    publish_all(house)
    with closing(Pipeline(PipelineSettings(house.home, house.city.zone))) as pipeline:
        read = {partition: _get_read(pipeline, f"log:{partition}") for partition in _list_partitions(house)}
        notes = pipeline.lake.version("notes", "batch") or 0
        _lower_rules(pipeline.lake)
    for partition, seq in read.items():
        raise_sequence(house.path("log", f"{partition}.sqlite3"), seq)
    if house.nats.url and house.nats.role == "forward":
        forget_origin(house.path("log", f"{house.gateway.partition}.sqlite3"))
    facts = house.path("log", "facts.sqlite3")
    raise_sequence(facts, Offset.objects.filter(consumer=CONSUMER).values_list("position", flat=True).first() or 0)
    raise_sequence(facts, notes, "batch")
    progress("latest values and dimension files made again", 1)


def _list_partitions(house: House) -> list[str]:
    found = {file.stem for file in house.path("log").glob("*.sqlite3")} - {"facts", "quarantine"}
    return sorted(found | {house.gateway.partition})


def _get_read(pipeline: Pipeline, app: str) -> int:
    """Return the furthest offset of a partition that anything keeps: a later entry with such a number would be skipped."""
    kept = [pipeline.lake.version(app, table) or 0 for table in TABLES]
    return max(*kept, pipeline.facts.get_offset(app), pipeline.quarantine.get_offset(app))


def _lower_rules(lake: Lake) -> None:
    """A rule's position names versions of lake tables; the records, copied last, may know later ones than the lake's copy has."""
    versions = [lake.open(table).version_number for table in RULE_TABLES]
    for row in RuleProgress.objects.exclude(position=""):
        parts = [min(int(part), version) for part, version in zip(row.position.split("/"), versions, strict=True)]
        RuleProgress.objects.filter(pk=row.pk).update(position="/".join(map(str, parts)))
