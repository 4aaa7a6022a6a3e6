"""HJ 212 at the gateway: bytes of one connection to rows for the log and the answers that may leave after their commit."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from zhongshu.sense.protocol import FrameError, Refusal
from zhongshu.sense.protocol.hj212 import (
    TOLERANT,
    HJ212Framer,
    HJ212Message,
    Profile,
    RequestResult,
    build_answer,
    decode,
    find_answer_code,
    parse_profile,
    readings,
    texts,
)

from .counters import GatewayCounters, SourceCounters
from .rows import REFUSED, TAKEN, TOLERATED, Frame, Rows
from .sources import SourceDirectory, SourceSpec

__all__ = ["PROTOCOL", "Conversation", "Heard", "Intake212", "Keeper"]

PROTOCOL = "hj212"
UNKNOWN = f"{PROTOCOL}:?"
REQUEST_ANSWER = "9011"


class Keeper(Protocol):
    """Where refused frames go."""

    def keep(self, received_at_us: int, source: str, reason: str, content_type: str, body: bytes) -> None:
        """Keep one refused body with its reason; returns at once."""


@dataclass(slots=True)
class Heard:
    """What one chunk of bytes said: rows to commit, then the bytes to answer with."""

    rows: Rows = field(default_factory=Rows)
    answers: list[bytes] = field(default_factory=list)


class Intake212:
    """What all HJ 212 connections of a gateway share: who is known, what is counted, which messages were seen within 24 h."""

    def __init__(
        self,
        directory: SourceDirectory,
        counters: GatewayCounters,
        quarantine: "Keeper",
        find_seen: Callable[[Sequence[str], int], set[str]],
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.directory, self.counters, self.quarantine = directory, counters, quarantine
        self.find_seen, self.clock = find_seen, clock
        self._profiles: dict[str, tuple[SourceSpec, Profile | ValueError]] = {}

    def find_profile(self, spec: SourceSpec) -> Profile:
        """Return the profile of a connection, built once per published version. Raises `FrameError("profile")`."""
        known = self._profiles.get(spec.source)
        if known is None or known[0] is not spec:
            try:
                known = (spec, parse_profile(spec.profile))
            except ValueError as error:
                known = (spec, error)
            self._profiles[spec.source] = known
        if isinstance(known[1], ValueError):
            raise FrameError("profile", f"The connection {spec.source} is set up wrongly: {known[1]}.")
        return known[1]


class Conversation:
    """One TCP connection. `hear` takes bytes as they come; memory is bounded by the framer (about 10 kB) and one time per divided message."""

    def __init__(self, intake: Intake212, address: str) -> None:
        self._intake, self.address = intake, address
        self._framer = HJ212Framer()
        self._times: dict[tuple[str, str | None, str], str] = {}
        self.sources: set[str] = set()

    def hear(self, data: bytes) -> Heard:
        """Read what arrived; the answers may leave only after the rows are committed."""
        return self._read(self._framer.feed(data))

    def close(self) -> Heard:
        """The peer is gone: what is left over is refused, or was whole."""
        return self._read(self._framer.close())

    def _read(self, frames: list[bytes | Refusal]) -> Heard:
        heard, now = Heard(), self._intake.clock()
        fresh = self._find_fresh(frames, now)
        for frame in frames:
            if isinstance(frame, Refusal):
                self._refuse(heard, now, frame.raw, FrameError(frame.reason, frame.message), self._only_source())
            else:
                self._read_frame(heard, now, frame, fresh)
        return heard

    def _find_fresh(self, frames: list[bytes | Refusal], now: int) -> set[bytes]:
        """Digests of those frames that were not committed within 24 h: the same bytes, QN and all, are a resend (HJ 212-2017, 6.4: after the time-out)."""
        keys = {hashlib.blake2b(frame, digest_size=12).digest(): "" for frame in frames if isinstance(frame, bytes)}
        named = {f"{PROTOCOL}:{digest.hex()}": digest for digest in keys}
        seen = self._intake.find_seen(list(named), now) if named else set()
        return {digest for name, digest in named.items() if name not in seen}

    def _read_frame(self, heard: Heard, now: int, raw: bytes, fresh: set[bytes]) -> None:
        source = self._only_source()
        try:
            message = decode(raw, TOLERANT)
            source = f"{PROTOCOL}:{message.mn}"
            profile = self._check_sender(message, source)
        except FrameError as error:
            self._refuse(heard, now, raw, error, source)
            return
        counters = self._count(source, now)
        digest = hashlib.blake2b(raw, digest_size=12).digest()
        if digest not in fresh:
            counters.repeated += 1
            self._answer(heard, message, counters)
            return
        try:
            if message.forgiven:
                decode(raw, profile.tolerances)
            self._take(heard.rows, message, profile, source)
        except FrameError as error:
            counters.frames -= 1
            self._refuse(heard, now, raw, error, source)
            return
        fresh.discard(digest)
        forgiven = ",".join(map(str, message.forgiven))
        counters.forgiven.update(map(str, message.forgiven))
        heard.rows.frames.append((source, now, raw, TOLERATED if forgiven else TAKEN, "", forgiven))
        heard.rows.keys.append(f"{PROTOCOL}:{digest.hex()}")
        self._answer(heard, message, counters)

    def _check_sender(self, message: HJ212Message, source: str) -> Profile:
        spec = self._intake.directory.find(source)
        if spec is None:
            raise _Stranger("unknown-source", f"There is no connection {source}; register it, then play its frames again.", message, RequestResult.WRONG_MN)
        if not spec.active:
            raise _Stranger("not-active", f"The connection {source} is switched off.", message, RequestResult.REFUSED)
        if not self._intake.directory.is_password(spec, message.pw or ""):
            raise _Stranger("password", f"{message.mn} gave another password (PW) than its connection has.", message, RequestResult.WRONG_PASSWORD)
        return self._intake.find_profile(spec)

    def _take(self, rows: Rows, message: HJ212Message, profile: Profile, source: str) -> None:
        whole = self._with_time(message)
        count = len(rows.readings)
        numbers, words = readings(whole, profile), texts(whole, profile)
        rows.readings += [(f"{source}/{r.property}", r.t, r.sub, r.value, r.quality) for r in numbers]
        rows.texts += [(f"{source}/{w.property}", w.t, 0, w.value, 0) for w in words]
        self._intake.counters.of(source).readings += len(rows.readings) - count

    def _with_time(self, message: HJ212Message) -> HJ212Message:
        """A later packet of a divided message may leave its DataTime out; it then has that of the packet before.

        Each packet is committed and answered for itself, so nothing that was acknowledged waits in memory for its other parts.
        """
        packet = message.packet
        if packet is None:
            return message
        key = (message.mn, message.st, message.cn)
        own = message.find("DataTime")
        if own is not None:
            if len(self._times) > 64:
                self._times.clear()
            self._times[key] = own
        elif packet[0] > 1 and key in self._times:
            message = HJ212Message(head=message.head, groups=((("DataTime", self._times[key]),), *message.groups), forgiven=message.forgiven)
        if packet[0] == packet[1]:
            self._times.pop(key, None)
        return message

    def _answer(self, heard: Heard, message: HJ212Message, counters: SourceCounters) -> None:
        answer = build_answer(message)
        if answer is not None:
            heard.answers.append(answer)
        elif not message.cn.startswith("9"):
            counters.unpromised += 1

    def _refuse(self, heard: Heard, now: int, raw: bytes, error: FrameError, source: str) -> None:
        is_known = self._intake.directory.find(source) is not None
        counters = self._count(source, now) if is_known else self._count_stranger(source, now)
        counters.refused[error.reason] += 1
        if is_known:
            heard.rows.frames.append(_frame_refused(source, now, raw, error))
        self._intake.quarantine.keep(now, source, f"{error.reason}: {error.message}", f"application/x-{PROTOCOL}", raw)
        if isinstance(error, _Stranger) and find_answer_code(error.told) == REQUEST_ANSWER:
            answer = build_answer(error.told, error.result)
            if answer is not None:
                heard.answers.append(answer)

    def _count(self, source: str, now: int) -> SourceCounters:
        counters = self._intake.counters.of(source)
        if source not in self.sources:
            self.sources.add(source)
            counters.open += 1
        counters.frames += 1
        counters.last_seen_us, counters.address = now, self.address
        return counters

    def _count_stranger(self, source: str, now: int) -> SourceCounters:
        counters = self._intake.counters.of(source, is_known=False)
        counters.frames += 1
        counters.last_seen_us, counters.address = now, self.address
        return counters

    def _only_source(self) -> str:
        """Who speaks, where a frame does not say so itself: the one source this connection has had so far."""
        return next(iter(self.sources)) if len(self.sources) == 1 else UNKNOWN


class _Stranger(FrameError):
    """A readable message of a sender that may not send; commands among them are told so by QnRtn (HJ 212-2017, annex C), uploads have no negative answer."""

    def __init__(self, reason: str, message: str, told: HJ212Message, result: RequestResult) -> None:
        super().__init__(reason, message)
        self.told, self.result = told, result


def _frame_refused(source: str, now: int, raw: bytes, error: FrameError) -> Frame:
    return (source, now, raw, REFUSED, f"{error.reason}: {error.message}", "")
