"""Sealing: the worker chains new entries every second and signs each batch."""

import hashlib
import json
from datetime import UTC, datetime

from django.db import connection

from zhongshu.kernel.record import transaction

from .key import Head, load_head, save_head, sign
from .mark import has_mark
from .models import AuditEntry, AuditSeal

__all__ = ["chain", "seal_due"]

BATCH = 5000
LOCK = 0x7A687368  # PostgreSQL advisory lock: only one process seals


def chain(previous: str, entry: AuditEntry) -> str:
    """Return the hash of an entry: SHA-256 over the hash before it, its position, its id, its mark and what it says."""
    head = json.dumps([previous, entry.position, entry.pk, entry.mark]).encode()
    return hashlib.sha256(head + b"\n" + entry.get_bytes()).hexdigest()


def seal_due(limit: int = BATCH) -> int:
    """Seal up to `limit` entries that are not sealed yet, in the order of their ids; returns how many.

    Called by the worker every second. Ids are not positions: a transaction that commits late has a lower id than entries sealed before
    it and still gets the next position.
    When the database is older than the head file (somebody cut the trail, or an old backup was restored) sealing goes on from the head, so that the missing
    seals stay visible for ever. Raises `SealKeyMissing`.
    """
    if not AuditEntry.objects.filter(position__isnull=True).exists():
        return 0
    with transaction():
        _lock()
        head = _find_end()
        entries = list(AuditEntry.objects.filter(position__isnull=True).order_by("id")[:limit])
        if not entries:
            return 0
        seal = _seal(head, entries)
    save_head(Head(seal.number, seal.last, seal.entries_hash, seal.hash))
    return len(entries)


def _seal(head: Head, entries: list[AuditEntry]) -> AuditSeal:
    doubtful = [entry.pk for entry in entries if not has_mark(entry.get_bytes(), entry.mark)]
    running = head.entries_hash
    for position, entry in enumerate(entries, start=head.last + 1):
        entry.position = position
        running = entry.hash = chain(running, entry)
    table = connection.ops.quote_name(AuditEntry._meta.db_table)
    with connection.cursor() as cursor:
        rows = [(entry.position, entry.hash, entry.pk) for entry in entries]
        cursor.executemany(f"UPDATE {table} SET position = %s, hash = %s WHERE id = %s AND position IS NULL", rows)  # noqa: S608
    seal = AuditSeal(
        number=head.number + 1,
        sealed_at=datetime.now(UTC),
        first=head.last + 1,
        last=head.last + len(entries),
        entries_before=head.entries_hash,
        entries_hash=running,
        doubtful=json.dumps(doubtful),
        previous=head.hash,
    )
    seal.hash = hashlib.sha256(seal.get_bytes()).hexdigest()
    seal.signature = sign(seal.hash)
    seal.save(force_insert=True)
    return seal


def _find_end() -> Head:
    remembered = load_head()
    last = AuditSeal.objects.order_by("-number").first()
    if last is None or last.number < remembered.number:
        return remembered
    return Head(last.number, last.last, last.entries_hash, last.hash)


def _lock() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
