"""Dimension files: what the data path knows of the records, dated and swapped atomically. `dim/CURRENT.json` names the files in force."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zhongshu.sense.observe.directory import Directory, build_directory

__all__ = ["OPS", "STREAM_SCHEMA", "StreamDimension", "Thresholds", "publish_dimension", "publish_streams", "read_dimension"]

OPS = (">", ">=", "<", "<=")

STREAM_SCHEMA = pa.schema(
    [
        ("ordinal", pa.int64()),
        ("external_id", pa.string()),
        ("thing_uid", pa.string()),
        ("property", pa.string()),
        ("unit", pa.string()),
        ("period_s", pa.float64()),
        ("division_left", pa.int32()),
        ("organisation", pa.int64()),
        ("class_level", pa.int8()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        (
            "thresholds",
            pa.list_(
                pa.struct(
                    [
                        ("id", pa.string()),
                        ("op", pa.string()),
                        ("limit", pa.float64()),
                        ("clear", pa.float64()),
                        ("for_s", pa.float64()),
                        ("level", pa.int16()),
                    ]
                )
            ),
        ),
        ("not_before", pa.int64()),
    ]
)
"""Rows of `dim/stream`. `low`, `high`: plausible range (null = none); `clear` null = the limit itself; `not_before` µs: older readings are not this stream's."""

_KEEP = 2


def _read_current(home: Path) -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads((home / "dim" / "CURRENT.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish_dimension(kind: str, table: pa.Table, home: Path, directory: tuple[pa.Array, np.ndarray] | None = None) -> int:
    """Write a new generation of one dimension (`stream`, `thing`, `division`, …) and swap it in; return its number. `directory` adds an id directory."""
    folder = home / "dim"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        current = _read_current(home)
        generation = int(current.get(kind, {}).get("generation", 0)) + 1
        files = {"table": f"{kind}-{generation}.parquet"}
        pq.write_table(table, folder / files["table"], compression="zstd")
        if directory is not None:
            files["directory"] = f"{kind}-{generation}.directory"
            build_directory(directory[0], directory[1], folder / files["directory"])
        for name in files.values():
            _sync(folder / name)
        current[kind] = {"generation": generation, **files}
        new = folder / ".CURRENT.json.new"
        new.write_text(json.dumps(current), encoding="utf-8")
        _sync(new)
        new.replace(folder / "CURRENT.json")
        _sync(folder)
        for old in folder.glob(f"{kind}-*"):
            number = old.name.removeprefix(f"{kind}-").split(".")[0]
            if number.isdigit() and int(number) <= generation - _KEEP:
                old.unlink()
    return generation


def read_dimension(kind: str, home: Path) -> pa.Table | None:
    """Return the table in force of one dimension, or None when none was published."""
    entry = _read_current(home).get(kind)
    return pq.read_table(home / "dim" / entry["table"]) if entry else None


def publish_streams(streams: pa.Table, home: Path) -> int:
    """Publish the streams (columns of `STREAM_SCHEMA`; missing ones are null) with their id directory; return the generation. Ordinals are never reused."""
    columns = [streams.column(field.name).cast(field.type) if field.name in streams.column_names else pa.nulls(streams.num_rows, field.type) for field in STREAM_SCHEMA]
    table = pa.table(columns, schema=STREAM_SCHEMA)
    ordinals = table.column("ordinal").to_numpy()
    if len(np.unique(ordinals)) != len(ordinals) or (len(ordinals) and ordinals.min() < 0):
        raise ValueError("ordinals must be non-negative and belong to one stream each")
    ops = set() if not table.num_rows else set(table.column("thresholds").combine_chunks().flatten().field("op").to_pylist())
    if ops - set(OPS):
        raise ValueError(f"a threshold compares by one of {', '.join(OPS)}, not {', '.join(map(str, ops - set(OPS)))}")
    return publish_dimension("stream", table, home, (table.column("external_id"), ordinals))


@dataclass(frozen=True)
class Thresholds:
    """All thresholds, flat: those of ordinal o are `start[o]:start[o + 1]`. `op` indexes `OPS`; `clear` is never NaN (the limit where none was given)."""

    start: np.ndarray
    id: pa.Array
    op: np.ndarray
    limit: np.ndarray
    clear: np.ndarray
    for_us: np.ndarray
    level: np.ndarray
    above: np.ndarray
    """By ordinal: the lowest limit a value must reach to exceed an upper threshold (+inf for none)."""
    below: np.ndarray
    """By ordinal: the highest limit of lower thresholds (-inf for none)."""


@dataclass(frozen=True)
class StreamDimension:
    """The stream dimension as dense arrays by ordinal (shape `(size,)`); `known` tells which ordinals exist. Unknown limits are ±inf."""

    generation: int
    directory: Directory | None
    known: np.ndarray
    period_us: np.ndarray
    division_left: np.ndarray
    organisation: np.ndarray
    class_level: np.ndarray
    low: np.ndarray
    high: np.ndarray
    not_before: np.ndarray
    thresholds: Thresholds

    @property
    def size(self) -> int:
        """One more than the highest ordinal."""
        return len(self.known)

    def find(self, ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Return ordinals of external ids, -1 where unknown."""
        return self.directory.find(ids) if self.directory else np.full(len(ids), -1, np.int64)

    @staticmethod
    def get_generation(home: Path) -> int:
        """Return the generation in force, 0 when nothing was published."""
        return int(_read_current(home).get("stream", {}).get("generation", 0))

    @classmethod
    def load(cls, home: Path) -> "StreamDimension":
        """Load the generation in force (an empty one when nothing was published)."""
        for _ in range(5):
            entry = _read_current(home).get("stream")
            try:
                table = pq.read_table(home / "dim" / entry["table"]) if entry else STREAM_SCHEMA.empty_table()
                return cls._build(int(entry["generation"]) if entry else 0, table, Directory(home / "dim" / entry["directory"]) if entry else None)
            except FileNotFoundError:
                continue  # published twice meanwhile; read the new name
        raise FileNotFoundError(f"the files that {home / 'dim' / 'CURRENT.json'} names are not there")

    def reload(self, home: Path) -> "StreamDimension":
        """Return this dimension, or the newer one when another generation is in force."""
        return self if self.get_generation(home) == self.generation else self.load(home)

    @classmethod
    def _build(cls, generation: int, table: pa.Table, directory: Directory | None) -> "StreamDimension":
        ordinal = table.column("ordinal").to_numpy()
        size = int(ordinal.max()) + 1 if len(ordinal) else 0

        def spread(name: str, missing: Any, kind: Any, factor: int = 1) -> np.ndarray:
            dense = np.full(size, missing, kind)
            column = table.column(name)
            there = column.is_valid().to_numpy()
            dense[ordinal[there]] = column.drop_null().to_numpy() * factor
            return dense

        known = np.zeros(size, bool)
        known[ordinal] = True
        return cls(
            generation=generation,
            directory=directory,
            known=known,
            period_us=spread("period_s", 0, np.int64, 1_000_000),
            division_left=spread("division_left", -1, np.int32),
            organisation=spread("organisation", -1, np.int64),
            class_level=spread("class_level", 127, np.int8),
            low=spread("low", -np.inf, np.float64),
            high=spread("high", np.inf, np.float64),
            not_before=spread("not_before", np.iinfo(np.int64).min, np.int64),
            thresholds=_build_thresholds(table, ordinal, size),
        )


def _build_thresholds(table: pa.Table, ordinal: np.ndarray, size: int) -> Thresholds:
    order = np.argsort(ordinal)
    lists = table.column("thresholds").combine_chunks().take(pa.array(order))
    counts = np.zeros(size + 1, np.int64)
    counts[ordinal[order] + 1] = np.asarray(lists.value_lengths().fill_null(0))
    flat = lists.flatten()
    limit = flat.field("limit").to_numpy(zero_copy_only=False)
    clear = flat.field("clear").to_numpy(zero_copy_only=False).astype(np.float64)
    op = flat.field("op").dictionary_encode()
    code = np.array([OPS.index(name) for name in op.dictionary.to_pylist()], np.int8)[op.indices.to_numpy(zero_copy_only=False)] if len(op) else np.empty(0, np.int8)
    start = np.cumsum(counts)
    owner = np.repeat(np.arange(size), np.diff(start))
    above, below = np.full(size, np.inf), np.full(size, -np.inf)
    # a strict comparison becomes one with the next number, so that one test serves both
    edge = np.where(code == 0, np.nextafter(limit, np.inf), np.where(code == 2, np.nextafter(limit, -np.inf), limit))
    np.minimum.at(above, owner[code < 2], edge[code < 2])
    np.maximum.at(below, owner[code >= 2], edge[code >= 2])
    for_us = (flat.field("for_s").fill_null(0.0).to_numpy(zero_copy_only=False) * 1e6).astype(np.int64)
    level = flat.field("level").fill_null(0).to_numpy(zero_copy_only=False)
    return Thresholds(start, flat.field("id"), code, limit, np.where(np.isnan(clear), limit, clear), for_us, level, above, below)
