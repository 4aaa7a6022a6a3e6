"""Readings that cannot go on: of no known stream, from the future, older than their stream. Kept as log entries with their reason, played again on demand."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from zhongshu.kernel.log import Entry, LogReader, LogWriter, Submission
from zhongshu.sense.observe.dimension import StreamDimension
from zhongshu.sense.observe.reading import encode_readings
from zhongshu.sense.pipeline.batch import Rows, decode_entries

__all__ = ["Quarantine"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS watermark (app TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID"


class Quarantine:
    """`log/quarantine.sqlite3`: entries of kind `readings` whose source is JSON `{"reason", "from"}`; at most `max_bytes`, the oldest leave first (counted)."""

    def __init__(self, path: Path, max_bytes: int = 1 << 30) -> None:
        self._log, self._reader, self._max = LogWriter(path, committed_point="quarantine.committed"), LogReader(path), max_bytes
        self._log.connection.execute(_SCHEMA)
        self.dropped = 0

    def get_offset(self, app: str) -> int:
        """Return up to which offset of `app` rows have been put here."""
        row = self._log.connection.execute("SELECT offset FROM watermark WHERE app = ?", (app,)).fetchone()
        return int(row[0]) if row else 0

    def keep(self, rows: Rows, names: pa.Array, reasons: np.ndarray, reason_names: Sequence[str], offsets: Mapping[str, int], at_us: int) -> None:
        """Keep rows with their reason (index into `reason_names`) and note the offsets, in one transaction."""
        entries = [Entry("readings", _encode(rows.take(reasons == code), names), at_us, json.dumps({"reason": reason_names[code]})) for code in np.unique(reasons)]
        self._log.append_group([Submission(entries)], lambda connection: _note(connection, offsets))
        if self._reader.figures().bytes > self._max:
            oldest = [entry.seq for entry in self._reader.read(0, max_bytes=self._max // 10)]
            self.dropped += self._reader.trim(oldest[-1])

    def count_reasons(self, limit: int = 10_000) -> dict[str, int]:
        """Return how many entries (batches) wait per reason, over the oldest `limit`."""
        found = Counter(json.loads(entry.source)["reason"] for entry in self._reader.read(0, max_entries=limit))
        return dict(found)

    def list_ids(self, reason: str = "unknown_stream", limit: int = 1000) -> list[str]:
        """Return external ids that wait for `reason`, oldest first, each once."""
        ids: dict[str, None] = {}
        for entry in self._reader.read(0, max_entries=limit):
            if json.loads(entry.source)["reason"] == reason:
                with pa.ipc.open_stream(entry.body) as stream:
                    ids.update(dict.fromkeys(name for batch in stream for name in batch.column(0).dictionary.to_pylist()))
        return list(ids)[:limit]

    def release(self, streams: StreamDimension, replay: Callable[[Sequence[Entry]], int], now_us: int) -> int:
        """Hand rows of streams that are known by now, and of times that have come, to `replay` (a log partition's append); return how many.

        Killed in between, rows may be handed over twice; their identity makes the second a repetition.
        """
        until, after, released = self._reader.last_seq(), 0, 0
        while True:
            entries = [entry for entry in self._reader.read(after, max_entries=500) if entry.seq <= until]
            if not entries:
                return released
            for entry in entries:
                decoded = decode_entries([(0, entry)], streams)
                ready = (decoded.rows.stream >= 0) & (decoded.rows.t <= now_us)
                if ready.any():
                    replay([Entry("readings", _encode(decoded.rows.take(ready), decoded.names), now_us, "quarantine")])
                    left = decoded.rows.take(~ready)
                    rest = [Entry("readings", _encode(left, decoded.names), entry.received_at_us, entry.source)] if len(left) else []
                    self._log.append_group([Submission(rest)], partial(_forget, seq=entry.seq))
                    released += int(ready.sum())
            after = entries[-1].seq

    def close(self) -> None:
        """Close the file."""
        self._log.close()
        self._reader.close()


def _note(connection: sqlite3.Connection, offsets: Mapping[str, int]) -> None:
    connection.executemany("INSERT INTO watermark VALUES (?, ?) ON CONFLICT (app) DO UPDATE SET offset = max(offset, excluded.offset)", offsets.items())


def _forget(connection: sqlite3.Connection, seq: int) -> None:
    connection.execute("DELETE FROM entry WHERE seq = ?", (seq,))


def _encode(rows: Rows, names: pa.Array) -> bytes:
    used, index = np.unique(rows.name, return_inverse=True)
    ids = names.take(pa.array(np.maximum(used, 0))).fill_null("") if len(names) else pa.array([""] * len(used), pa.string())
    value = pa.array(rows.value, from_pandas=True)
    return encode_readings(ids, index, rows.t, value, rows.quality, rows.sub)
