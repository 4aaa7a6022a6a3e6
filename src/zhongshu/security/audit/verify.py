"""Verifying the trail: what was changed, removed, inserted or cut off since it was sealed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .key import GENESIS, Head, find_public_key, has_signature, load_head
from .models import AuditEntry, AuditSeal
from .seal import chain

__all__ = ["AuditReport", "Finding", "verify_audit"]

READ = 2000


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `kind` is changed, removed, inserted, truncated, seal or key; `where` is the position or seal number; `text` is a plain sentence."""

    kind: str
    where: int
    text: str


@dataclass(frozen=True)
class AuditReport:
    """What `verify_audit` found: how much was looked at, and every finding in the order of the trail."""

    seals: int
    entries: int
    unsealed: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the trail is as it was sealed."""
        return not self.findings


class _Trail:
    """Sealed entries in the order of their positions, read once."""

    def __init__(self) -> None:
        self._rows = AuditEntry.objects.filter(position__isnull=False).order_by("position").iterator(READ)
        self._next = next(self._rows, None)
        self.count = 0

    def take(self, below: int | None) -> Iterator[AuditEntry]:
        """Yield the entries whose position is below `below` (None: all that are left)."""
        while self._next is not None and (below is None or (self._next.position or 0) < below):
            found, self._next = self._next, next(self._rows, None)
            self.count += 1
            yield found


def verify_audit() -> AuditReport:
    """Recompute the whole chain and check every signature; reads the trail once, in order, in constant memory.

    Proves nothing about entries younger than the last seal (about one second), nor against somebody who has both the database and the seal key.
    """
    findings: list[Finding] = []
    key, head, trail = find_public_key(), load_head(), _Trail()
    seals, before = 0, GENESIS
    for seal in AuditSeal.objects.order_by("number").iterator(READ):
        if key is None and not seals:
            findings.append(Finding("key", 0, "the public seal key (audit/seal.pub) is missing; signatures cannot be checked"))
        seals += 1
        findings += _check_seal(before, seal, key)
        findings += [_stray(entry) for entry in trail.take(seal.first)]
        findings += _check_entries(seal, trail)
        before = Head(seal.number, seal.last, seal.entries_hash, seal.hash)
        if seal.number == head.number and seal.hash != head.hash:
            findings.append(Finding("seal", seal.number, f"seal {seal.number} is not the one that the head file remembers"))
    findings += [_stray(entry) for entry in trail.take(None)]
    if head.number > before.number:
        text = f"the end is cut off: the last seal here is {before.number} (position {before.last}), the head file remembers {head.number} (position {head.last})"
        findings.append(Finding("truncated", before.last + 1, text))
    return AuditReport(seals, trail.count, AuditEntry.objects.filter(position__isnull=True).count(), tuple(findings))


def _check_seal(before: Head, seal: AuditSeal, key: Ed25519PublicKey | None) -> Iterator[Finding]:
    if seal.number != before.number + 1:
        text = f"the seals {before.number + 1} to {seal.number - 1} are missing, with the entries at positions {before.last + 1} to {seal.first - 1}"
        yield Finding("removed", before.last + 1, text)
    elif (seal.previous, seal.entries_before, seal.first) != (before.hash, before.entries_hash, before.last + 1):
        yield Finding("seal", seal.number, f"seal {seal.number} does not follow the seal before it")
    if hashlib.sha256(seal.get_bytes()).hexdigest() != seal.hash:
        yield Finding("seal", seal.number, f"seal {seal.number} was changed")
    elif key is not None and not has_signature(key, seal.hash, seal.signature):
        yield Finding("seal", seal.number, f"seal {seal.number} was not signed with this installation's key")
    for pk in json.loads(seal.doubtful):
        yield Finding("inserted", pk, f"entry {pk} was wrong already when it was sealed: it was put into the table, or changed, by hand")


def _check_entries(seal: AuditSeal, trail: _Trail) -> Iterator[Finding]:
    expected, running, gap = seal.first, seal.entries_before, False
    for entry in trail.take(seal.last + 1):
        position = entry.position or 0
        if position > expected:
            gap = True
            yield _removed(expected, position - 1)
        if not gap and chain(running, entry) != entry.hash:
            yield Finding("changed", position, f"the entry at position {position} (id {entry.pk}, {entry.verb} {entry.kind}) was changed")
        expected, running, gap = position + 1, entry.hash, False
    if expected <= seal.last:
        yield _removed(expected, seal.last)
    elif running != seal.entries_hash:
        yield Finding("changed", seal.last, f"entries at positions {seal.first} to {seal.last} were changed and hashed again; seal {seal.number} does not fit them")


def _removed(first: int, last: int) -> Finding:
    where = f"the entry at position {first} was" if first == last else f"the entries at positions {first} to {last} were"
    return Finding("removed", first, f"{where} removed")


def _stray(entry: AuditEntry) -> Finding:
    text = f"the entry at position {entry.position} (id {entry.pk}, {entry.verb} {entry.kind}) is under no seal: it was inserted"
    return Finding("inserted", entry.position or 0, text)
