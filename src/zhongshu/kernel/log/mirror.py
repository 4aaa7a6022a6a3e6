"""A partition of another machine: the same entries under the same numbers, synced here."""

import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from zhongshu.kernel.log.log import LogEntry, LogError, connect_log

__all__ = ["LogMirror", "OriginDiffers", "forget_origin", "get_origin"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS origin (uid TEXT NOT NULL)"
_INSERT = "INSERT OR IGNORE INTO entry (seq, kind, received_at, source, body) VALUES (?, ?, ?, ?, ?)"


class OriginDiffers(RuntimeError):
    """The entries come from another log than those before them under the same partition name: their numbers mean something else."""


def get_origin(path: Path) -> str:
    """Return what tells this log file from another one of the same name; made at first use."""
    with closing(connect_log(path)) as log:
        log.execute(_SCHEMA)
        log.execute("INSERT INTO origin SELECT ? WHERE NOT EXISTS (SELECT 1 FROM origin)", (uuid.uuid4().hex,))
        return str(log.execute("SELECT uid FROM origin").fetchone()[0])


def forget_origin(path: Path) -> None:
    """Make a log another one than it was: after a restore its numbers may be given a second time."""
    with closing(connect_log(path)) as log:
        log.execute(_SCHEMA)
        log.execute("DELETE FROM origin")


class LogMirror:
    """Written by the receiver only; the pipeline reads and trims it like any partition. Everything before `have` was stored here once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = connect_log(path)
        self._log.execute(_SCHEMA)

    def check_origin(self, origin: str) -> None:
        """Take `origin` as ours when there is none yet. Raises `OriginDiffers`."""
        row = self._log.execute("SELECT uid FROM origin").fetchone()
        if row is None:
            self._log.execute("INSERT INTO origin VALUES (?)", (origin,))
        elif row[0] != origin:
            raise OriginDiffers(f"the partition {self.path.stem} was forwarded from another log before; give the sending gateway's partition a new name")

    @property
    def have(self) -> int:
        """The last sequence number stored, also when it is trimmed by now."""
        row = self._log.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchone()
        return int(row[0]) if row else 0

    @property
    def trimmed(self) -> int:
        """The last sequence number that the pipeline no longer needs: the lake has synced it."""
        row = self._log.execute("SELECT min(seq) FROM entry").fetchone()
        return int(row[0]) - 1 if row[0] is not None else self.have

    def store(self, entries: Sequence[LogEntry]) -> int:
        """Write entries in one synced transaction, those already had left out; return how many were new. Raises `LogError`; then nothing was written."""
        have = self.have
        fresh = [(e.seq, e.kind, e.received_at_us, e.source, e.body) for e in entries if e.seq > have]
        try:
            self._log.execute("BEGIN IMMEDIATE")
            try:
                self._log.executemany(_INSERT, fresh)
                self._log.execute("COMMIT")
            except BaseException:
                if self._log.in_transaction:
                    self._log.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise LogError(f"the log {self.path} cannot be written: {error}") from error
        return len(fresh)

    def close(self) -> None:
        """Close the file."""
        self._log.close()
