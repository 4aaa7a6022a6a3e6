"""Parquet files of the lake: how they are written, described to Delta, and synced."""

import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from zhongshu.kernel.lake.tables import LakeTable

__all__ = ["FileWriter", "sync_files"]

_ROW_GROUP = 131_072
_STATED = (pa.int64(), pa.int16(), pa.int8(), pa.float64())


def sync_files(paths: Iterable[Path]) -> None:
    """Fsync files, then the folders that name them (up to and with the table's parent); a new name is durable only with its folder."""
    folders: set[Path] = set()
    for path in paths:
        _sync(path)
        folders.update(list(path.parents)[:3])
    for folder in folders:
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class FileWriter:
    """Writes one Parquet file of one partition and collects the statistics Delta wants.

    `level` is the zstd level. Columns are encoded as the table says: times DELTA_BINARY_PACKED (7.4 → 5.2 bytes a row), few-valued ones by dictionary.
    """

    def __init__(self, root: Path, table: LakeTable, partition: str | None, *, level: int = 1) -> None:
        self._table, self._partition = table, partition
        folder = f"{table.partition}={partition}/" if partition is not None else ""
        self.relative = f"{folder}{uuid.uuid4().hex}.parquet"
        self.path = root / self.relative
        self.path.parent.mkdir(exist_ok=True)
        self._writer = pq.ParquetWriter(
            self.path,
            table.schema,
            compression="zstd",
            compression_level=level,
            use_dictionary=list(table.coded),
            column_encoding=dict.fromkeys(table.packed, "DELTA_BINARY_PACKED"),
            store_schema=False,
            write_statistics=True,
            dictionary_pagesize_limit=4 << 20,
        )
        self.rows = 0
        self._least: dict[str, Any] = {}
        self._most: dict[str, Any] = {}
        self._nulls: dict[str, int] = dict.fromkeys(table.schema.names, 0)

    def write(self, data: pa.Table | pa.RecordBatch) -> None:
        """Write rows (columns as the table's schema, without the partition column)."""
        table = pa.table(data) if isinstance(data, pa.RecordBatch) else data
        self._writer.write_table(table, row_group_size=_ROW_GROUP)
        self.rows += table.num_rows
        for field, column in zip(table.schema, table.columns, strict=True):
            self._nulls[field.name] += column.null_count
            if field.type in _STATED:
                both = pc.min_max(column).as_py()
                if both["min"] is not None and np.isfinite(both["min"]) and np.isfinite(both["max"]):
                    self._least[field.name] = min(self._least.get(field.name, both["min"]), both["min"])
                    self._most[field.name] = max(self._most.get(field.name, both["max"]), both["max"])
                elif both["min"] is not None:
                    self._least[field.name], self._most[field.name] = -np.inf, np.inf

    def close(self, *, sync: bool, new_data: bool = True) -> AddAction:
        """Finish the file and return the Delta action that adds it; with `sync` its bytes are durable before the action can be committed."""
        self._writer.close()
        if sync:
            sync_files([self.path])
        stats = {"numRecords": self.rows, "minValues": _finite(self._least), "maxValues": _finite(self._most), "nullCount": self._nulls}
        values = {self._table.partition: self._partition} if self._table.partition else {}
        return AddAction(self.relative, self.path.stat().st_size, values, time.time_ns() // 1_000_000, new_data, json.dumps(stats))

    def discard(self) -> None:
        """Throw the unfinished file away."""
        self._writer.close()
        self.path.unlink(missing_ok=True)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if np.isfinite(value)}
