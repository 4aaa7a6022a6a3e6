"""The one origin: live streams, static files, tiles and intake are served here; everything else goes to Django in a bounded thread pool."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from a2wsgi import WSGIMiddleware
from servestatic import ServeStaticASGI

from zhongshu.kernel.home import load_house

from .mounts import build_mounts
from .wsgi import application as django_application

__all__ = ["application", "build_application"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
STATIC = Path(__file__).parent.parent / "portal" / "static"


def build_application() -> App:
    """Assemble the front: prefix → raw ASGI application, Django for the rest."""
    house = load_house()
    django: Any = django_application
    pages: Any = WSGIMiddleware(django, workers=house.web.threads)
    static: Any = ServeStaticASGI(pages, root=str(STATIC), prefix="static/", max_age=3600, allow_all_origins=False)
    mounts = build_mounts(house)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, [app.close for app in mounts.values() if hasattr(app, "close")])
            return
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path.startswith("/static/"):
            await static(scope, receive, send)
            return
        for prefix, app in mounts.items():
            if path.startswith(prefix):
                await app(scope, receive, send)
                return
        await pages(scope, receive, send)

    return front


async def _lifespan(receive: Receive, send: Send, closers: list[Callable[[], None]]) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            for close in closers:
                await asyncio.to_thread(close)
            await send({"type": "lifespan.shutdown.complete"})
            return


application = build_application()
