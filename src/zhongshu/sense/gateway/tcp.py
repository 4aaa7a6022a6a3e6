"""The TCP server for HJ 212: reads, commits, and only then answers."""

import asyncio
import logging
from contextlib import suppress

from zhongshu.kernel import faults
from zhongshu.kernel.log import LogFull

from .batch import Batcher
from .hj212 import Conversation, Intake212

__all__ = ["Server212"]

CHUNK = 65536
IDLE_S = 7200.0
"""A station may be silent between two hourly uploads; after two of them its connection is closed and its buffer freed."""

WRITE_S = 60.0
log = logging.getLogger(__name__)


class Server212:
    """Listens on one port. Every connection is one task with at most one chunk in work, so a slow disk slows the senders down and fills no memory."""

    def __init__(self, intake: Intake212, batcher: Batcher, *, max_connections: int = 15000, idle_s: float = IDLE_S) -> None:
        self._intake, self._batcher = intake, batcher
        self._max_connections, self._idle_s = max_connections, idle_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; `port` 0 takes a free one, told by `self.port`. Raises `OSError` when the port is taken."""
        self._server = await asyncio.start_server(self._on_connection, host, port, limit=CHUNK, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and close every connection; what is being committed is committed, though its answer no longer leaves (the sender sends it again)."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counters = self._intake.counters
        if len(self._tasks) >= self._max_connections:
            counters.turned_away += 1
            writer.close()
            return
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        peer = writer.get_extra_info("peername") or ("?", 0)
        conversation = Conversation(self._intake, f"{peer[0]}:{peer[1]}")
        counters.connections += 1
        try:
            await self._converse(conversation, reader, writer)
        except (TimeoutError, ConnectionError, LogFull):
            log.debug("connection from %s ended", conversation.address)
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("the connection from %s is closed", conversation.address)
        finally:
            counters.connections -= 1
            for source in conversation.sources:
                counters.of(source).open -= 1
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1.0)

    async def _converse(self, conversation: Conversation, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(self._idle_s):
                data = await reader.read(CHUNK)
            faults.point("gateway.received")
            self._intake.counters.bytes += len(data)
            heard = conversation.hear(data) if data else conversation.close()
            if heard.rows:
                await asyncio.shield(self._batcher.put(heard.rows))
            if heard.answers:
                writer.write(b"".join(heard.answers))
                async with asyncio.timeout(WRITE_S):
                    await writer.drain()
            if not data:
                return
