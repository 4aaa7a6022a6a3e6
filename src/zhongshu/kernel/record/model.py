"""The base of every record kind."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F
from django.db.models.base import ModelBase

from .change import Change, WriteEntry, current_change
from .history import RecordHistory, build_history, column_names, copy_to_history
from .uid import uuid7

__all__ = ["Conflict", "Record", "RecordQuerySet"]

BULK = 2000
QUIET = {"version", "changed_at", "recorded_at", "uid"}


class Conflict(RuntimeError):
    """Somebody else changed the record since it was read."""


class RecordQuerySet(models.QuerySet[Any]):
    """Bulk writes with history; all of them refuse to run outside `change`."""

    def bulk_create(self, objs: Iterable[Any], batch_size: int | None = None, *args: Any, **options: Any) -> list[Any]:
        """Insert many records with their history rows; one audit entry holds the count and a digest.

        Duplicates are an error: `ignore_conflicts` and `update_conflicts` would leave history wrong and are refused.
        """
        if any(args) or options.get("ignore_conflicts") or options.get("update_conflicts"):
            raise ValueError("bulk_create of records cannot ignore or update conflicts; look up first")
        opened, rows = current_change(), list(objs)
        for row in rows:
            row.recorded_at = row.changed_at = opened.at
        made = super().bulk_create(rows, batch_size=batch_size or BULK)
        if any(row.pk is None for row in made):
            ids = dict(self.model._base_manager.filter(uid__in=[row.uid for row in made]).values_list("uid", "pk"))
            for row in made:
                row.pk = ids[row.uid]
        names = column_names(self.model)
        self._open_history(opened, [(row.pk, [getattr(row, name) for name in names]) for row in made], names, "bulk_create")
        return made

    def update(self, **values: Any) -> int:
        """Change many records in one statement, with their history; returns how many."""
        opened = current_change()
        ids = list(self.order_by().values_list("pk", flat=True))
        for part in _chunks(ids):
            chosen = self.model._base_manager.filter(pk__in=part)
            models.QuerySet.update(chosen, **values, version=F("version") + 1, changed_at=opened.at)
            self._close_history(opened, part)
            names = column_names(self.model)
            rows = [(row[0], list(row[1:])) for row in chosen.values_list("pk", *names)]
            self._open_history(opened, rows, names, "bulk_change")
        return len(ids)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Remove many records; their history stays and is closed. Raises `ProtectedError` while others point to them."""
        opened = current_change()
        ids = list(self.order_by().values_list("pk", flat=True))
        removed = 0
        for part in _chunks(ids):
            self._close_history(opened, part)
            count, _each = models.QuerySet.delete(self.model._base_manager.filter(pk__in=part))
            removed += count
        if ids:
            opened.record(WriteEntry(self.model._meta.label, "bulk_remove", count=len(ids), digest=_digest(ids)))
        return removed, {self.model._meta.label: removed}

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Change many records to different values in few statements, with their history."""
        opened, rows = current_change(), list(objs)
        for row in rows:
            row.version += 1
            row.changed_at = opened.at
        plain: models.QuerySet[Any] = models.QuerySet(self.model, using=self.db)
        count = plain.bulk_update(rows, [*fields, "version", "changed_at"], batch_size=batch_size or 500)
        names = column_names(self.model)
        for part in _chunks([row.pk for row in rows]):
            self._close_history(opened, part)
            values = [(row[0], list(row[1:])) for row in self.model._base_manager.filter(pk__in=part).values_list("pk", *names)]
            self._open_history(opened, values, names, "bulk_change")
        return count

    def _close_history(self, opened: Change, ids: Sequence[int]) -> None:
        self.model.history_model._default_manager.filter(record_id__in=ids, recorded_until__isnull=True).update(recorded_until=opened.at)

    def _open_history(self, opened: Change, rows: list[tuple[int, list[Any]]], names: list[str], verb: str) -> None:
        if not rows:
            return
        copy_to_history(self.model, [pk for pk, _values in rows], _stamp(opened))
        opened.record(WriteEntry(self.model._meta.label, verb, count=len(rows), digest=_digest([[pk, *values] for pk, values in rows])))


class RecordBase(ModelBase):
    """Metaclass that gives each concrete record kind its history model."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **options: Any) -> Any:
        """Make the class, and beside every concrete one its `<Name>History`."""
        made: Any = super().__new__(cls, name, bases, attrs, **options)
        if not made._meta.abstract and not made._meta.proxy and issubclass(made, models.Model) and "history_model" not in attrs:
            made.history_model = build_history(made)
        return made


class Record(models.Model, metaclass=RecordBase):
    """What people work with: an identity, a version, a history, and rights.

    Sub-classes may declare `class Show` (columns, filters, search, marker, icon) and `class Rights` (division, organisation: field paths; levels: field → class); see
    `kernel.derive`. Relations between records must be `on_delete=PROTECT`; multi-table inheritance is refused at start.
    """

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    recorded_at = models.DateTimeField(editable=False)
    changed_at = models.DateTimeField(editable=False)

    objects = RecordQuerySet.as_manager()
    history_model: ClassVar[type[RecordHistory]]

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **options: Any) -> None:
        """Write the record inside the open change; raises `Conflict` when its version is no longer current."""
        opened = current_change()
        before = self._check_version()
        creating = self._state.adding
        self.recorded_at = self.recorded_at or opened.at
        self.changed_at = opened.at
        self.version = 1 if creating else self.version + 1
        options.pop("update_fields", None)
        super().save(*args, **options)
        after = {name: getattr(self, name) for name in column_names(type(self))}
        self.history_model._default_manager.filter(record_id=self.pk, recorded_until__isnull=True).update(recorded_until=opened.at)
        self.history_model._default_manager.create(record_id=self.pk, **_stamp(opened), **after)
        differs = {name for name, value in after.items() if before.get(name) != value} - QUIET
        opened.record(
            WriteEntry(
                self._meta.label,
                "create" if creating else "change",
                str(self.uid),
                {name: _plain(before[name]) for name in sorted(differs) if name in before},
                {name: _plain(after[name]) for name in sorted(differs)},
            )
        )

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Remove the record; its history stays and is closed."""
        opened = current_change()
        before = self._check_version()
        self.history_model._default_manager.filter(record_id=self.pk, recorded_until__isnull=True).update(recorded_until=opened.at)
        opened.record(WriteEntry(self._meta.label, "remove", str(self.uid), {k: _plain(v) for k, v in before.items() if k not in QUIET}))
        return super().delete(*args, **options)

    def refresh(self) -> Self:
        """Read the record again and return it."""
        self.refresh_from_db()
        return self

    def _check_version(self) -> dict[str, Any]:
        if self._state.adding:
            return {}
        names = column_names(type(self))
        now = type(self)._base_manager.filter(pk=self.pk).select_for_update().values(*names).first()
        if now is None:
            raise Conflict(f"{self._meta.verbose_name} {self.uid} was removed by somebody else")
        if now["version"] != self.version:
            raise Conflict(f"{self._meta.verbose_name} {self.uid} was changed by somebody else (version {now['version']}, yours {self.version})")
        return dict(now)


def _stamp(opened: Change) -> dict[str, Any]:
    return {"recorded_from": opened.at, "change_uid": opened.uid, "changed_by": opened.by.name[:200], "changed_why": opened.why[:500]}


def _chunks(ids: list[int], size: int = 500) -> Iterable[list[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return f"sha256:{hashlib.sha256(value).hexdigest()}"
    return str(value) if isinstance(value, uuid.UUID) else value


def _digest(rows: Any) -> str:
    return hashlib.sha256(json.dumps(rows, cls=_Encoder, sort_keys=True).encode()).hexdigest()


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        """Encode binary columns by their hash."""
        return _plain(o) if isinstance(o, bytes | memoryview) else super().default(o)
