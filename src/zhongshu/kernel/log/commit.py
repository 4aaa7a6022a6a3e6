"""Group commit: many connections hand in entries, one thread syncs them together, each learns of its own commit."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

from zhongshu.kernel.log.log import Entry, LogReader, LogWriter, Receipt, Submission

__all__ = ["GroupCommitter", "LogFull"]

_KEYS_LIVE_US = 86_400_000_000
_LOOK_EVERY_S = 1.0


class LogFull(RuntimeError):
    """More is waiting than this partition may hold; the sender should come again later."""


class GroupCommitter:
    """Bounded, asyncio-friendly front of one `LogWriter`.

    `max_pending_bytes` bounds what waits in memory for the next sync, `max_log_bytes` what waits on disk for the pipeline. `append` waits for room
    (back-pressure on a socket), `submit` raises `LogFull` at once (an HTTP 503).
    """

    def __init__(self, writer: LogWriter, *, max_pending_bytes: int = 64 << 20, max_log_bytes: int = 64 << 30, max_group: int = 512) -> None:
        self._writer = writer
        self._max_pending, self._max_log, self._max_group = max_pending_bytes, max_log_bytes, max_group
        self._pending: list[tuple[Submission, int, Future[Receipt]]] = []
        self._pending_bytes = 0
        self._wake = threading.Condition()
        self._closing = False
        self._arrived = 0
        self._reader = LogReader(writer.path)
        self._log_bytes = self._reader.figures().bytes
        self._room: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._thread = threading.Thread(target=self._run, name=f"commit {writer.path.stem}", daemon=True)
        self._thread.start()

    def submit(self, entries: Sequence[Entry], key: str | None = None, notes: Sequence[str] = ()) -> "Future[Receipt]":
        """Hand in entries from any thread; the future is resolved after their commit. Raises `LogFull` when there is no room."""
        size = sum(len(entry.body) for entry in entries)
        future: Future[Receipt] = Future()
        with self._wake:
            if self._closing:
                raise LogFull("this gateway is closing")
            if self._log_bytes > self._max_log:
                raise LogFull("the log is full: the pipeline is behind")
            if self._pending and self._pending_bytes + size > self._max_pending:
                raise LogFull("too much is waiting to be written")
            self._pending.append((Submission(entries, key, notes), size, future))
            self._pending_bytes += size
            if len(self._pending) == 1:
                self._wake.notify()
        return future

    async def append(self, entries: Sequence[Entry], key: str | None = None, *, notes: Sequence[str] = (), wait: bool = True) -> Receipt:
        """Hand in entries and wait for their commit; with `wait` also for room. Raises `LogFull` (without `wait`) or `LogError`."""
        while True:
            try:
                return await asyncio.wrap_future(self.submit(entries, key, notes))
            except LogFull:
                if not wait or self._closing:
                    raise
            room = asyncio.Event()
            with self._wake:
                self._room.append((asyncio.get_running_loop(), room))
            await room.wait()

    @property
    def pending_bytes(self) -> int:
        """Bytes handed in and not yet committed."""
        return self._pending_bytes

    def close(self) -> None:
        """Commit what was handed in, then stop the thread; the writer stays open."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        looked = 0.0
        while True:
            with self._wake:
                if not self._pending and not self._closing:
                    self._wake.wait(timeout=_LOOK_EVERY_S)
                if not self._pending and self._closing:
                    self._give_room()
                    return
                group, self._pending = self._pending[: self._max_group], self._pending[self._max_group :]
            if group:
                self._commit(group)
            if time.monotonic() - looked > _LOOK_EVERY_S:
                looked = time.monotonic()
                self._look()

    def _commit(self, group: list[tuple[Submission, int, "Future[Receipt]"]]) -> None:
        self._arrived = max((entry.received_at_us for item in group for entry in item[0].entries[-1:]), default=self._arrived)
        alive = [item for item in group if item[2].set_running_or_notify_cancel()]
        failure: Exception | None = None
        receipts: list[Receipt] = []
        try:
            receipts = self._writer.append_group([item[0] for item in alive])
        except Exception as error:
            failure = error
        with self._wake:
            self._pending_bytes -= sum(item[1] for item in group)
            self._give_room()
        for place, (_, _, future) in enumerate(alive):
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(receipts[place])

    def _give_room(self) -> None:
        if self._log_bytes > self._max_log and not self._closing:
            return
        waiting, self._room = self._room, []
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def _look(self) -> None:
        figures = self._reader.figures()
        self._writer.forget_keys(self._arrived - _KEYS_LIVE_US, limit=1000)
        with self._wake:
            self._log_bytes = figures.bytes
            self._give_room()
