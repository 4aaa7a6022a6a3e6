"""What a partition refused: kept by the side with its reason, bounded, so that it can be looked at and played again."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from zhongshu.kernel.log.log import connect_log

__all__ = ["Refused", "RefusedStore"]


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused body; `size` is its full length, `body` may be cut to the store's `max_body`."""

    id: int
    received_at_us: int
    source: str
    reason: str
    content_type: str
    size: int
    body: bytes


class RefusedStore:
    """The refused bodies of one log partition: at most `max_entries` of at most `max_body` bytes; the oldest leave first."""

    def __init__(self, path: Path | str, *, max_entries: int = 1000, max_body: int = 262_144) -> None:
        self._connection: sqlite3.Connection = connect_log(Path(path), synchronous="NORMAL")
        self.max_entries, self.max_body = max_entries, max_body

    def keep(self, received_at_us: int, source: str, reason: str, content_type: str, body: bytes) -> int:
        """Keep one refused body and return its id; nothing is promised for it (it was not acknowledged), so it is not synced."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        row = (received_at_us, source, reason[:500], content_type[:100], len(body), body[: self.max_body])
        kept = execute("INSERT INTO refused (received_at, source, reason, content_type, size, body) VALUES (?, ?, ?, ?, ?, ?)", row).lastrowid or 0
        execute("DELETE FROM refused WHERE id <= ?", (kept - self.max_entries,))
        execute("COMMIT")
        return kept

    def list_refused(self, limit: int = 100, before: int | None = None) -> list[Refused]:
        """Return the newest refused bodies, newest first; `before` pages on by id."""
        rows = self._connection.execute(
            "SELECT id, received_at, source, reason, content_type, size, body FROM refused WHERE id < ? ORDER BY id DESC LIMIT ?", (before or 1 << 62, limit)
        )
        return [Refused(*row) for row in rows]

    def find_refused(self, id: int) -> Refused | None:
        """Return one refused body, or None when it is gone."""
        row = self._connection.execute("SELECT id, received_at, source, reason, content_type, size, body FROM refused WHERE id = ?", (id,)).fetchone()
        return Refused(*row) if row else None

    def remove(self, id: int) -> None:
        """Forget one refused body (it was played again, or is of no use)."""
        self._connection.execute("DELETE FROM refused WHERE id = ?", (id,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
