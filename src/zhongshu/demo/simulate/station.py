"""An air station on TCP as HJ 212-2017 has it: uploads that want an answer, sent again until it comes, on a connection that is made again when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from zhongshu.sense.protocol.hj212.format import format_packet

__all__ = ["Counts", "Station", "build_groups"]

ANSWER_S = 10.0
ATTEMPTS = 3
"""HJ 212-2017, 6.2: a request that is not answered in time is sent again; 10 s and 3 times are the usual settings of command 1000."""

LONGEST_PAUSE_S = 60.0
ROOM = 500
AMBIENT = "22"
_ANSWER = re.compile(rb"QN=(\d{17});.*?CN=9014;")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Value = tuple[str, float | None, int]
"""Property as sent (`a34004-Avg`), value or None, decimals."""


@dataclass
class Counts:
    """What all devices of one simulator did."""

    connected: int = 0
    sent: int = 0
    answered: int = 0
    repeated: int = 0
    dropped: int = 0
    readings: int = 0


def format_time(us: int, offset_s: int, digits: int = 14) -> str:
    """Moment in the station's clock, 14 digits to the second or 17 to the millisecond."""
    at = _EPOCH + timedelta(microseconds=us, seconds=offset_s)
    return f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}"[:digits]


def build_groups(t: int, values: Sequence[Value], offset_s: int) -> list[list[tuple[str, str]]]:
    """Data area of one upload: DataTime, then a group per factor with its flag; a missing value is its flag alone, B for no link (HJ 212-2017, table of flags)."""
    groups = [[("DataTime", format_time(t, offset_s))]]
    for name, value, digits in values:
        factor = name.partition("-")[0]
        if value is None:
            groups.append([(f"{factor}-Flag", "B")])
        else:
            groups.append([(name, f"{value:.{digits}f}"), (f"{factor}-Flag", "N")])
    return groups


@dataclass
class Station:
    """One device number with its own connection. `put` is called by the producer, `run` sends."""

    mn: str
    password: str
    offset_s: int
    counts: Counts
    rng: random.Random
    _waiting: deque[tuple[str, list[list[tuple[str, str]]], int]] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _answered: set[str] = field(default_factory=set)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    _last_qn: int = 0

    def put(self, cn: str, t: int, values: Sequence[Value]) -> None:
        """Queue one upload; the oldest leaves when the station was cut off for long."""
        if len(self._waiting) >= ROOM:
            self._waiting.popleft()
            self.counts.dropped += 1
        self._waiting.append((cn, build_groups(t, values, self.offset_s), len(values)))
        self._wake.set()

    async def run(self, host: str, port: int) -> None:
        """Connect, send, and connect again with growing pauses, until cancelled."""
        pause = 1.0
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(pause * (0.5 + self.rng.random()))
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            self.counts.connected += 1
            listening = asyncio.create_task(self._listen(reader))
            try:
                await self._send_all(writer, listening)
                pause = 1.0
            except (OSError, TimeoutError):
                pause = min(pause * 2, LONGEST_PAUSE_S)
            finally:
                self.counts.connected -= 1
                listening.cancel()
                writer.close()
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await listening
            await asyncio.sleep(pause * (0.5 + self.rng.random()))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            found = _ANSWER.search(line)
            if found:
                self._answered.add(found[1].decode("ascii"))
                self._heard.set()

    async def _send_all(self, writer: asyncio.StreamWriter, listening: asyncio.Task[None]) -> None:
        while not listening.done():
            while not self._waiting:
                self._wake.clear()
                waking = asyncio.create_task(self._wake.wait())
                await asyncio.wait({waking, listening}, return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
                if listening.done():
                    return
            await self._send_first(writer)

    async def _send_first(self, writer: asyncio.StreamWriter) -> None:
        """Send the oldest upload until it is answered; it leaves the queue only then. Raises `TimeoutError` when no answer came at all."""
        upload = self._waiting[0]
        cn, groups, count = upload
        qn = self._next_qn()
        packet = format_packet(cn=cn, mn=self.mn, st=AMBIENT, pw=self.password, qn=qn, groups=groups, is_answer_wanted=True)
        for attempt in range(ATTEMPTS):
            writer.write(packet)
            await writer.drain()
            self.counts.sent += 1
            self.counts.repeated += attempt > 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_S):
                    while qn not in self._answered:
                        self._heard.clear()
                        await self._heard.wait()
            if qn in self._answered:
                self._answered.clear()
                self.counts.answered += 1
                self.counts.readings += count
                if self._waiting and self._waiting[0] is upload:
                    self._waiting.popleft()
                return
        raise TimeoutError

    def _next_qn(self) -> str:
        """Request number: the present to the millisecond, each once."""
        now = int(datetime.now(UTC).timestamp() * 1000)
        self._last_qn = max(now, self._last_qn + 1)
        return format_time(self._last_qn * 1000, self.offset_s, 17)
