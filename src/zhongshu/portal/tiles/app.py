"""`/tiles/<layer>/<z>/<x>/<y>.mvt`: a raw ASGI application; the numbers are worked out in a few threads beside the event loop."""

import hashlib
import re
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.urls import reverse

from zhongshu.ability.geo import LayerSpec, Tile, build_layer, render_points_tile
from zhongshu.kernel.derive import find_kind
from zhongshu.portal.caller import Receive, Send, call, find_caller, get_header, send_plain
from zhongshu.security.access import Scope, scope_for

from .points import Points, get_points

__all__ = ["build_tiles"]

ADDRESS = re.compile(r"/tiles/([a-z][a-z0-9-]{0,80})/(\d{1,2})/(\d{1,8})/(\d{1,8})\.mvt")
THREADS = 2
MOST_POINTS = 500
REFUSALS = {401: "log in, or send a bearer token", 403: "your rights do not include this layer", 404: "there is no such tile"}


@dataclass(frozen=True)
class Answer:
    """A tile, or the status that tells why there is none; 304 where the reader has it already."""

    status: int
    body: bytes = b""
    etag: str = ""


def build_tiles() -> Any:
    """Return the application; it keeps its threads and the points of the layers asked for."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="tiles")

    async def tiles(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await send_plain(send, 405, "only GET is possible here", ((b"allow", b"GET, HEAD"),))
            return
        answer = await call(pool, render_tile, scope)
        if answer.status not in (200, 304):
            await send_plain(send, answer.status, REFUSALS[answer.status])
            return
        headers = [(b"content-type", b"application/vnd.mapbox-vector-tile"), (b"cache-control", b"private, no-cache"), (b"vary", b"Cookie, Authorization")]
        await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, (b"etag", answer.etag.encode())]})
        await send({"type": "http.response.body", "body": answer.body if scope["method"] == "GET" else b""})

    return tiles


def render_tile(request: MutableMapping[str, Any]) -> Answer:
    """Answer one request: who, which layer, which tile, and what of it the caller may see."""
    found = ADDRESS.fullmatch(request["path"])
    kind = find_kind(found[1]) if found else None
    spec = build_layer(kind) if kind else None
    caller = find_caller(request)
    if caller is None:
        return Answer(401)
    if found is None or kind is None or spec is None:
        return Answer(404)
    try:
        tile = Tile(int(found[2]), int(found[3]), int(found[4]))
    except ValueError:
        return Answer(404)
    scope = scope_for(caller.user, kind, "view")
    if not scope:
        return Answer(403)
    points = get_points(spec).get()
    etag = _build_etag(spec, points, scope, tile)
    if etag in get_header(request, b"if-none-match"):
        return Answer(304, etag=etag)
    return Answer(200, _render(spec, points, scope, tile), etag)


def _render(spec: LayerSpec, points: Points, scope: Scope, tile: Tile) -> bytes:
    layer = get_points(spec).narrow(points, scope)
    columns: dict[str, Any] = {}
    if layer.count(tile) <= MOST_POINTS:
        rows = layer.list_in_tile(tile, buffer=1 / 64)
        columns = _build_columns(spec, points, rows)
    return render_points_tile(spec.name, layer, tile, points.pk, columns, MOST_POINTS)


def _build_columns(spec: LayerSpec, points: Points, rows: Any) -> dict[str, Any]:
    uids = points.format_uids(rows)
    base = reverse("records", args=[spec.name])
    texts = {
        "uid": uids,
        "name": points.title[rows],
        "state": [spec.codes[band] for band in points.band[rows]],
        "url": [f"{base}{uid}/" for uid in uids],
    }
    return {name: _Picked(np.array(values, object), rows) for name, values in texts.items()}


class _Picked:
    """A column that exists only for the rows of one tile; `take` is asked for just those."""

    def __init__(self, values: Any, rows: Any) -> None:
        self._values, self._rows = values, rows

    def take(self, rows: Any) -> Any:
        return self._values[np.searchsorted(self._rows, rows)]


def _build_etag(spec: LayerSpec, points: Points, scope: Scope, tile: Tile) -> str:
    text = f"{spec.name} {id(points)} {points.generation} {hash(scope)} {tile}"
    return f'"{hashlib.blake2s(text.encode(), digest_size=12).hexdigest()}"'
