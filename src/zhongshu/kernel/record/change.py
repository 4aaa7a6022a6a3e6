"""The one way to write: a transaction that knows who and why, and leaves history and audit behind."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from django.db import connection
from django.db import transaction as django_transaction

from zhongshu.kernel.port import Port

from .uid import uuid7

__all__ = ["AUDIT", "SYSTEM", "WAKE", "Actor", "AuditSink", "Change", "WakeUp", "WriteEntry", "WriteOutsideChange", "change", "current_change", "transaction"]


class WriteOutsideChange(RuntimeError):
    """A record was written outside `change(by, why)`."""


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, a device or the system itself; `uid` is the person's or device's exchange identity."""

    kind: str
    name: str
    uid: str = ""
    address: str = ""


SYSTEM = Actor("system", "zhongshu")


@dataclass(frozen=True)
class WriteEntry:
    """One write as the audit sees it.

    `verb` is create, change, remove, bulk_create, bulk_change or bulk_remove; `before` and `after` hold only the fields that differ. For bulk verbs `uid` is empty,
    `count` says how many and `digest` is the SHA-256 over the history rows written.
    """

    kind: str
    verb: str
    uid: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    count: int = 1
    digest: str = ""


class AuditSink(Protocol):
    """Where the writes of one change go, in the same transaction."""

    def write(self, change: "Change") -> None:
        """Store the entries of `change`; an error rolls the whole change back."""


AUDIT: Port[AuditSink] = Port("kernel.audit")


class WakeUp(Protocol):
    """Who is told that records were written, after the commit."""

    def tell(self, kinds: frozenset[str]) -> None:
        """Say that records of these kinds (`sense.Alarm`) were written; must not raise and must not wait."""


class _Silence:
    def tell(self, kinds: frozenset[str]) -> None:
        return None


WAKE: Port[WakeUp] = Port("kernel.wake", default=_Silence())


@dataclass
class Change:
    """One unit of work: who, why, when, and what was written so far."""

    by: Actor
    why: str
    at: datetime
    uid: str
    entries: list[WriteEntry] = field(default_factory=list)
    before_commit: list[Callable[[], None]] = field(default_factory=list)

    def record(self, entry: WriteEntry) -> None:
        """Note one write for the audit."""
        self.entries.append(entry)


_current: ContextVar[Change | None] = ContextVar("zhongshu_change", default=None)


def current_change() -> Change:
    """Return the open change; raises `WriteOutsideChange` where there is none."""
    found = _current.get()
    if found is None:
        raise WriteOutsideChange("records are written only inside `with change(by, why):`")
    return found


@contextlib.contextmanager
def change(by: Actor, why: str) -> Iterator[Change]:
    """Open a write transaction for records.

    Nested calls join the outer change. `why` must say something: it stands in the trail that people read. History rows are written with each save; the audit entry is
    written once, before the commit. Any error rolls everything back.
    """
    if not why.strip():
        raise ValueError("a change needs a reason that a reader of the trail understands")
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    with transaction():
        opened = Change(by=by, why=why, at=datetime.now(UTC), uid=str(uuid7()))
        token = _current.set(opened)
        try:
            yield opened
            for finish in opened.before_commit:
                finish()
            if opened.entries:
                AUDIT.get().write(opened)
                django_transaction.on_commit(partial(WAKE.get().tell, frozenset(entry.kind for entry in opened.entries)), robust=True)
        finally:
            _current.reset(token)


@contextlib.contextmanager
def transaction() -> Iterator[None]:
    """Open a plain write transaction for tables that are not records (jobs, deliveries, sessions).

    On SQLite the outermost one queues on the installation's lock file; do no HTTP, file or lake work inside.
    """
    with django_transaction.atomic():
        yield
        _refuse_broken_transaction()


def _refuse_broken_transaction() -> None:
    if connection.needs_rollback:
        raise django_transaction.TransactionManagementError("the transaction was broken by an earlier error and cannot be committed")
