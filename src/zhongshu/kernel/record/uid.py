"""Identities that sort by time: UUID version 7 (RFC 9562, 5.7)."""

import os
import threading
import time
import uuid

__all__ = ["uuid7"]

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """Return a new UUIDv7; within one process later calls sort after earlier ones.

    48 bits of milliseconds, 12 bits of sub-millisecond time kept monotonic (RFC 9562, 6.2 method 3), 62 random bits.
    """
    global _last
    with _lock:
        ticks = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
        _last = ticks
    milliseconds, fraction = divmod(ticks, 4096)
    tail = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    return uuid.UUID(int=(milliseconds & (2**48 - 1)) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail)
