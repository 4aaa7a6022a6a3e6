"""What the pipeline found, for the worker: `log/facts.sqlite3`, in one transaction with threshold states and the offsets they belong to."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from zhongshu.kernel.log import Entry, LogWriter, Submission
from zhongshu.sense.observe.reading import encode_table
from zhongshu.sense.pipeline.threshold import State

__all__ = ["BatchNote", "Facts"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS threshold_state (
    stream INTEGER, threshold TEXT, since INTEGER NOT NULL, raised INTEGER NOT NULL, PRIMARY KEY (stream, threshold)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS watermark (app TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (id INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL, offset INTEGER NOT NULL, arrived_at INTEGER NOT NULL, rows INTEGER NOT NULL);
"""

BatchNote = tuple[str, int, int, int]
"""(app, last offset, arrival of the last entry µs, rows)."""


class Facts:
    """The facts log with the state that must move together with it. Rows at or below an app's offset have been checked and are not checked again."""

    def __init__(self, path: Path) -> None:
        self._log = LogWriter(path, committed_point="facts.committed")
        self._log.connection.executescript(_SCHEMA)

    def get_offset(self, app: str) -> int:
        """Return up to which offset of `app` facts have been found."""
        row = self._log.connection.execute("SELECT offset FROM watermark WHERE app = ?", (app,)).fetchone()
        return int(row[0]) if row else 0

    def list_states(self) -> list[State]:
        """Return every threshold that is over its limit."""
        rows = self._log.connection.execute("SELECT stream, threshold, since, raised FROM threshold_state")
        return [State(stream, threshold, since, bool(raised)) for stream, threshold, since, raised in rows]

    def commit(self, offsets: Mapping[str, int], alarms: pa.Table, states: Sequence[State], notes: Sequence[BatchNote], at_us: int) -> int:
        """Write everything of one batch in one synced transaction; return the facts log's last sequence number."""

        def within(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT INTO watermark VALUES (?, ?) ON CONFLICT (app) DO UPDATE SET offset = max(offset, excluded.offset)", offsets.items())
            gone = [(state.stream, state.threshold) for state in states if state.since is None]
            kept = [(state.stream, state.threshold, state.since, state.raised) for state in states if state.since is not None]
            connection.executemany("DELETE FROM threshold_state WHERE stream = ? AND threshold = ?", gone)
            connection.executemany("INSERT OR REPLACE INTO threshold_state VALUES (?, ?, ?, ?)", kept)
            connection.executemany("INSERT INTO batch (app, offset, arrived_at, rows) VALUES (?, ?, ?, ?)", notes)

        entries = [Entry("alarms", encode_table(alarms), at_us, "pipeline")] if alarms.num_rows else []
        return self._log.append_group([Submission(entries)], within)[0].seq

    def list_notes(self, after: int) -> tuple[int, list[BatchNote]]:
        """Return the batch notes after id `after` and the last id."""
        rows = self._log.connection.execute("SELECT id, app, offset, arrived_at, rows FROM batch WHERE id > ? ORDER BY id", (after,)).fetchall()
        return (rows[-1][0] if rows else after), [row[1:] for row in rows]

    def trim_notes(self, upto: int) -> None:
        """Forget batch notes the lake has."""
        self._log.connection.execute("DELETE FROM batch WHERE id <= ?", (upto,))

    def close(self) -> None:
        """Close the file."""
        self._log.close()
