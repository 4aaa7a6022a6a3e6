"""The SQL by which readers see a table: file lists, late rows joined, corrections applied, superseded rows left out."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from zhongshu.kernel.lake.tables import LakeTable

if TYPE_CHECKING:
    from zhongshu.kernel.lake.lake import Lake

__all__ = ["OBSERVED", "Days", "build_scan", "build_view"]

Days = tuple[date, date] | frozenset[date]
OBSERVED = frozenset({"observation", "observation_first"})

_SQL = {
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.int16(): "SMALLINT",
    pa.int8(): "TINYINT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.date32(): "DATE",
    pa.bool_(): "BOOLEAN",
}


def build_scan(spec: LakeTable, paths: Sequence[Path]) -> str:
    """Return a SELECT over exactly these files, with the partition column; over none it is an empty table of the right types."""
    fields = spec.stored
    if not paths:
        return "SELECT " + ", ".join(f'CAST(NULL AS {_SQL[field.type]}) AS "{field.name}"' for field in fields) + " WHERE false"
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    hive = f", hive_partitioning=true, hive_types={{'{spec.partition}': {_SQL[fields.field(0).type]}}}" if spec.partition else ", hive_partitioning=false"
    columns = ", ".join(f'"{field.name}"' for field in fields)
    return f"SELECT {columns} FROM read_parquet([{names}]{hive})"  # noqa: S608 - paths of our own files


def build_view(lake: "Lake", table: str, days: Days | None) -> str:
    """Return the SELECT a reader's view stands for."""
    if table in OBSERVED:
        return _build_observation(lake, days, corrected=table == "observation")
    spec = lake.tables[table]
    scan = build_scan(spec, lake.list_paths(table, days))
    if spec.newest_by:
        keys = ", ".join(f'"{name}"' for name in spec.identity)
        return f'SELECT * FROM ({scan}) QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY "{spec.newest_by}" DESC) = 1'  # noqa: S608
    return scan


_ROW = "day, stream, t, sub, value, quality"


def _build_observation(lake: "Lake", days: Days | None, *, corrected: bool) -> str:
    late = lake.list_paths("late", days)
    corrections = lake.files("correction", days) if corrected else []
    files = lake.files("observation", days)
    touched_days = {file.partition for file in corrections}
    root, spec = lake.root / "observation", lake.tables["observation"]
    plain = build_scan(spec, [root / file.relative for file in files if file.partition not in touched_days])
    if not corrections and not late:
        return plain
    parts = [build_scan(spec, [root / file.relative for file in files if file.partition in touched_days])]
    if late:
        window = ""
        if isinstance(days, frozenset):
            window = " WHERE day IN (" + ", ".join(f"DATE '{day}'" for day in days) + ")"
        elif days is not None:
            window = f" WHERE day BETWEEN DATE '{days[0]}' AND DATE '{days[1]}'"
        parts.append(f"SELECT {_ROW} FROM ({build_scan(lake.tables['late'], late)}){window}")  # noqa: S608
    touched = " UNION ALL ".join(parts)
    if corrections:
        scan = build_scan(lake.tables["correction"], [lake.root / "correction" / file.relative for file in corrections])
        touched = f"""
            SELECT o.day, o.stream, o.t, o.sub, CASE WHEN c.stream IS NULL THEN o.value ELSE c.value END AS value,
                   CASE WHEN c.stream IS NULL THEN o.quality ELSE c.quality END AS quality
            FROM ({touched}) o LEFT JOIN (
                SELECT * FROM ({scan}) QUALIFY row_number() OVER (PARTITION BY stream, t, sub ORDER BY recorded_at DESC, app DESC, "offset" DESC) = 1
            ) c ON o.stream = c.stream AND o.t = c.t AND o.sub = c.sub"""  # noqa: S608
    return f"{plain} UNION ALL {touched}"
