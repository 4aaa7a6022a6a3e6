"""Refused arrivals kept by the side, off the event loop and bounded, so that a flood of rubbish costs neither memory nor the good ones' time."""

import queue
import sqlite3
import threading
from pathlib import Path

from zhongshu.kernel.log import LogError, RefusedStore

__all__ = ["Quarantine"]

WAITING = 2000


class Quarantine:
    """Hands refused bodies to the log's `RefusedStore` in a thread of its own; when too many wait, further ones are only counted (`dropped`)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: queue.Queue[tuple[int, str, str, str, bytes] | None] = queue.Queue(WAITING)
        self.kept = self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="quarantine", daemon=True)
        self._thread.start()

    def keep(self, received_at_us: int, source: str, reason: str, content_type: str, body: bytes) -> None:
        """Keep one refused body with its reason; returns at once."""
        try:
            self._queue.put_nowait((received_at_us, source, reason, content_type, body))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits and stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        store = RefusedStore(self._path)
        while (item := self._queue.get()) is not None:
            try:
                store.keep(*item)
                self.kept += 1
            except (sqlite3.Error, LogError):
                self.dropped += 1
        store.close()
