"""Readings through an MQTT broker: our PUBACK leaves only after our commit.

The client is paho-mqtt with `manual_ack`, chosen by killing the consumer between receipt and commit: the broker must send everything unacknowledged again. gmqtt
acknowledges on receipt under MQTT 3.1.1 (its `optimistic_acknowledgement` can be switched off for MQTT 5 only), and the demonstration broker speaks 3.1.1.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlparse

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from zhongshu.kernel import faults
from zhongshu.kernel.log import LogFull

from .batch import Batcher
from .counters import GatewayCounters
from .payload import MAX_PAYLOAD, PayloadError, parse_payload
from .quarantine import Quarantine
from .rows import Rows
from .sources import SourceDirectory

__all__ = ["PROTOCOL", "MqttIntake", "MqttSettings"]

PROTOCOL = "mqtt"
UNKNOWN = f"{PROTOCOL}:?"
WINDOW = 2000
"""Messages that may be received and not yet committed; the broker is told (MQTT 5 receive maximum), and reading stops when it is reached (QoS 0)."""

TAKE = 1000
LONGEST_PAUSE_S = 30
SESSION_S = 7 * 86_400
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MqttSettings:
    """Where the broker is: `url` is `mqtt://host:port` or `mqtts://…`; `topic` has one `+` where the source's name stands. `version` 5 needs a broker that speaks it."""

    url: str
    topic: str
    client_id: str
    username: str = ""
    password: str = ""
    version: int = 5


@dataclass(slots=True)
class _Message:
    epoch: int
    mid: int
    qos: int
    topic: str
    payload: bytes
    received_at_us: int


class MqttIntake:
    """Consumes one subscription. Lost connections are made again with growing pauses; the session is kept by the broker, so nothing unacknowledged is lost meanwhile."""

    def __init__(self, settings: MqttSettings, directory: SourceDirectory, counters: GatewayCounters, quarantine: Quarantine, batcher: Batcher) -> None:
        self._settings, self._directory, self._counters, self._quarantine, self._batcher = settings, directory, counters, quarantine, batcher
        self._place = settings.topic.split("/").index("+")
        self._waiting: deque[_Message] = deque()
        self._room = threading.BoundedSemaphore(WINDOW)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._epoch = 0
        self.is_connected = False
        self.last_error = ""
        self._client = self._build_client()

    def start(self) -> None:
        """Connect in a thread and consume in the running loop; returns at once, also while the broker is away."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="mqtt intake")
        url = urlparse(self._settings.url)
        port = url.port or (8883 if url.scheme == "mqtts" else 1883)
        options: dict[str, Any] = {}
        if self._settings.version == 5:
            options = {"clean_start": False, "properties": _session_properties()}
        self._client.connect_async(url.hostname or "127.0.0.1", port, keepalive=30, **options)
        self._client.loop_start()

    async def close(self) -> None:
        """Stop consuming; what is not committed stays with the broker."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await asyncio.to_thread(self._disconnect)

    def _disconnect(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _build_client(self) -> paho.Client:
        settings = self._settings
        version = paho.MQTTv5 if settings.version == 5 else paho.MQTTv311
        # MQTT 5 says it when connecting (clean_start), 3.1.1 here
        clean = None if settings.version == 5 else False
        client = paho.Client(CallbackAPIVersion.VERSION2, settings.client_id, clean, protocol=version, manual_ack=True)
        url = urlparse(settings.url)
        username, password = settings.username or unquote(url.username or ""), settings.password or unquote(url.password or "")
        if username:
            client.username_pw_set(username, password)
        if url.scheme == "mqtts":
            client.tls_set()
        client.reconnect_delay_set(1, LONGEST_PAUSE_S)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_message, client.on_subscribe = self._on_message, self._on_subscribe
        return client

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._note(f"the MQTT broker refused us: {reason}")
            return
        self._epoch += 1
        client.subscribe(self._settings.topic, qos=1)

    def _on_subscribe(self, _client: paho.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._note(f"the MQTT broker refused the subscription to {self._settings.topic}: {reasons[0]}")
        else:
            self.is_connected, self.last_error = True, ""

    def _on_disconnect(self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.is_connected = False
        if not self._closing:
            self._note(f"the connection to the MQTT broker was lost: {reason}")

    def _note(self, error: str) -> None:
        if error != self.last_error:
            log.warning("%s", error)
        self.last_error = error

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        while not self._room.acquire(timeout=0.5):
            if self._closing:
                return
        if self._closing or self._loop is None:
            return
        self._waiting.append(_Message(self._epoch, message.mid, message.qos, message.topic, bytes(message.payload), time.time_ns() // 1000))
        if len(self._waiting) == 1:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _run(self) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._closing:
                await self._consume([self._waiting.popleft() for _ in range(min(TAKE, len(self._waiting)))])

    async def _consume(self, messages: list[_Message]) -> None:
        faults.point("gateway.received")
        rows = Rows()
        for message in messages:
            self._read(rows, message)
        try:
            await self._batcher.put(rows)
        except LogFull:
            return
        except Exception as error:
            # not acknowledged: the broker has them still and sends them again on the next connection
            self._note(f"messages were not committed: {error}")
            self._give_room(len(messages))
            return
        # in the order of receipt (MQTT 3.1.1, 4.6); on a newer connection the broker sends them again under its own ids
        for message in messages:
            if message.qos and message.epoch == self._epoch:
                self._client.ack(message.mid, message.qos)
        self._give_room(len(messages))

    def _give_room(self, count: int) -> None:
        for _ in range(count):
            self._room.release()

    def _read(self, rows: Rows, message: _Message) -> None:
        parts = message.topic.split("/")
        source = f"{PROTOCOL}:{parts[self._place]}" if len(parts) > self._place else UNKNOWN
        spec = self._directory.find(source)
        counters = self._counters.of(source, is_known=spec is not None)
        counters.frames += 1
        counters.last_seen_us = message.received_at_us
        counters.unpromised += message.qos == 0
        self._counters.bytes += len(message.payload)
        try:
            if spec is None:
                raise PayloadError("unknown-source", f"There is no connection {source}; register it, then play its messages again.")
            if not spec.active:
                raise PayloadError("not-active", f"The connection {source} is switched off.")
            found = parse_payload(source, message.payload, message.received_at_us)
        except PayloadError as error:
            counters.refused[error.reason] += 1
            self._quarantine.keep(message.received_at_us, source, f"{error.reason}: {error}", "application/json", message.payload[:MAX_PAYLOAD])
            return
        counters.readings += len(found.readings)
        rows.readings += found.readings
        rows.texts += found.texts


def _session_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = SESSION_S
    properties.ReceiveMaximum = WINDOW
    return properties
