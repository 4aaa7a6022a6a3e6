"""Carrying a log elsewhere: a copy taken while it is written, and sequence numbers that go on after what others have read."""

import sqlite3
from contextlib import closing
from pathlib import Path

from zhongshu.kernel.log.log import LogError, connect_log

__all__ = ["add_missing_entries", "copy_log", "raise_sequence"]


def copy_log(source: Path, target: Path) -> None:
    """Copy a log (any SQLite file) as it is at one moment, while others write to it.

    One step: with several, every commit of another process would make the copy begin anew, and under steady intake it would never end. Writers are not held up (WAL).
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as old, closing(sqlite3.connect(target)) as new:
            new.execute("PRAGMA synchronous=OFF")
            old.backup(new, pages=-1)
    except sqlite3.Error as error:
        raise LogError(f"{source} cannot be copied: {error}") from error


def add_missing_entries(target: Path, earlier: Path) -> int:
    """Put entries of an earlier copy of the same log, gone from `target` since, back into it; return how many. A sequence number always means the same entry."""
    with closing(sqlite3.connect(target, isolation_level=None)) as log:
        log.execute("ATTACH ? AS earlier", (str(earlier),))
        return log.execute("INSERT OR IGNORE INTO entry SELECT * FROM earlier.entry").rowcount


def raise_sequence(path: Path, least: int, table: str = "entry") -> int:
    """See to it that the next row of a log's `table` gets a number above `least`; return the number the next one comes after.

    Needed after a restore: readers skip what is at or below the offset they keep with their effects, and that may be ahead of an older copy of the log.
    """
    log = connect_log(path)
    try:
        with log:
            log.execute("BEGIN IMMEDIATE")
            row = log.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
            reached = max(least, int(row[0]) if row else 0)
            if row is None:
                log.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, reached))
            else:
                log.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (reached, table))
    except sqlite3.Error as error:
        raise LogError(f"the log {path} cannot be written: {error}") from error
    finally:
        log.close()
    return reached
