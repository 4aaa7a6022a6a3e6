"""The lake: Delta tables on local disk, written only here, read as file lists by DuckDB (or Spark)."""

from zhongshu.kernel.lake.days import CivilDays
from zhongshu.kernel.lake.lake import Lake, LakeDamaged, LakeError
from zhongshu.kernel.lake.maintain import Maintenance, maintain_lake
from zhongshu.kernel.lake.rewrite import LakeBusy, compact_day, compact_small, fold_late, hold_maintenance
from zhongshu.kernel.lake.snapshot import copy_commits, list_data_files
from zhongshu.kernel.lake.tables import TABLES, LakeTable

__all__ = [
    "TABLES",
    "CivilDays",
    "Lake",
    "LakeBusy",
    "LakeDamaged",
    "LakeError",
    "LakeTable",
    "Maintenance",
    "compact_day",
    "compact_small",
    "copy_commits",
    "fold_late",
    "hold_maintenance",
    "list_data_files",
    "maintain_lake",
]
