"""`POST /intake/v1/observations`, a raw ASGI application: who may send what, how much, and a 2xx only when the log has synced it."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from zhongshu.kernel.faults import point
from zhongshu.kernel.log import Entry, GroupCommitter, LogError, LogFull, RefusedStore
from zhongshu.sense.gateway.body import BodyError, parse_body

__all__ = ["PATH", "Intake", "Receive", "Scope", "Send", "Source", "reject"]

PATH = "/intake/v1/observations"
_RETRY = [(b"retry-after", b"1")]

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Source:
    """Who a token belongs to: its name in the log, and which external stream ids it may write (those that start with one of `prefixes`; `""` means all)."""

    name: str
    prefixes: tuple[str, ...]


class _Refusal(Exception):
    def __init__(self, status: int, detail: str, headers: list[tuple[bytes, bytes]] | None = None, *, keep: bool = False) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.keep = status, detail, headers or [], keep


class Intake:
    """The intake of one gateway. `authorise(token)` returns the `Source` or None and must be quick (it is called on the event loop for every request).

    Answers: 200 `{"taken": rows, "repeated": false}` after the commit; 400 with what is wrong and in which reading; 401 without a known token; 403 for a stream
    outside the source's prefixes; 413 beyond `max_body` bytes; 503 with Retry-After when too much is waiting. `counts` holds answers by status and `readings`.
    """

    def __init__(
        self,
        committer: GroupCommitter,
        authorise: Callable[[str], Source | None],
        *,
        refused: RefusedStore | None = None,
        max_body: int = 8 << 20,
        max_waiting: int = 128 << 20,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._committer, self._authorise, self._refused = committer, authorise, refused
        self._max_body, self._max_waiting, self._clock = max_body, max_waiting, clock
        self._waiting = 0
        self.counts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI connection."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        headers: list[tuple[bytes, bytes]] = []
        try:
            status, content = 200, await self._take(scope, receive)
        except _Refusal as refusal:
            status, headers = refusal.status, refusal.headers
            content = {"error": refusal.detail}
        self.counts[str(status)] += 1
        await _answer(send, status, content, headers)

    async def _take(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        if scope["path"] != PATH:
            raise _Refusal(404, f"readings are taken at {PATH}")
        if scope["method"] != "POST":
            raise _Refusal(405, "send readings by POST", [(b"allow", b"POST")])
        headers = {name: value for name, value in scope["headers"] if name in _WANTED}
        source = self._get_source(headers)
        body = await self._receive(receive, headers)
        try:
            point("gateway.received")
            at = self._clock()
            try:
                return await self._keep(source, headers, body, at)
            except _Refusal as refusal:
                if refusal.keep and self._refused is not None:
                    content_type = headers.get(b"content-type", b"").decode("latin-1")
                    await asyncio.get_running_loop().run_in_executor(None, self._refused.keep, at, source.name, refusal.detail, content_type, body)
                raise
        finally:
            self._waiting -= len(body)

    def _get_source(self, headers: Mapping[bytes, bytes]) -> Source:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        source = self._authorise(token.strip()) if scheme.lower() == "bearer" and token else None
        if source is None:
            raise _Refusal(401, "a valid token is needed: Authorization: Bearer …", [(b"www-authenticate", b"Bearer")])
        return source

    async def _receive(self, receive: Receive, headers: Mapping[bytes, bytes]) -> bytes:
        """Read the body within bounds; what all requests hold in memory together is bounded by `max_waiting`."""
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max_body:
            raise _Refusal(413, f"a body of at most {self._max_body} bytes is taken; send smaller ones")
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Refusal(400, "the connection closed before the body was complete")
                part = message.get("body", b"")
                size += len(part)
                self._waiting += len(part)
                parts.append(part)
                if size > self._max_body:
                    raise _Refusal(413, f"a body of at most {self._max_body} bytes is taken; send smaller ones")
                if self._waiting > self._max_waiting:
                    raise _Refusal(503, "too many bodies are waiting; come again", _RETRY)
                if not message.get("more_body"):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        except BaseException:
            self._waiting -= size
            raise

    async def _keep(self, source: Source, headers: Mapping[bytes, bytes], body: bytes, at: int) -> dict[str, Any]:
        try:
            parsed = parse_body(headers.get(b"content-type", b"").decode("latin-1"), body)
        except BodyError as error:
            raise _Refusal(400, str(error), keep=True) from error
        if "" not in source.prefixes:
            for stream in parsed.streams:
                if not stream.startswith(source.prefixes):
                    raise _Refusal(403, f"{source.name} may not write stream {stream[:100]!r}", keep=True)
        key = headers.get(b"idempotency-key", b"").decode("latin-1")[:200]
        try:
            receipt = await self._committer.append([Entry("readings", parsed.body, at, source.name)], f"{source.name}\n{key}" if key else None, wait=False)
        except LogFull as error:
            raise _Refusal(503, str(error), _RETRY) from error
        except LogError as error:
            raise _Refusal(503, "the log cannot be written at the moment", _RETRY) from error
        if not receipt.repeated:
            self.counts["readings"] += parsed.rows
        return {"taken": 0 if receipt.repeated else parsed.rows, "repeated": receipt.repeated}


async def reject(send: Send, status: int, detail: str) -> None:
    """Answer a request that no intake can take, in the form of the intake's own refusals."""
    await _answer(send, status, {"error": detail}, _RETRY if status == 503 else [])


_WANTED = {b"authorization", b"content-type", b"content-length", b"idempotency-key"}


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _answer(send: Send, status: int, content: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    body = msgspec.json.encode(content)
    base = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*base, *headers]})
    await send({"type": "http.response.body", "body": body})
