"""Playing refused arrivals again, after what they were refused for has been put right."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from zhongshu.kernel.home import House
from zhongshu.kernel.log import Entry, LogReader, LogWriter, Refused, RefusedStore, Submission

from .body import BodyError, parse_body
from .counters import GatewayCounters
from .hj212 import Conversation, Intake212
from .payload import PayloadError, parse_payload
from .rows import build_entries
from .sources import SourceDirectory

__all__ = ["RefusedArrival", "Replayed", "count_refused", "list_refused", "replay_refused"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_APART = {"facts", "quarantine"}


@dataclass(frozen=True)
class RefusedArrival:
    """One refused frame, message or body as an administrator sees it; `reason` is a short code, `message` says it in words."""

    partition: str
    id: int
    received_at: datetime
    source: str
    reason: str
    message: str
    content_type: str
    size: int
    body: bytes


@dataclass(frozen=True)
class Replayed:
    """What became of playing one again: `taken` and the log's sequence number, or why it was refused once more."""

    taken: bool
    message: str = ""
    seq: int = 0


def _list_partitions(house: House) -> list[Path]:
    return sorted(path for path in house.path("log").glob("*.sqlite3") if path.stem not in _KEPT_APART)


def list_refused(house: House, limit: int = 100) -> list[RefusedArrival]:
    """Return the newest refused arrivals of this machine's gateways, newest first."""
    found: list[RefusedArrival] = []
    for path in _list_partitions(house):
        store = RefusedStore(path)
        found += [_describe(path.stem, refused) for refused in store.list_refused(limit)]
        store.close()
    return sorted(found, key=lambda one: one.received_at, reverse=True)[:limit]


def count_refused(house: House) -> dict[tuple[str, str], int]:
    """Return how many refused arrivals are kept, by source and reason."""
    counts: dict[tuple[str, str], int] = {}
    for one in list_refused(house, 100_000):
        counts[(one.source, one.reason)] = counts.get((one.source, one.reason), 0) + 1
    return counts


def replay_refused(house: House, partition: str, id: int) -> Replayed:
    """Read one refused arrival again with the connections and profiles in force; when it is taken it goes on the log (synced) and leaves the quarantine.

    Its readings count as arrived now. Raises `LookupError` when it is no longer kept.
    """
    path = house.path("log", f"{partition}.sqlite3")
    if path not in _list_partitions(house):
        raise LookupError(f"there is no log partition {partition}")
    store = RefusedStore(path)
    try:
        refused = store.find_refused(id)
        if refused is None:
            raise LookupError(f"the refused arrival {id} of {partition} is no longer kept")
        if refused.size > len(refused.body):
            return Replayed(False, "Only its beginning was kept.")
        entries, keys, problem = _read(house, path, refused)
        if not entries:
            return Replayed(False, problem)
        writer = LogWriter(path)
        try:
            from_log = writer.append_group([Submission(entries, notes=keys)])[0].seq
        finally:
            writer.close()
        store.remove(id)
        return Replayed(True, seq=from_log)
    finally:
        store.close()


def _read(house: House, path: Path, refused: Refused) -> tuple[list[Entry], list[str], str]:
    now = round(datetime.now(UTC).timestamp() * 1_000_000)
    directory = SourceDirectory(house.path("dim"))
    if refused.content_type == "application/x-hj212":
        return _read_hj212(house, path, directory, refused, now)
    if not refused.source.startswith("mqtt:"):
        try:
            return [Entry("readings", parse_body(refused.content_type, refused.body).body, now, refused.source)], [], ""
        except BodyError as error:
            return [], [], str(error)
    spec = directory.find(refused.source)
    if spec is None or not spec.active:
        return [], [], f"There is no active connection {refused.source}."
    try:
        rows = parse_payload(refused.source, refused.body, refused.received_at_us)
    except PayloadError as error:
        return [], [], str(error)
    return build_entries([rows], now, "replayed"), [], ""


def _read_hj212(house: House, path: Path, directory: SourceDirectory, refused: Refused, now: int) -> tuple[list[Entry], list[str], str]:
    problems = _Problems()
    reader = LogReader(path)
    try:
        intake = Intake212(directory, GatewayCounters(house.path("run", "nowhere")), problems, reader.find_seen)
        conversation = Conversation(intake, "replayed")
        rows = conversation.hear(refused.body + b"\r\n").rows
        rest = conversation.close().rows
    finally:
        reader.close()
    if problems.words:
        return [], [], problems.words[0]
    entries = build_entries([rows, rest], now, "replayed")
    return entries, [*rows.keys, *rest.keys], "" if entries else "It was taken before: the same frame is on the log."


class _Problems:
    """Takes the place of the quarantine while something is played again."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def keep(self, received_at_us: int, source: str, reason: str, content_type: str, body: bytes) -> None:
        self.words.append(reason)


def _describe(partition: str, refused: Refused) -> RefusedArrival:
    code, separator, words = refused.reason.partition(": ")
    reason, message = (code, words) if separator and " " not in code else ("body", refused.reason)
    at = _EPOCH + timedelta(microseconds=refused.received_at_us)
    return RefusedArrival(partition, refused.id, at, refused.source, reason, message, refused.content_type, refused.size, refused.body)
