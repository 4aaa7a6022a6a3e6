"""Receiving other machines' log partitions: each becomes a file in our log folder, entry by entry under its own number, synced before it is acknowledged to NATS."""

import asyncio
import contextlib
import json
import logging
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from zhongshu.kernel.home import House
from zhongshu.kernel.log import LogEntry, LogError, LogMirror, OriginDiffers
from zhongshu.kernel.pulse import write_pulse
from zhongshu.sense.gateway.forward import connect_nats, find_stream

__all__ = ["run_receive"]

DURABLE = "receive"
FETCH = 32
FETCH_S = 0.5
ACK_WAIT_S = 10.0
LATER_S = 0.5
LOOK_S = 5.0
PAUSE_S = 1.0
PULSE_S = 2.0
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
APART = {"facts", "quarantine"}
log = logging.getLogger(__name__)


def run_receive(house: House, stop: threading.Event) -> None:
    """Receive until `stop`; whatever fails is tried again."""
    asyncio.run(_Receiver(house, stop).run())


@dataclass(frozen=True, slots=True)
class _Part:
    """One message: part `number` of `parts` of entry `seq`, which follows entry `after`."""

    origin: str
    seq: int
    after: int
    number: int
    parts: int
    at_us: int
    kind: str
    source: str
    message: Msg


@dataclass
class _Partition:
    mirror: LogMirror
    begun: dict[int, dict[int, _Part]] = field(default_factory=dict)
    """Entries of which parts have come and not been stored yet: bounded by what NATS may have unacknowledged."""


class _Receiver:
    def __init__(self, house: House, stop: threading.Event) -> None:
        self._house, self._stop, self._settings = house, stop, house.nats
        self._partitions: dict[str, _Partition] = {}
        self._stored = self._dropped = 0
        self._error, self._pulsed_at = "", 0.0

    async def run(self) -> None:
        while not self._stop.is_set():
            try:
                await self._connect()
            except (NatsError, LogError, OSError, TimeoutError) as error:
                text = f"{type(error).__name__}: {error}"
                if text != self._error:
                    log.warning("receiving stopped, trying again: %s", text)
                self._error = text
                self._pulse()
                await asyncio.to_thread(self._stop.wait, PAUSE_S)
        for partition in self._partitions.values():
            partition.mirror.close()

    async def _connect(self) -> None:
        client = await connect_nats(self._settings)
        for partition in self._partitions.values():
            partition.begun.clear()
        try:
            jetstream = await find_stream(client, self._settings)
            await client.subscribe(f"{self._settings.stream}.state.*", cb=self._answer)
            await self._receive(client, jetstream)
        finally:
            with contextlib.suppress(NatsError, OSError):
                await client.close()

    async def _receive(self, client: Client, jetstream: JetStreamContext) -> None:
        config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=ACK_WAIT_S, max_ack_pending=256)
        consumer = await jetstream.pull_subscribe(f"{self._settings.stream}.log.*", durable=DURABLE, stream=self._settings.stream, config=config)
        looked = time.monotonic()
        while not self._stop.is_set() and client.is_connected:
            self._error = ""
            self._pulse()
            try:
                messages = await consumer.fetch(FETCH, timeout=FETCH_S)
            except (NatsTimeout, TimeoutError):
                if time.monotonic() - looked > LOOK_S:  # a stream removed under us only goes silent
                    await consumer.consumer_info()
                    looked = time.monotonic()
                continue
            await self._take(messages)

    def _open(self, name: str) -> _Partition:
        """Return a partition by its name on the wire. Raises `OriginDiffers` for a name that is taken here."""
        if not NAME.fullmatch(name) or name in APART or name == self._house.gateway.partition:
            raise OriginDiffers(
                f"the partition name {name[:64]!r} cannot be forwarded here: it is our own or no plain name; set [gateway] partition on the sending machine"
            )
        if name not in self._partitions:
            self._partitions[name] = _Partition(LogMirror(self._house.path("log", f"{name}.sqlite3")))
        return self._partitions[name]

    async def _answer(self, question: Msg) -> None:
        """Tell a sender how far we are with its partition."""
        try:
            mirror = self._open(question.subject.rpartition(".")[2]).mirror
            mirror.check_origin(str(json.loads(question.data)["origin"]))
            answer: dict[str, Any] = {"have": mirror.have, "trimmed": mirror.trimmed}
        except (OriginDiffers, LogError, ValueError, KeyError, TypeError) as error:
            answer = {"error": str(error)}
        await question.respond(json.dumps(answer).encode())

    async def _take(self, messages: list[Msg]) -> None:
        touched: dict[str, list[Msg]] = {}
        for message in messages:
            name, part = message.subject.rpartition(".")[2], _read(message)
            try:
                partition = self._open(name)
                if part is None:
                    raise OriginDiffers("not a log entry")
                partition.mirror.check_origin(part.origin)
            except OriginDiffers:
                self._dropped += 1
                await message.ack()
                continue
            partition.begun.setdefault(part.seq, {})[part.number] = part
            touched.setdefault(name, [])
        for name in touched:
            await self._store(self._partitions[name])

    async def _store(self, partition: _Partition) -> None:
        """Store every entry that is whole and follows what we have, then acknowledge; what comes too early is asked for again a little later."""
        have = partition.mirror.have
        entries: list[LogEntry] = []
        done: list[Msg] = []
        for seq in sorted(partition.begun):
            parts = partition.begun[seq]
            first = next(iter(parts.values()))
            if seq > have:
                if first.after > have or len(parts) < first.parts:
                    break
                entries.append(LogEntry(seq, first.kind, first.at_us, first.source, b"".join(parts[n].message.data for n in range(first.parts))))
                have = seq
            done += [part.message for part in parts.values()]
            del partition.begun[seq]
        if entries:
            self._stored += await asyncio.to_thread(partition.mirror.store, entries)
        for message in done:
            await message.ack()
        for seq, parts in list(partition.begun.items()):
            if next(iter(parts.values())).after > have:
                for part in parts.values():
                    await part.message.nak(delay=LATER_S)
                del partition.begun[seq]

    def _pulse(self) -> None:
        if time.monotonic() - self._pulsed_at > PULSE_S:
            self._pulsed_at = time.monotonic()
            figures = {"stored": self._stored, "dropped": self._dropped, "error": self._error}
            write_pulse(self._house.path("run"), "receive", {**figures, "have": {name: p.mirror.have for name, p in self._partitions.items()}})


def _read(message: Msg) -> _Part | None:
    headers = message.headers or {}
    try:
        seq, after, number, parts, at_us = (int(value) for value in json.loads(headers["Zs-Entry"]))
        return _Part(headers["Zs-Origin"], seq, after, number, parts, at_us, headers["Zs-Kind"], str(json.loads(headers["Zs-Source"])), message)
    except (KeyError, ValueError, TypeError):
        return None
