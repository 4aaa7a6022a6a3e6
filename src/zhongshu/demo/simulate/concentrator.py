"""A concentrator on MQTT: one connection for many devices, their readings in batches with QoS 1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from urllib.parse import unquote, urlparse

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from .station import Counts

__all__ = ["Concentrator", "build_payloads"]

MOST_VALUES = 2000
ROOM = 500
LONGEST_PAUSE_S = 60

Row = tuple[int, str, float]
"""Moment (µs UTC), name on the wire, value."""


def build_payloads(rows: Sequence[Row]) -> list[tuple[bytes, int]]:
    """JSON messages of at most `MOST_VALUES` values each, with how many they hold: a list of `{"t": ms, "values": {name: value}}` in the order of time."""
    made = []
    for start in range(0, len(rows), MOST_VALUES):
        part = sorted(rows[start : start + MOST_VALUES])
        uploads = [{"t": t // 1000, "values": {name: value for _, name, value in group}} for t, group in groupby(part, key=lambda row: row[0])]
        made.append((json.dumps(uploads, separators=(",", ":")).encode(), len(part)))
    return made


class Concentrator:
    """One client of the broker in a thread of its own; lost connections are made again with growing pauses, what was not acknowledged is sent again."""

    def __init__(self, name: str, password: str, url: str, topic: str, counts: Counts) -> None:
        self.name, self._counts, self._topic = name, counts, topic.replace("+", name)
        parts = urlparse(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or (8883 if parts.scheme == "mqtts" else 1883))
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv311, clean_session=False)
        self._client.username_pw_set(name if password else unquote(parts.username or ""), password or unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.reconnect_delay_set(1, LONGEST_PAUSE_S)
        self._client.max_queued_messages_set(ROOM)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._is_connected = False

    def start(self) -> None:
        """Connect in the background, also while there is no broker yet."""
        self._client.connect_async(*self._address, keepalive=60)
        self._client.loop_start()

    def stop(self) -> None:
        """Say good-bye and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def put(self, rows: Sequence[Row]) -> None:
        """Send readings; what does not fit into the queue of a concentrator that was cut off for long is dropped and counted."""
        for payload, count in build_payloads(rows):
            done = self._client.publish(self._topic, payload, qos=1)
            if done.rc == paho.MQTT_ERR_QUEUE_SIZE:
                self._counts.dropped += 1
            else:
                self._counts.sent += 1
                self._counts.readings += count

    def _on_connect(self, _client: paho.Client, _data: object, _flags: object, reason: paho.ReasonCode, _properties: object) -> None:
        if not reason.is_failure and not self._is_connected:
            self._is_connected = True
            self._counts.connected += 1

    def _on_disconnect(self, _client: paho.Client, _data: object, _flags: object, _reason: object, _properties: object) -> None:
        if self._is_connected:
            self._is_connected = False
            self._counts.connected -= 1

    def _on_publish(self, _client: paho.Client, _data: object, _mid: int, _reason: object, _properties: object) -> None:
        self._counts.answered += 1
