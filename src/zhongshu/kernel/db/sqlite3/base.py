"""Django's SQLite back end, with one lock file taken before BEGIN by the outermost write transaction of every process.

SQLite's busy handler lets some of eight writers wait 3.3 s; queued on `flock` the longest wait was 37 ms (evidence: store, section 7).
Single statements in autocommit mode are rare here and rely on the busy timeout.
"""

import fcntl
import os
from typing import Any

from django.db.backends.sqlite3 import base

__all__ = ["DatabaseWrapper"]

MAPPED = 2**31 - 2**16
"""Bytes of the file that are mapped, the most SQLite allows: pages over a million things took half the time (benchmarks/lists.py)."""

_Base: Any = base.DatabaseWrapper  # its transaction hooks are private to Django and unknown to its stubs


class DatabaseWrapper(_Base):
    """SQLite in WAL mode; transactions are IMMEDIATE and queue on `<database>.lock`."""

    _lock: int | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Open the file with WAL, full synchronisation and foreign keys on, and read through the system's page cache instead of copying each page out of it."""
        connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA mmap_size={MAPPED}")
        return connection

    def _start_transaction_under_autocommit(self) -> None:
        self._take_lock()
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            self._free_lock()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()
        finally:
            self._free_lock()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()
        finally:
            self._free_lock()

    def _close(self) -> Any:
        try:
            return super()._close()
        finally:
            self._free_lock()

    def _take_lock(self) -> None:
        name = str(self.settings_dict["NAME"])
        if self._lock is not None or self.is_in_memory_db():
            return
        handle = os.open(f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self._lock = handle

    def _free_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
