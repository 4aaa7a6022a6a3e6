"""A small MQTT broker of our own (amqtt) for demonstrations: loopback only, passwords, and each device may publish its own topic and nothing else."""

import asyncio
import hashlib
import hmac
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import Action, BaseContext, BrokerConfig, ListenerConfig
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from zhongshu.kernel.home import House, get_secret
from zhongshu.kernel.pulse import write_pulse

from .mqtt import PROTOCOL
from .sources import SourceDirectory

__all__ = ["GATEWAY", "Passwords", "Topics", "build_gateway_password", "run_broker"]

GATEWAY = "zhongshu-gateway"
PULSE_S = 2.0


def build_gateway_password(house: House) -> str:
    """Return the gateway's own password for the embedded broker, derived from the installation's secret, so that none is stored."""
    return hmac.new(get_secret(house).encode(), b"embedded mqtt broker", hashlib.sha256).hexdigest()


class Passwords(BaseAuthPlugin):
    """Lets in the gateway, and devices that have an active connection `mqtt:<user name>` with a password."""

    @dataclass
    class Config:
        """`folder` holds the published connections, `gateway_password` is the gateway's own."""

        folder: str
        gateway_password: str

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._directory = SourceDirectory(Path(self.config.folder))

    async def authenticate(self, *, session: Session) -> bool | None:
        """Tell whether this log-in is right."""
        username, password = session.username or "", session.password or ""
        if username == GATEWAY:
            return hmac.compare_digest(password, self.config.gateway_password)
        spec = self._directory.find(f"{PROTOCOL}:{username}")
        return bool(spec and spec.active and spec.secret) and self._directory.is_password(spec, password)  # type: ignore[arg-type]


class Topics(BaseTopicPlugin):
    """A device publishes to the topic of its name; only the gateway subscribes."""

    @dataclass
    class Config:
        """`topic` is the gateway's subscription, with one `+` where a device's name stands."""

        topic: str

    async def topic_filtering(self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None) -> bool | None:
        """Tell whether this session may use this topic in this way."""
        username = (session.username if session else None) or ""
        if action == Action.PUBLISH:
            return topic == self.config.topic.replace("+", username)
        return username == GATEWAY


def run_broker(house: House, stop: threading.Event) -> None:
    """Serve on the loopback address until `stop`."""
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    asyncio.run(_serve(house, stop))


async def _serve(house: House, stop: threading.Event) -> None:
    broker = Broker(_build_config(house))
    await broker.start()
    while not stop.is_set():
        write_pulse(house.path("run"), "broker", {"sessions": len(broker._sessions)})
        for _ in range(round(PULSE_S / 0.2)):
            if stop.is_set():
                break
            await asyncio.sleep(0.2)
    await broker.shutdown()


def _build_config(house: House) -> BrokerConfig:
    module = __name__
    plugins: dict[str, Any] = {
        f"{module}.Passwords": {"folder": str(house.path("dim")), "gateway_password": build_gateway_password(house)},
        f"{module}.Topics": {"topic": house.mqtt.topic},
    }
    return BrokerConfig(listeners={"default": ListenerConfig(bind=f"127.0.0.1:{house.mqtt.port}")}, plugins=plugins)
