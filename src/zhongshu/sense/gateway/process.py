"""The gateway process: HJ 212 over TCP, MQTT and `/intake`, all into one log partition."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlparse

import uvicorn
import uvloop

from zhongshu.kernel.home import House
from zhongshu.kernel.log import GroupCommitter, LogReader, LogWriter, RefusedStore

from .batch import Batcher
from .broker import GATEWAY, build_gateway_password
from .counters import GatewayCounters
from .hj212 import Intake212
from .intake import Intake, Source
from .mqtt import MqttIntake, MqttSettings
from .quarantine import Quarantine
from .sources import SourceDirectory
from .tcp import Server212

__all__ = ["GatewayParts", "build_mqtt_settings", "find_source", "open_gateway", "run_gateway"]

PULSE_S = 1.0
log = logging.getLogger(__name__)


@dataclass
class GatewayParts:
    """What a running gateway is made of."""

    counters: GatewayCounters
    directory: SourceDirectory
    batcher: Batcher
    committer: GroupCommitter
    quarantine: Quarantine
    server: Server212
    mqtt: MqttIntake | None
    intake: Intake

    def write_pulse(self, started_at: float) -> None:
        """Say how it goes, for pages, health and metrics."""
        mqtt = {"is_connected": self.mqtt.is_connected, "error": self.mqtt.last_error} if self.mqtt else None
        self.counters.write(
            started_at=started_at,
            hj212_port=self.server.port,
            known_sources=len(self.directory),
            generation=self.directory.generation,
            commits=self.batcher.commits,
            failed_commits=self.batcher.failures,
            last_error=self.batcher.last_error or self.directory.error,
            pending_bytes=self.committer.pending_bytes,
            quarantined=self.quarantine.kept,
            quarantine_dropped=self.quarantine.dropped,
            mqtt=mqtt,
            intake=dict(self.intake.counts),
        )


def build_mqtt_settings(house: House) -> MqttSettings | None:
    """Return how to reach the broker, or None where there is none. A broker that speaks only 3.1.1 is named with `?version=3.1.1` in its address."""
    if house.mqtt.embedded:
        return MqttSettings(f"mqtt://127.0.0.1:{house.mqtt.port}", house.mqtt.topic, house.mqtt.client_id, GATEWAY, build_gateway_password(house), version=4)
    if not house.mqtt.url:
        return None
    version = parse_qs(urlparse(house.mqtt.url).query).get("version", ["5"])[0]
    return MqttSettings(house.mqtt.url, house.mqtt.topic, house.mqtt.client_id, house.mqtt.username, house.mqtt.password, version=4 if version in ("3.1.1", "4") else 5)


def find_source(directory: SourceDirectory, token: str) -> Source | None:
    """Return who an intake token belongs to: `<source>:<secret>` of an active connection with a credential. It may write the streams `<source>/…`."""
    source, _, secret = token.rpartition(":")
    spec = directory.find(source)
    if spec is None or not spec.active or not spec.secret or not directory.is_password(spec, secret):
        return None
    return Source(spec.source, (f"{spec.source}/",))


@contextlib.asynccontextmanager
async def open_gateway(house: House) -> AsyncIterator[GatewayParts]:
    """Open the log partition and everything that feeds it; on leaving, stop taking in, commit what was handed in, close."""
    path = house.path("log", f"{house.gateway.partition}.sqlite3")
    writer, reader = LogWriter(path), LogReader(path)
    committer, quarantine = GroupCommitter(writer), Quarantine(path)
    counters, directory = GatewayCounters(house.path("run")), SourceDirectory(house.path("dim"))
    batcher = Batcher(committer, house.gateway.partition)
    batcher.start()
    server = Server212(Intake212(directory, counters, quarantine, reader.find_seen), batcher, max_connections=house.gateway.max_connections)
    settings = build_mqtt_settings(house)
    mqtt = MqttIntake(settings, directory, counters, quarantine, batcher) if settings else None
    refused = RefusedStore(path)
    intake = Intake(committer, lambda token: find_source(directory, token), refused=refused)
    await server.start(house.gateway.host, house.gateway.hj212_port)
    if mqtt:
        mqtt.start()
    try:
        yield GatewayParts(counters, directory, batcher, committer, quarantine, server, mqtt, intake)
    finally:
        await server.close()
        if mqtt:
            await mqtt.close()
        await batcher.close()
        await asyncio.to_thread(committer.close)
        await asyncio.to_thread(quarantine.close)
        for opened in (refused, writer, reader):
            opened.close()


def run_gateway(house: House, stop: threading.Event) -> None:
    """Take in until `stop`."""
    uvloop.run(_serve(house, stop))


async def _serve(house: House, stop: threading.Event) -> None:
    async with open_gateway(house) as parts:
        http = uvicorn.Server(
            uvicorn.Config(parts.intake, host=house.gateway.host, port=house.gateway.intake_port, http="httptools", log_level="warning", server_header=False)
        )
        serving = asyncio.create_task(_serve_http(http), name="intake")
        log.info("HJ 212 on %s:%s, intake on port %s", house.gateway.host, parts.server.port, house.gateway.intake_port)
        started_at = time.time()
        while not stop.is_set() and not serving.done():
            parts.directory.refresh()
            parts.write_pulse(started_at)
            await asyncio.to_thread(stop.wait, PULSE_S)
        http.should_exit = True
        await serving
        parts.write_pulse(started_at)


async def _serve_http(http: uvicorn.Server) -> None:
    """Serve without uvicorn's own signal handling: the process has one stop."""
    with contextlib.suppress(SystemExit):
        http.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        await http.serve()
