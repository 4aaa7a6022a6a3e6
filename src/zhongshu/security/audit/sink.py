"""Writing to the trail: the writes of a change, in its transaction, and whatever else must be known."""

from datetime import UTC, datetime
from typing import Any

from zhongshu.kernel.derive import KindSpec
from zhongshu.kernel.record import Actor, Change, WriteEntry, transaction
from zhongshu.kernel.registry import registry
from zhongshu.security.version import RIGHTS_KINDS, note_rights_change

from .models import AuditEntry

__all__ = ["HIDDEN", "TrailSink", "create_entry"]

HIDDEN = "•••"


class TrailSink:
    """Implements the kernel's `AUDIT` port."""

    def write(self, change: Change) -> None:
        """Add one entry per write of `change`; values of core-class fields (passwords, secrets) are never stored, only that they differ.

        Every write of records passes here, bulk writes too: so this is where a change of rights is noted.
        """
        AuditEntry.objects.bulk_create([_build_entry(change, entry) for entry in change.entries])
        if any(entry.kind in RIGHTS_KINDS for entry in change.entries):
            note_rights_change()


def create_entry(
    by: Actor, verb: str, why: str = "", *, kind: str = "", record_uid: str = "", detail: dict[str, Any] | None = None, count: int = 1, digest: str = ""
) -> None:
    """Add an entry that is not a write of a record: a log-in, a look at a sensitive value, an export, a command."""
    entry = AuditEntry(at=datetime.now(UTC), why=why[:500], verb=verb, kind=kind, record_uid=record_uid, count=count, digest=digest, **_who(by))
    with transaction():
        entry.with_values({}, detail or {}).save()


def _build_entry(change: Change, entry: WriteEntry) -> AuditEntry:
    hidden = _list_core_fields(entry.kind)
    made = AuditEntry(
        at=change.at,
        change_uid=change.uid,
        why=change.why[:500],
        verb=entry.verb,
        kind=entry.kind,
        record_uid=entry.uid,
        count=entry.count,
        digest=entry.digest,
        **_who(change.by),
    )
    return made.with_values(_hide(entry.before, hidden), _hide(entry.after, hidden))


def _who(by: Actor) -> dict[str, str]:
    return {"by_kind": by.kind, "by_name": by.name[:200], "by_uid": by.uid, "by_address": by.address[:64]}


def _list_core_fields(kind: str) -> frozenset[str]:
    found: KindSpec | None = registry.find("kind", kind)
    return frozenset(f.name for f in found.fields if f.classified == "core") if found else frozenset()


def _hide(values: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    return {name: HIDDEN if name in hidden and value else value for name, value in values.items()}
