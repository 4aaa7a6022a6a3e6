"""The latest value of every stream: dense memory-mapped arrays by ordinal, written by the pipeline, read by everybody.

One file per column under `latest/`. A row is guarded by its sequence number: odd while it is being written, changed by every write, so that a reader
notices a torn read. A killed writer leaves at most odd rows; the next writer empties these and the log plays their readings again. After a power cut
(another boot id and no clean closing) the pages on disk cannot be trusted and the whole is made again from the lake.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from zhongshu.sense.observe.dimension import StreamDimension
from zhongshu.sense.observe.quality import Quality

__all__ = ["NEVER", "Band", "Latest", "LatestReader", "LatestWriter", "compute_band"]

NEVER = np.iinfo(np.int64).min
_COLUMNS = {
    "t": (np.int64, NEVER),
    "value": (np.float64, np.nan),
    "quality": (np.uint8, Quality.MISSING),
    "arrived_at": (np.int64, NEVER),
    "seen": (np.int64, NEVER),
    "changed": (np.int64, 0),
    "sequence": (np.uint32, 0),
}
_BLOCK = 4096
_GROW = 65_536
_HEAD = 16
_MAGIC, _GENERATION, _CAPACITY, _CLEAN, _BOOT = 0, 1, 2, 3, 4
_MAGIC_VALUE = 0x7A736C7374000001
_TRIES = 50
_SILENT_PERIODS = 3


@dataclass(frozen=True)
class Latest:
    """Latest rows, all arrays of shape `(n,)`: `t` and `arrived_at` UTC µs (`NEVER` where nothing was measured), `value` NaN where missing, `changed` the
    generation of the last change."""

    t: np.ndarray
    value: np.ndarray
    quality: np.ndarray
    arrived_at: np.ndarray
    changed: np.ndarray


class Band(IntEnum):
    """Where a stream stands, for lists and maps."""

    OK = 0
    LOW = 1
    HIGH = 2
    SILENT = 3


def _boot_id() -> np.ndarray:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return np.zeros(2, np.uint64)  # unknown: never equal to a kept one, so an unclean file is made again
    return np.frombuffer(bytes.fromhex(text.strip().replace("-", "")), np.uint64)


class LatestReader:
    """Reads latest values by ordinal. Opens lazily: before the pipeline has run, everything reads as never measured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._head: np.ndarray | None = None
        self._columns: dict[str, np.ndarray] = {}
        self._capacity = 0

    def _open(self, need: int) -> None:
        head = self.folder / "head"
        if self._head is None and head.exists():
            self._head = np.memmap(head, np.uint64, "r", shape=(_HEAD,))
        if self._head is None:
            return
        capacity = int(self._head[_CAPACITY])
        if capacity > self._capacity and (need > self._capacity):
            self._columns = {name: np.memmap(self.folder / name, kind, "r", shape=(capacity,)) for name, (kind, _) in _COLUMNS.items()}
            self._columns["block"] = np.memmap(self.folder / "block", np.int64, "r", shape=(capacity // _BLOCK,))
            self._capacity = capacity

    @property
    def generation(self) -> int:
        """The generation of the last finished batch; take it before reading, ask `changed_since` with it afterwards."""
        self._open(0)
        return int(self._head[_GENERATION]) if self._head is not None else 0

    def read(self, ordinals: np.ndarray) -> Latest:
        """Return the latest rows of `ordinals` (any order). Rows a dead writer left half written read as missing until it is back."""
        wanted = np.asarray(ordinals, np.int64)
        self._open(int(wanted.max(initial=-1)) + 1)
        fields = {name: np.full(len(wanted), missing, kind) for name, (kind, missing) in _COLUMNS.items() if name not in ("seen", "sequence")}
        left = np.flatnonzero((wanted >= 0) & (wanted < self._capacity))
        for attempt in range(_TRIES):
            rows = wanted[left]
            if not len(rows):
                break
            before = self._columns["sequence"][rows].copy()
            got = {name: self._columns[name][rows] for name in fields}
            whole = (before % 2 == 0) & (before == self._columns["sequence"][rows])
            for name, values in got.items():
                fields[name][left[whole]] = values[whole]
            left = left[~whole]
            if len(left) and attempt > 5:
                time.sleep(0.0002)
        return Latest(**fields)

    def changed_since(self, generation: int) -> np.ndarray:
        """Return the ordinals changed in a later generation than `generation`, ascending."""
        self._open(0)
        if self._head is None:
            return np.empty(0, np.int64)
        self._open(int(self._head[_CAPACITY]))
        blocks = np.flatnonzero(self._columns["block"] > generation)
        if not len(blocks):
            return np.empty(0, np.int64)
        places = (blocks[:, None] * _BLOCK + np.arange(_BLOCK)).ravel()
        return places[self._columns["changed"][places] > generation]


class LatestWriter:
    """The one writer (the pipeline). `rebuild(writer)` is called when the file is missing or cannot be trusted; it must `load` what the lake knows."""

    def __init__(self, folder: Path, rebuild: Callable[["LatestWriter"], None] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "head"
        if not file.exists():
            np.zeros(_HEAD, np.uint64).tofile(file)
        self._head = np.memmap(file, np.uint64, "r+", shape=(_HEAD,))
        boot = _boot_id()
        same_boot = bool(boot.any() and np.array_equal(self._head[_BOOT : _BOOT + 2], boot))
        trusted = int(self._head[_MAGIC]) == _MAGIC_VALUE and (same_boot or int(self._head[_CLEAN]) == 1)
        self._head[_CLEAN] = 0
        self._columns: dict[str, np.ndarray] = {}
        self._map(int(self._head[_CAPACITY]))
        if trusted:
            self._empty_torn()
        else:
            self._head[_MAGIC] = 0
            self._reset()
            if rebuild is not None:
                rebuild(self)
            self._head[_MAGIC] = _MAGIC_VALUE
        self._head[_BOOT : _BOOT + 2] = boot
        self._head.flush()  # type: ignore[attr-defined]
        self.rebuilt = not trusted

    @property
    def capacity(self) -> int:
        """How many ordinals have a place."""
        return int(self._head[_CAPACITY])

    @property
    def generation(self) -> int:
        """The generation of the last batch."""
        return int(self._head[_GENERATION])

    def _map(self, capacity: int) -> None:
        if capacity == 0:
            return
        self._columns = {name: np.memmap(self.folder / name, kind, "r+", shape=(capacity,)) for name, (kind, _) in _COLUMNS.items()}
        self._columns["block"] = np.memmap(self.folder / "block", np.int64, "r+", shape=(capacity // _BLOCK,))

    def grow(self, size: int) -> None:
        """Make room for ordinals below `size`; readers follow when they need the room."""
        old = self.capacity
        if size <= old:
            return
        new = max((size + _GROW - 1) // _GROW * _GROW, min(old * 2, old + (1 << 21)))
        for name, (kind, missing) in _COLUMNS.items():
            with (self.folder / name).open("ab") as out:
                out.truncate(old * np.dtype(kind).itemsize)
                np.full(new - old, missing, kind).tofile(out)
        with (self.folder / "block").open("ab") as out:
            out.truncate(old // _BLOCK * 8)
            np.zeros((new - old) // _BLOCK, np.int64).tofile(out)
        self._map(new)
        self._head[_CAPACITY] = new

    def _reset(self) -> None:
        for name, (_, missing) in _COLUMNS.items():
            if name != "sequence" and name in self._columns:
                self._columns[name][:] = missing
        if self._columns:
            self._columns["sequence"][:] += self._columns["sequence"] % 2
            self._head[_GENERATION] += 1
            self._columns["changed"][:] = self.generation
            self._columns["block"][:] = self.generation

    def _empty_torn(self) -> None:
        if not self._columns:
            return
        torn = np.flatnonzero(self._columns["sequence"] % 2)
        for name in ("t", "value", "quality", "arrived_at"):
            self._columns[name][torn] = _COLUMNS[name][1]
        self._columns["sequence"][torn] += 1

    def get_seen(self, ordinals: np.ndarray) -> np.ndarray:
        """Return the highest phenomenon time that has passed the pipeline per ordinal (`NEVER` for none); never below what the lake holds."""
        self.grow(int(ordinals.max(initial=0)) + 1)
        return self._columns["seen"][ordinals]

    def update(self, ordinals: np.ndarray, t: np.ndarray, value: np.ndarray, quality: np.ndarray, arrived_at: np.ndarray) -> int:
        """Write rows (each ordinal once) that are not older than what is there, as one new generation; return it."""
        self.grow(int(ordinals.max(initial=-1)) + 1)
        if not len(ordinals):
            return self.generation
        columns = self._columns
        columns["seen"][ordinals] = np.maximum(columns["seen"][ordinals], t)
        keep = t >= columns["t"][ordinals]
        rows = ordinals[keep]
        generation = self.generation + 1
        columns["sequence"][rows] += 1
        for name, new in (("t", t), ("value", value), ("quality", quality), ("arrived_at", arrived_at)):
            columns[name][rows] = new[keep]
        columns["changed"][rows] = generation
        columns["sequence"][rows] += 1
        columns["block"][np.unique(rows // _BLOCK)] = generation
        self._head[_GENERATION] = generation
        return generation

    def close(self) -> None:
        """Flush and mark the file clean, so that it is trusted after a reboot."""
        for column in self._columns.values():
            column.flush()  # type: ignore[attr-defined]
        self._head[_CLEAN] = 1
        self._head.flush()  # type: ignore[attr-defined]


def compute_band(ordinals: np.ndarray, latest: Latest, streams: StreamDimension, now_us: int) -> np.ndarray:
    """Return a `Band` code (int8) per ordinal, from the latest rows and the limits in force at this moment.

    SILENT: nothing, or nothing good, within three periods (local: the gap at which an operator calls a stream lost); streams without a period are silent only when
    nothing was ever measured. HIGH and LOW: beyond any upper or lower threshold.
    """
    band = np.zeros(len(ordinals), np.int8)
    inside = (ordinals >= 0) & (ordinals < streams.size)
    place = np.where(inside, ordinals, 0)
    if streams.size == 0:
        return np.full(len(ordinals), Band.SILENT, np.int8)
    good = latest.quality == Quality.GOOD
    band[good & (latest.value <= streams.thresholds.below[place])] = Band.LOW
    band[good & (latest.value >= streams.thresholds.above[place])] = Band.HIGH
    period = streams.period_us[place]
    never = latest.t == NEVER
    age = now_us - np.where(never, now_us, latest.t)
    band[never | ~inside | ((period > 0) & (age > _SILENT_PERIODS * period))] = Band.SILENT
    return band
