"""`/live/screen?division=<uid>` and `/live/desk`: a raw ASGI application that keeps streams open beside the event loop's other work."""

import asyncio
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qs

from zhongshu.kernel.home import House
from zhongshu.portal.caller import Receive, Send, get_header, send_plain

from .client import Client
from .hub import Hub, Refused

__all__ = ["build_live", "end_streams"]

KINDS = {"/live/screen": "screen", "/live/desk": "desk"}
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy in front must not collect events
]
BEGIN = b"retry: 2000\n\n"
LINGER_S = 1.0
_hubs: list[Hub] = []


def build_live(house: House) -> Any:
    """Return the application with a hub of its own."""
    hub = Hub(house)
    _hubs.append(hub)

    async def live(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        kind = KINDS.get(scope["path"])
        if kind is None or scope["method"] != "GET":
            await send_plain(send, 404 if kind is None else 405, "there are /live/screen and /live/desk, to be read by GET")
            return
        asked = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        last_id = get_header(scope, b"last-event-id") or asked.get("last_event_id", "")
        try:
            client = await hub.join(scope, kind, asked.get("division", ""), last_id[:100])
        except Refused as refused:
            await send_plain(send, refused.status, str(refused))
            return
        try:
            await _serve(client, receive, send)
        finally:
            hub.leave(client)

    return live


def end_streams() -> None:
    """Close all streams of this process, because it ends; call it in the event loop."""
    for hub in _hubs:
        hub.end_all()


async def _serve(client: Client, receive: Receive, send: Send) -> None:
    """Write until the browser goes or the stream is closed; a browser that does not read is not waited for then."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    writer = asyncio.create_task(_write(client, send))
    gone = asyncio.create_task(_wait_for_disconnect(receive))
    closing = asyncio.create_task(client.closing.wait())
    try:
        await asyncio.wait({writer, gone, closing}, return_when=asyncio.FIRST_COMPLETED)
        if closing.done() and not gone.done():
            await asyncio.wait({writer, gone}, timeout=LINGER_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writer, gone, closing):
            task.cancel()
        await asyncio.gather(writer, gone, closing, return_exceptions=True)


async def _write(client: Client, send: Send) -> None:
    await send({"type": "http.response.body", "body": BEGIN, "more_body": True})
    while (piece := await client.next()) is not None:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
