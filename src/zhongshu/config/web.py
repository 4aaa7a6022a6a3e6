"""The web process: uvicorn on the one origin."""

import socket
import threading

import uvicorn

from zhongshu.kernel.home import House
from zhongshu.kernel.pulse import write_pulse
from zhongshu.portal.live import end_streams

__all__ = ["run_web"]

PULSE_S = 2.0


class WebServer(uvicorn.Server):
    """Uvicorn that closes live streams first: they would hold its graceful end up until the last second."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, then everything else."""
        end_streams()
        await super().shutdown(sockets)


GRACE_S = 5


def run_web(house: House, stop: threading.Event) -> None:
    """Serve until `stop`; open streams are ended within a few seconds."""
    config = uvicorn.Config(
        "zhongshu.config.asgi:application",
        host=house.web.host,
        port=house.web.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        proxy_headers=house.web.https,
    )
    server = WebServer(config)

    def watch() -> None:
        while not stop.wait(PULSE_S):
            write_pulse(house.path("run"), "web", {"connections": len(server.server_state.connections), "requests": server.server_state.total_requests})
        server.should_exit = True

    threading.Thread(target=watch, name="pulse", daemon=True).start()
    server.run()
