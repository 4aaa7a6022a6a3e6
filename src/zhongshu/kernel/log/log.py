"""One log partition: a SQLite file in WAL mode, synced at every commit, read by sequence number and trimmed from the front."""

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zhongshu.kernel.faults import point

__all__ = ["Entry", "LogEntry", "LogError", "LogFigures", "LogReader", "LogWriter", "Receipt", "Submission", "connect_log"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, received_at INTEGER NOT NULL, source TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at);
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at INTEGER NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,
    content_type TEXT NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL);
"""
_PAGE = 8192
_INSERT = "INSERT INTO entry (kind, received_at, source, body) VALUES (?, ?, ?, ?)"
_DAY_US = 86_400_000_000


class LogError(OSError):
    """The log could not be written or read (disk full, file damaged, permission); nothing of the attempt was acknowledged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch to be kept: `body` is opaque here (an Arrow IPC stream for kind `readings`), `received_at_us` is UTC µs."""

    kind: str
    body: bytes
    received_at_us: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry as read back, with the sequence number the log gave it."""

    seq: int
    kind: str
    received_at_us: int
    source: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """Entries that belong together. `key` (an idempotency key or a protocol message id, with its source) makes a repetition within 24 h a no-op.

    `notes` are further keys noted as seen in the same transaction: of the many messages that one entry holds. Whoever hands them in asks `LogReader.find_seen` first.
    """

    entries: Sequence[Entry]
    key: str | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a submission: the last sequence number of the log after it, and whether its key had been seen before (then nothing was written)."""

    seq: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class LogFigures:
    """How much waits in a log: `bytes` used in the file (free pages not counted), entries, and the oldest entry's arrival (UTC µs, None when empty)."""

    bytes: int
    entries: int
    oldest_at_us: int | None
    last_seq: int


def connect_log(path: Path, *, synchronous: str = "FULL") -> sqlite3.Connection:
    """Open (and create) a log file; the caller keeps the connection in one thread at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'refused'").fetchone()[0] == 0:
            connection.executescript(_SCHEMA)
            _sync_folder(path.parent)
    except sqlite3.Error as error:
        raise LogError(f"the log {path} cannot be opened: {error}") from error
    return connection


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _last_seq(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchone()
    return int(row[0]) if row else 0


class LogWriter:
    """Appends to one partition. Returns only after the commit is synced; sequence numbers rise and are never used twice, also after trimming.

    Safe to use from several threads; one partition should have one writing process, so that group commit can work.
    """

    def __init__(self, path: Path | str, *, committed_point: str = "log.committed") -> None:
        self.path = Path(path)
        self.committed_point = committed_point
        self._lock = threading.Lock()
        self.connection = connect_log(self.path)

    def append(self, entries: Sequence[Entry], key: str | None = None) -> int:
        """Write entries in one transaction and return the log's last sequence number. Raises `LogError`; then nothing was written."""
        return self.append_group([Submission(entries, key)])[0].seq

    def append_group(self, group: Sequence[Submission], within: Callable[[sqlite3.Connection], None] | None = None) -> list[Receipt]:
        """Write many submissions in one transaction; `within` runs in the same transaction after the entries."""
        receipts: list[Receipt] = []
        with self._lock:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                try:
                    for submission in group:
                        receipts.append(self._write(submission))
                    if within is not None:
                        within(self.connection)
                    self.connection.execute("COMMIT")
                except BaseException:
                    if self.connection.in_transaction:
                        self.connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise LogError(f"the log {self.path} cannot be written: {error}") from error
        point(self.committed_point)
        return receipts

    def _write(self, submission: Submission) -> Receipt:
        if submission.key is not None and submission.entries:
            at = submission.entries[0].received_at_us
            known = self.connection.execute("SELECT at FROM seen WHERE key = ?", (submission.key,)).fetchone()
            if known is not None and known[0] > at - _DAY_US:
                return Receipt(_last_seq(self.connection), repeated=True)
            self.connection.execute("INSERT OR REPLACE INTO seen (key, at) VALUES (?, ?)", (submission.key, at))
        if submission.notes and submission.entries:
            at = submission.entries[0].received_at_us
            self.connection.executemany("INSERT OR REPLACE INTO seen (key, at) VALUES (?, ?)", [(note, at) for note in submission.notes])
        seq = 0
        for entry in submission.entries:
            seq = self.connection.execute(_INSERT, (entry.kind, entry.received_at_us, entry.source, entry.body)).lastrowid or 0
        return Receipt(seq or _last_seq(self.connection))

    def forget_keys(self, before_us: int, limit: int = 10_000) -> int:
        """Drop idempotency keys older than `before_us`, at most `limit`; return how many."""
        with self._lock:
            return self.connection.execute("DELETE FROM seen WHERE key IN (SELECT key FROM seen WHERE at < ? LIMIT ?)", (before_us, limit)).rowcount

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.connection.close()


class LogReader:
    """Reads one partition in order and trims what its reader no longer needs. Where a reader stands is kept by the reader, with its effect."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        # a lost trim is done again, so it need not be synced
        self._connection = connect_log(self.path, synchronous="NORMAL")

    def read(self, after: int, max_bytes: int = 16 << 20, max_entries: int = 100_000) -> list[LogEntry]:
        """Return entries with `seq > after` in order, at least one if there is one, up to about `max_bytes` of bodies."""
        found: list[LogEntry] = []
        size = 0
        try:
            rows = self._connection.execute("SELECT seq, kind, received_at, source, body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?", (after, max_entries))
            for row in rows:
                found.append(LogEntry(*row))
                size += len(row[4])
                if size >= max_bytes:
                    break
            rows.close()
        except sqlite3.Error as error:
            raise LogError(f"the log {self.path} cannot be read: {error}") from error
        return found

    def find_seen(self, keys: Sequence[str], at_us: int) -> set[str]:
        """Return those of `keys` that were committed within the 24 h before `at_us`."""
        found: set[str] = set()
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            rows = self._connection.execute(f"SELECT key FROM seen WHERE at > ? AND key IN ({marks})", (at_us - _DAY_US, *part))  # noqa: S608 only marks
            found.update(row[0] for row in rows)
        return found

    def trim(self, upto: int, step: int = 200) -> int:
        """Remove entries with `seq <= upto`, `step` at a time so that the writer never waits long; return how many were removed."""
        removed = 0
        while True:
            count = self._connection.execute("DELETE FROM entry WHERE seq IN (SELECT seq FROM entry WHERE seq <= ? ORDER BY seq LIMIT ?)", (upto, step)).rowcount
            removed += count
            if count < step:
                return removed

    def figures(self) -> LogFigures:
        """Return what waits in this log; entries are counted by sequence numbers, so gaps (there are none but after repair) count too."""
        execute = self._connection.execute
        first = execute("SELECT seq, received_at FROM entry ORDER BY seq LIMIT 1").fetchone()
        last = _last_seq(self._connection)
        pages = execute("PRAGMA page_count").fetchone()[0] - execute("PRAGMA freelist_count").fetchone()[0]
        return LogFigures(bytes=pages * _PAGE, entries=last - first[0] + 1 if first else 0, oldest_at_us=first[1] if first else None, last_seq=last)

    def last_seq(self) -> int:
        """Return the highest sequence number ever given."""
        return _last_seq(self._connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
