"""One open stream: a bounded queue between the hub and a browser that may be slow."""

import asyncio
from collections import deque

from zhongshu.portal.caller import Caller

__all__ = ["MOST_WAITING", "Client"]

MOST_WAITING = 64


class Client:
    """Events wait here until the browser has taken the ones before. Where too many wait the oldest are dropped, and the client is given the whole state anew."""

    def __init__(self, caller: Caller, last_id: str) -> None:
        self.caller, self.last_id = caller, last_id
        self.closing = asyncio.Event()
        self.is_behind = False
        self._waiting: deque[bytes] = deque()
        self._filled = asyncio.Event()

    def push(self, event: bytes) -> None:
        """Queue an event; when the queue is full the oldest goes, and `is_behind` says that something is missing."""
        if self.closing.is_set():
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.is_behind = True
        self._waiting.append(event)
        self._filled.set()

    def restart(self, events: list[bytes]) -> None:
        """Replace whatever waits by the whole state."""
        self._waiting.clear()
        self.is_behind = False
        for event in events:
            self.push(event)

    def close(self, *last: bytes) -> None:
        """End the stream after `last`; whatever waits before it is dropped, because the reader may no longer be one who may see it."""
        if self.closing.is_set():
            return
        self._waiting.clear()
        for event in last:
            self.push(event)
        self.closing.set()
        self._filled.set()

    async def next(self) -> bytes | None:
        """Return everything that waits as one piece, None when the stream is over."""
        while not self._waiting:
            if self.closing.is_set():
                return None
            self._filled.clear()
            await self._filled.wait()
        piece = b"".join(self._waiting)
        self._waiting.clear()
        return piece
