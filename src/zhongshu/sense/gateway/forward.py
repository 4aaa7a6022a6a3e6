"""Sending this machine's log partition to the machine where the pipeline runs, over NATS JetStream.

NATS is transport, never the promise: an entry counts as forwarded when the receiver says that it has synced it, and stays here until the lake has it. What NATS loses is
sent again. Subjects: `<stream>.log.<partition>` (in the stream), `<stream>.state.<partition>` (request and answer, not stored).
"""

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from zhongshu.kernel.home import House, Nats
from zhongshu.kernel.log import LogEntry, LogError, LogReader, get_origin
from zhongshu.kernel.pulse import write_pulse

__all__ = ["connect_nats", "find_stream", "run_forward"]

WINDOW_BYTES = 16 << 20
"""How much may be on its way, sent and not yet stored by the receiver."""

BATCH_BYTES = 4 << 20
HEAD_BYTES = 4096
STREAM_BYTES = 1 << 30
RESEND_S = 5.0
PAUSE_S = 1.0
IDLE_S = 0.1
ASK_TIMEOUT_S = 5.0
PULSE_S = 2.0
log = logging.getLogger(__name__)


class ForwardRefused(RuntimeError):
    """The receiver does not take this partition; the message says why."""


@dataclass
class _Progress:
    """What has been sent in this session, and how far the receiver is."""

    sent: int
    have: int
    moved_at: float
    under_way: deque[tuple[int, int]] = field(default_factory=deque)

    @property
    def bytes(self) -> int:
        """Bytes on their way."""
        return sum(size for _, size in self.under_way)

    def note(self, have: int) -> None:
        """Take in what the receiver says; start again from there when it has not moved for too long, or has gone back."""
        now = time.monotonic()
        if have > self.have:
            self.moved_at = now
        while self.under_way and self.under_way[0][0] <= have:
            self.under_way.popleft()
        if have < self.have or (self.sent > have and now - self.moved_at > RESEND_S):
            self.sent, self.moved_at = have, now
            self.under_way.clear()
        self.have, self.sent = have, max(self.sent, have)
        if not self.under_way:
            self.moved_at = now


async def connect_nats(settings: Nats) -> Client:
    """Connect once; a lost connection is closed for good, so that whoever uses it begins anew from what the other side has."""

    async def on_error(error: Exception) -> None:
        log.debug("NATS: %s", error)

    return await nats.connect(settings.url, allow_reconnect=False, connect_timeout=5, error_cb=on_error)


async def find_stream(client: Client, settings: Nats) -> JetStreamContext:
    """Return the JetStream context, with the stream there (made when it is missing)."""
    jetstream = client.jetstream(timeout=5)
    try:
        await jetstream.stream_info(settings.stream)
    except NotFoundError:
        config = StreamConfig(
            name=settings.stream,
            subjects=[f"{settings.stream}.log.*"],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_bytes=STREAM_BYTES,
        )
        await jetstream.add_stream(config)
    return jetstream


def run_forward(house: House, stop: threading.Event) -> None:
    """Forward until `stop`; whatever fails is tried again."""
    asyncio.run(_Forwarder(house, stop).run())


class _Forwarder:
    def __init__(self, house: House, stop: threading.Event) -> None:
        self._house, self._stop, self._settings = house, stop, house.nats
        self._partition = house.gateway.partition
        path = house.path("log", f"{self._partition}.sqlite3")
        self._reader, self._origin = LogReader(path), get_origin(path)
        self._error, self._pulsed_at = "", 0.0

    async def run(self) -> None:
        while not self._stop.is_set():
            try:
                await self._connect()
            except (NatsError, ForwardRefused, LogError, OSError, TimeoutError) as error:
                text = f"{type(error).__name__}: {error}"
                if text != self._error:
                    log.warning("forwarding stopped, trying again: %s", text)
                self._error = text
                self._pulse(None)
                await asyncio.to_thread(self._stop.wait, PAUSE_S)
        self._reader.close()

    async def _connect(self) -> None:
        client = await connect_nats(self._settings)
        try:
            await self._forward(client, await find_stream(client, self._settings))
        finally:
            with contextlib.suppress(NatsError, OSError):
                await client.close()

    async def _forward(self, client: Client, jetstream: JetStreamContext) -> None:
        state = await self._ask(client)
        if state["have"] > await asyncio.to_thread(self._reader.last_seq):
            raise ForwardRefused(f"the receiver has more of partition {self._partition} than this log ever held; give this gateway's partition a new name")
        progress = _Progress(state["have"], state["have"], time.monotonic())
        trimmed = 0
        while not self._stop.is_set():
            entries = []
            if progress.bytes < WINDOW_BYTES:
                entries = await asyncio.to_thread(self._reader.read, progress.sent, BATCH_BYTES)
            for entry in entries:
                await self._send(client, jetstream, entry, progress.sent)
                progress.sent = entry.seq
                progress.under_way.append((entry.seq, len(entry.body)))
            state = await self._ask(client)
            progress.note(state["have"])
            if state["trimmed"] > trimmed:
                trimmed = state["trimmed"]
                await asyncio.to_thread(self._reader.trim, trimmed)
            self._error = ""
            self._pulse(progress)
            if not entries:
                await asyncio.sleep(IDLE_S)

    async def _ask(self, client: Client) -> dict[str, Any]:
        question = json.dumps({"origin": self._origin}).encode()
        answer = await client.request(f"{self._settings.stream}.state.{self._partition}", question, timeout=ASK_TIMEOUT_S)
        state: dict[str, Any] = json.loads(answer.data)
        if error := state.get("error"):
            raise ForwardRefused(error)
        return state

    async def _send(self, client: Client, jetstream: JetStreamContext, entry: LogEntry, after: int) -> None:
        """Publish one entry in as many messages as the server's largest payload asks for; `after` is the entry before it, so that the receiver sees what is missing."""
        size = client.max_payload - HEAD_BYTES
        parts = [entry.body[start : start + size] for start in range(0, max(len(entry.body), 1), size)]
        for number, part in enumerate(parts):
            headers = {
                "Nats-Msg-Id": f"{self._partition}:{entry.seq}" + (f":{number}" if len(parts) > 1 else ""),
                "Zs-Entry": json.dumps([entry.seq, after, number, len(parts), entry.received_at_us]),
                "Zs-Kind": entry.kind,
                "Zs-Source": json.dumps(entry.source),
                "Zs-Origin": self._origin,
            }
            await jetstream.publish(f"{self._settings.stream}.log.{self._partition}", part, headers=headers, stream=self._settings.stream)

    def _pulse(self, progress: _Progress | None) -> None:
        if time.monotonic() - self._pulsed_at > PULSE_S:
            self._pulsed_at = time.monotonic()
            figures = {"have": progress.have, "sent": progress.sent, "bytes_under_way": progress.bytes} if progress else {}
            waiting = self._reader.figures()
            write_pulse(self._house.path("run"), "forward", {**figures, "error": self._error, "backlog_entries": waiting.entries, "backlog_bytes": waiting.bytes})
