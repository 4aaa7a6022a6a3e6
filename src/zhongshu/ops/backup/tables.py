"""Records as portable rows: every table of every app, typed by its fields, independent of the database."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from django.apps import apps
from django.core.management.color import no_style
from django.db import connections, models, transaction

__all__ = ["dump_tables", "find_differences", "list_tables", "load_tables"]

BATCH = 1000
SKIPPED = {"contenttypes.contenttype", "auth.permission", "auth.group_permissions", "sessions.session"}
SKIPPED_APPS = {"axes"}
Progress = Callable[[str, int], None]


def list_tables() -> list[type[models.Model]]:
    """Return all concrete tables worth keeping: all of ours and of the log-in devices, without sessions and lock-out counters."""
    found = [m for m in apps.get_models(include_auto_created=True) if m._meta.managed and not m._meta.proxy]
    return [m for m in found if m._meta.label_lower not in SKIPPED and m._meta.app_label not in SKIPPED_APPS]


def dump_tables(folder: Path, alias: str, progress: Progress) -> dict[str, int]:
    """Write each table of the database `alias` to `<folder>/<label>.msgpack`; returns rows per table."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for model in list_tables():
        label = model._meta.label_lower
        with folder.joinpath(f"{label}.msgpack").open("wb") as out:
            counts[label] = _dump_table(model, alias, out)
        progress(label, counts[label])
    return counts


def load_tables(folder: Path, alias: str, progress: Progress) -> dict[str, int]:
    """Read tables written by `dump_tables` into a migrated database in place of what it holds, in one transaction, and set its sequences.

    Foreign keys are checked at the end, so the order of tables does not matter. Ask `find_differences` first.
    """
    connection = connections[alias]
    counts = {}
    tables = list_tables()
    with transaction.atomic(using=alias):
        with connection.cursor() as cursor:
            for model in tables:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608 names from our models
        for model in tables:
            file = folder / f"{model._meta.label_lower}.msgpack"
            if file.exists():
                with file.open("rb") as source:
                    counts[model._meta.label_lower] = _load_table(model, alias, source)
                progress(model._meta.label_lower, counts[model._meta.label_lower])
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), tables):
                cursor.execute(statement)
        connection.check_constraints()
    return counts


def find_differences(folder: Path) -> list[str]:
    """Return which tables or columns a dump has and this code has not, or the other way round; a dump with differences cannot be loaded."""
    known = {m._meta.label_lower: {f.attname for f in m._meta.concrete_fields} for m in list_tables()}
    dumped = {}
    for file in folder.glob("*.msgpack"):
        with file.open("rb") as source:
            dumped[file.stem] = set(msgspec.msgpack.decode(next(_read(source))))
    found = [f"table {label}" for label in sorted(known.keys() ^ dumped.keys())]
    for label in sorted(known.keys() & dumped.keys()):
        found += [f"column {label}.{name}" for name in sorted(known[label] ^ dumped[label])]
    return found


def _dump_table(model: type[models.Model], alias: str, out: BinaryIO) -> int:
    fields = model._meta.concrete_fields
    encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
    _write(out, encoder.encode([f.attname for f in fields]))
    count = 0
    rows = model._base_manager.using(alias).order_by("pk").values_list(*(f.attname for f in fields))
    for batch in _batches(rows.iterator(chunk_size=BATCH)):
        _write(out, encoder.encode(batch))
        count += len(batch)
    return count


def _load_table(model: type[models.Model], alias: str, source: BinaryIO) -> int:
    connection = connections[alias]
    by_name = {f.attname: f for f in model._meta.concrete_fields}
    blocks = _read(source)
    names: list[str] = msgspec.msgpack.decode(next(blocks))
    fields = [by_name[name] for name in names]
    quote = connection.ops.quote_name
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(quote(str(f.column)) for f in fields)}) VALUES ({', '.join(['%s'] * len(fields))})"  # noqa: S608 names from our models
    count = 0
    with connection.cursor() as cursor:
        for block in blocks:
            rows = msgspec.msgpack.decode(block)
            cursor.executemany(sql, [[f.get_db_prep_save(f.to_python(v), connection) for f, v in zip(fields, row, strict=True)] for row in rows])
            count += len(rows)
    return count


def _batches(rows: Iterator[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write(out: BinaryIO, block: bytes) -> None:
    out.write(len(block).to_bytes(8, "big") + block)


def _read(source: BinaryIO) -> Iterator[bytes]:
    while head := source.read(8):
        yield source.read(int.from_bytes(head, "big"))


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot be backed up")
