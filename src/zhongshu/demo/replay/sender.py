"""A data logger: sends hourly uploads over TCP, keeps each until its 9014 has come, and sends what was not answered again."""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from zhongshu.sense.protocol.hj212 import format_packet

from .prsa import Hours

__all__ = ["Sender", "SenderError"]

WINDOW = 256
ANSWER_S = 15.0
"""How long an upload waits for its answer before it is sent again (HJ 212 calls it OverTime, set per logger; local: zhongshu)."""

_ANSWER = re.compile(rb"##[0-9]{4}QN=([0-9]{17});[^\r\n]*?CN=9014;")
_LONGEST_PAUSE_S = 10.0


class SenderError(RuntimeError):
    """The gateway cannot be reached or takes nothing; the message says where and since when."""


@dataclass
class _Sent:
    frame: bytes
    sent_at: float


class Sender:
    """Plays one station. `pause_s` between hours; 0 sends as fast as answers come, with at most `WINDOW` uploads unanswered.

    `sent`, `answered` and `resent` count uploads. The QN of an hour is its end, so that playing the same series twice sends the same frames.
    """

    def __init__(self, hours: Hours, mn: str, password: str, host: str, port: int, *, pause_s: float = 0.0, give_up_s: float = 60.0) -> None:
        self.hours, self._mn, self._password = hours, mn, password
        self._host, self._port, self._pause_s, self._give_up_s = host, port, pause_s, give_up_s
        self._waiting: OrderedDict[bytes, _Sent] = OrderedDict()
        self._frames = self._build_frames()
        self._is_done = False
        self._room = asyncio.Event()
        self._last_answer = time.monotonic()
        self.sent = self.answered = self.resent = 0

    async def run(self) -> None:
        """Send everything and return when all of it is answered. Raises `SenderError` when nothing was answered for `give_up_s`."""
        pause = 0.2
        self._last_answer = time.monotonic()
        while not self._is_done or self._waiting:
            try:
                reader, writer = await asyncio.open_connection(self._host, self._port)
            except OSError as error:
                self._check_patience(f"{error.strerror or error}")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                continue
            pause = 0.2
            await self._converse(reader, writer)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening = asyncio.create_task(self._listen(reader))
        try:
            self._send_again(writer, before=time.monotonic())
            while (not self._is_done or self._waiting) and not listening.done():
                await self._send_next(writer)
                if self._waiting and next(iter(self._waiting.values())).sent_at < time.monotonic() - ANSWER_S:
                    self._send_again(writer, before=time.monotonic() - ANSWER_S)
                self._check_patience("no upload was answered")
        except ConnectionError:
            pass
        finally:
            listening.cancel()
            writer.close()
            await asyncio.gather(listening, return_exceptions=True)
            if not self._is_done or self._waiting:
                await asyncio.sleep(0.2)

    async def _send_next(self, writer: asyncio.StreamWriter) -> None:
        if self._is_done or len(self._waiting) >= WINDOW:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), 0.5)
            except TimeoutError:
                return
            return
        batch = []
        for qn, frame in self._frames:
            self._waiting[qn] = _Sent(frame, time.monotonic())
            batch.append(frame)
            if self._pause_s or len(self._waiting) >= WINDOW:
                break
        else:
            self._is_done = True
        self.sent += len(batch)
        writer.write(b"".join(batch))
        await writer.drain()
        await asyncio.sleep(self._pause_s)

    def _send_again(self, writer: asyncio.StreamWriter, before: float) -> None:
        late = [sent for sent in self._waiting.values() if sent.sent_at < before]
        for sent in late:
            sent.sent_at = time.monotonic()
            writer.write(sent.frame)
        self.resent += len(late)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while data := await reader.read(65536):
            lines = (rest + data).split(b"\r\n")
            rest = lines.pop()[-4096:]
            for line in lines:
                match = _ANSWER.match(line)
                if match and self._waiting.pop(match[1], None):
                    self.answered += 1
                    self._last_answer = time.monotonic()
            self._room.set()

    def _check_patience(self, why: str) -> None:
        if not self._waiting and self.sent:
            self._last_answer = max(self._last_answer, time.monotonic() - self._pause_s)
        if time.monotonic() - self._last_answer > self._give_up_s + self._pause_s:
            raise SenderError(
                f"{self.hours.station}: {self._host}:{self._port} has answered nothing for {self._give_up_s:.0f} s ({why}); "
                f"{self.answered} of {len(self.hours)} hours were taken"
            )

    def _build_frames(self) -> Iterator[tuple[bytes, bytes]]:
        for index, start in enumerate(self.hours.start):
            qn = f"{start + timedelta(hours=1):%Y%m%d%H%M%S}000"
            groups = list(self.hours.groups(index))
            yield qn.encode(), format_packet(cn="2061", mn=self._mn, st="22", pw=self._password, qn=qn, groups=groups, is_answer_wanted=True)
