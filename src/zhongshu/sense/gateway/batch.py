"""One commit for all that arrives while the last one is being synced: connections hand in rows and wait for their own commit."""

import asyncio
import logging
import time

from zhongshu.kernel.log import GroupCommitter, LogError, LogFull

from .rows import Rows, build_entries

__all__ = ["Batcher"]

MAX_BATCH_BYTES = 8 << 20
PAUSE_S = 0.5
log = logging.getLogger(__name__)


class Batcher:
    """Gathers rows of all connections into few, well-filled log entries.

    `put` returns after the commit of what it was given; it waits for room first when more than `max_bytes` are gathered, so a sender that is faster than the disk is
    slowed down by its own socket. A full log or disk is not the sender's fault: the batch is tried again until it succeeds, and nothing is acknowledged meanwhile.
    """

    def __init__(self, committer: GroupCommitter, source: str, *, max_bytes: int = 64 << 20) -> None:
        self._committer, self._source, self._max_bytes = committer, source, max_bytes
        self._waiting: list[tuple[Rows, asyncio.Future[None]]] = []
        self._bytes = 0
        self._wake, self._room = asyncio.Event(), asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.commits = self.failures = 0
        self.last_error = ""

    def start(self) -> None:
        """Begin committing, in the running loop."""
        self._task = asyncio.create_task(self._run(), name="gateway commits")

    async def put(self, rows: Rows) -> None:
        """Return when `rows` are on disk. Empty rows return at once. Raises `LogFull` when the gateway is closing."""
        if not rows:
            return
        async with self._room:
            await self._room.wait_for(lambda: self._bytes < self._max_bytes)
        if self._closing:
            raise LogFull("this gateway is closing")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, done))
        self._bytes += rows.size
        self._wake.set()
        await done

    async def close(self) -> None:
        """Commit what was handed in and stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._commit(self._take())

    def _take(self) -> list[tuple[Rows, "asyncio.Future[None]"]]:
        size, count = 0, 0
        for rows, _ in self._waiting:
            size, count = size + rows.size, count + 1
            if size >= MAX_BATCH_BYTES:
                break
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _commit(self, group: list[tuple[Rows, "asyncio.Future[None]"]]) -> None:
        parts = [rows for rows, _ in group]
        error: Exception | None = None
        try:
            await self._append(parts)
            self.commits += 1
        except Exception as failure:
            # whoever waits must hear of it: a connection without an answer is closed, and its sender comes again
            log.exception("a batch was not committed")
            error = failure
        self._release(group, error)
        async with self._room:
            self._bytes -= sum(rows.size for rows in parts)
            self._room.notify_all()

    async def _append(self, parts: list[Rows]) -> None:
        entries = build_entries(parts, time.time_ns() // 1000, self._source)
        keys = [key for rows in parts for key in rows.keys]
        while True:
            try:
                await self._committer.append(entries, notes=keys)
                return
            except (LogError, LogFull) as error:
                if self._closing:
                    raise
                self._note(error)
                await asyncio.sleep(PAUSE_S)

    def _note(self, error: Exception) -> None:
        if str(error) != self.last_error:
            log.error("%s; what arrived is not acknowledged and is tried again", error)
        self.last_error, self.failures = str(error), self.failures + 1

    @staticmethod
    def _release(group: list[tuple[Rows, "asyncio.Future[None]"]], error: Exception | None) -> None:
        for _, done in group:
            if done.cancelled():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
