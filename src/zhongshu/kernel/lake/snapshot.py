"""A copy of the lake's commits, taken while it is written: small, quick, and naming data files that never change."""

import json
import shutil
from pathlib import Path

from deltalake import DeltaTable

from zhongshu.kernel.lake.table import Stored
from zhongshu.kernel.lake.tables import LakeTable

__all__ = ["copy_commits", "list_data_files"]


def copy_commits(source: Path, target: Path) -> int:
    """Copy the commits of the table folder `source` to `target` as of now and return the version copied.

    The caller holds the maintenance lock, so that no commit is cleaned away meanwhile; appending goes on. A commit that a listing shows without the one before it
    is left out: it came while the folder was being listed.
    """
    logs, copied = source / "_delta_log", target / "_delta_log"
    copied.mkdir(parents=True)
    last = logs / "_last_checkpoint"
    covered = -1
    if last.exists():
        text = last.read_text(encoding="utf-8")
        copied.joinpath("_last_checkpoint").write_text(text, encoding="utf-8")
        covered = int(json.loads(text)["version"])
        for file in logs.glob("*.parquet"):
            if int(file.name.split(".", 1)[0]) <= covered:
                shutil.copy2(file, copied / file.name)
    version = covered
    commits = sorted((int(file.stem), file) for file in logs.glob("*.json") if file.stem.isdigit())
    for number, file in commits:
        if number > version + 1 and number > covered:
            break
        shutil.copy2(file, copied / file.name)
        version = max(version, number)
    return version


def list_data_files(copied: Path, spec: LakeTable) -> list[str]:
    """Return the data files (relative to the table's folder) that a copy made by `copy_commits` lists as live."""
    if not DeltaTable.is_deltatable(str(copied)):
        return []
    return [file.relative for file in Stored(copied, spec).files()]
