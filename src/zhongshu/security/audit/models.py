"""The audit trail: entries that are only ever added, and the seals over them."""

import json
from collections.abc import Iterable
from typing import Any, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from .mark import make_mark

__all__ = ["AppendOnly", "AuditEntry", "AuditSeal"]

BULK = 1000


class AppendOnly(RuntimeError):
    """Something tried to change or remove what was written to the trail."""


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Reads and adds; every other write is refused."""

    def bulk_create(self, objs: Iterable[Any], batch_size: int | None = None, **options: Any) -> list[Any]:  # type: ignore[override]
        """Add many rows, each with its mark."""
        if options.get("ignore_conflicts") or options.get("update_conflicts"):
            raise AppendOnly("the trail has no conflicts to ignore or update")
        rows = list(objs)
        for row in rows:
            row.prepare()
        return super().bulk_create(rows, batch_size=batch_size or BULK)

    def update(self, **values: Any) -> int:
        """Refuse."""
        raise AppendOnly("the trail cannot be changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise AppendOnly("the trail cannot be removed")


class AppendOnlyRow(models.Model):
    """Saved once, never again."""

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def prepare(self) -> None:
        """Complete the row before it is added."""

    def save(self, *args: Any, **options: Any) -> None:
        """Add the row; raises `AppendOnly` for one that is there already."""
        if not self._state.adding:
            raise AppendOnly("the trail cannot be changed")
        self.prepare()
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Refuse."""
        raise AppendOnly("the trail cannot be removed")


class AuditEntry(AppendOnlyRow):
    """Who did what to what, when and why.

    Writes have the verbs of `kernel.record.WriteEntry`; other verbs are log-in, log-in-failed, locked-out, unlocked, log-out, look, denied, export, command and
    totp-added, totp-removed. `before_json` and `after_json` are canonical JSON texts of the fields that differ (texts, because a database that prints JSON anew
    would break the hash). `position` and `hash` are empty until the entry is sealed: `hash` chains it to the entry at the position before.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    change_uid = models.CharField(max_length=36, blank=True, db_index=True)
    by_kind = models.CharField(max_length=20)
    by_name = models.CharField(max_length=200)
    by_uid = models.CharField(max_length=64, blank=True, db_index=True)
    by_address = models.CharField(max_length=64, blank=True)
    why = models.CharField(max_length=500, blank=True)
    verb = models.CharField(max_length=20)
    kind = models.CharField(max_length=100, blank=True)
    record_uid = models.CharField(max_length=64, blank=True)
    before_json = models.TextField(default="{}")
    after_json = models.TextField(default="{}")
    count = models.BigIntegerField(default=1)
    digest = models.CharField(max_length=64, blank=True)
    mark = models.CharField(max_length=64)
    position = models.BigIntegerField(null=True, unique=True)
    hash = models.CharField(max_length=64, blank=True)

    class Meta(AppendOnlyRow.Meta):
        indexes = [
            models.Index(fields=["kind", "record_uid", "id"], name="security_audit_record"),
            models.Index(fields=["id"], name="security_audit_unsealed", condition=models.Q(position__isnull=True)),
        ]

    def prepare(self) -> None:
        """Mark the entry as written by this installation (see `mark`)."""
        self.mark = make_mark(self.get_bytes())

    @property
    def before(self) -> dict[str, Any]:
        """The differing fields as they were."""
        return dict(json.loads(self.before_json))

    @property
    def after(self) -> dict[str, Any]:
        """The differing fields as they became; for other verbs, what there is to say."""
        return dict(json.loads(self.after_json))

    def with_values(self, before: dict[str, Any], after: dict[str, Any]) -> Self:
        """Set both sides from dicts and return the entry."""
        self.before_json, self.after_json = format_values(before), format_values(after)
        return self

    def get_bytes(self) -> bytes:
        """Return everything the entry says, except its id and its seal, in one canonical form."""
        at = self.at.isoformat(timespec="microseconds")
        said = [at, self.change_uid, self.by_kind, self.by_name, self.by_uid, self.by_address, self.why, self.verb, self.kind, self.record_uid]
        return json.dumps([*said, self.before_json, self.after_json, self.count, self.digest], ensure_ascii=False, separators=(",", ":")).encode()


class AuditSeal(AppendOnlyRow):
    """One signed batch: the entries at `first` to `last`, chained to the seal before it.

    `entries_before` and `entries_hash` are the hashes of the entries before `first` and at `last`; `doubtful` lists the ids of entries whose mark was wrong when they
    were sealed (written by somebody without this installation's key). `hash` is over everything above it, `signature` is Ed25519 (RFC 8032) over `hash`.
    """

    number = models.BigIntegerField(primary_key=True)
    sealed_at = models.DateTimeField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    entries_before = models.CharField(max_length=64)
    entries_hash = models.CharField(max_length=64)
    doubtful = models.TextField(default="[]")
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)

    def get_bytes(self) -> bytes:
        """Return what the seal's hash is taken over."""
        at = self.sealed_at.isoformat(timespec="microseconds")
        said = [self.number, at, self.first, self.last, self.entries_before, self.entries_hash, self.doubtful, self.previous]
        return json.dumps(said, separators=(",", ":")).encode()


def format_values(values: dict[str, Any]) -> str:
    """Return canonical JSON: sorted keys, no spaces, Chinese kept readable."""
    return json.dumps(values, cls=DjangoJSONEncoder, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
