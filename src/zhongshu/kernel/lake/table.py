"""One Delta table through a kept handle: commits with application transactions, file lists, syncing, checking after a power cut."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, CommitProperties, PostCommitHookProperties, RemoveAction, Transaction

from zhongshu.kernel.lake.files import sync_files
from zhongshu.kernel.lake.tables import LakeTable

__all__ = ["Stored", "StoredFile", "LakeDamaged", "LakeError"]

_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_RETRIES = 8


class LakeError(RuntimeError):
    """The lake refused: another zone, an unknown table, a commit that cannot be made."""


class LakeDamaged(LakeError):
    """Files are missing, empty or cut short (a power cut before a sync); the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One live Parquet file: `partition` as text (an ISO day or an arrival), `relative` to the table's folder."""

    relative: str
    partition: str | None
    rows: int
    size: int


class Stored:
    """A table on disk. Each process keeps its own; commits of other processes are seen after `refresh`."""

    def __init__(self, root: Path, spec: LakeTable) -> None:
        self.root, self.spec = root, spec
        self._log = root / "_delta_log"
        if not DeltaTable.is_deltatable(str(root)):
            self._create()
        self._check_commits()
        self._handle = DeltaTable(str(root))
        self.version_number = self._handle.version()

    def _create(self) -> None:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        partition = [self.spec.partition] if self.spec.partition else None
        DeltaTable.create(str(self.root), self.spec.stored, mode="ignore", partition_by=partition)
        sync_files(self._log.glob("*.json"))

    def refresh(self) -> int:
        """See what other processes committed; return the version."""
        self._handle.update_incremental()
        self.version_number = self._handle.version()
        return self.version_number

    def commit(self, add: Sequence[AddAction], remove: Sequence[RemoveAction] = (), apps: Mapping[str, int] | None = None) -> int:
        """Commit files and application versions at once; other processes' appends in between are no conflict. Return the version seen after it."""
        transactions = [Transaction(app, version) for app, version in (apps or {}).items()]
        properties = CommitProperties(app_transactions=transactions or None)
        partition = [self.spec.partition] if self.spec.partition else None
        for left in range(_RETRIES, -1, -1):
            try:
                self._handle.create_write_transaction(
                    [*add, *remove], "append", self._handle.schema(), partition, commit_properties=properties, post_commithook_properties=_HOOKS
                )
                break
            except DeltaError as error:
                self.refresh()
                if not left or any((self.version(app) or -1) >= version for app, version in (apps or {}).items()):
                    raise LakeError(f"table {self.spec.name}: the commit was refused: {error}") from error
        return self.refresh()

    def version(self, app: str) -> int | None:
        """Return the last application version committed for `app`, or None."""
        found: int | None = self._handle.transaction_version(app)
        return found

    def files(self) -> list[StoredFile]:
        """Return the live files of the version last seen."""
        actions = pa.table(self._handle.get_add_actions(flatten=True))
        names = actions.column_names
        partition = actions.column(f"partition.{self.spec.partition}").to_pylist() if f"partition.{self.spec.partition}" in names else [None] * len(actions)
        paths, sizes, rows = (actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
        return [
            StoredFile(unquote(path), None if value is None else str(value), count or 0, size)
            for path, value, count, size in zip(paths, partition, rows, sizes, strict=True)
        ]

    def remove_action(self, file: StoredFile, *, new_data: bool) -> RemoveAction:
        """Return the action that takes a file out of the table; the file itself stays until it is swept."""
        values = {self.spec.partition: file.partition} if self.spec.partition else {}
        return RemoveAction(file.relative, new_data, time.time_ns() // 1_000_000, file.size, values)

    def commit_file(self, version: int) -> Path:
        """Return the path of one commit."""
        return self._log / f"{version:020d}.json"

    def read_added(self, version: int) -> list[str] | None:
        """Return the files that one commit added as new data, or None when the commit has been cleaned away."""
        try:
            text = self.commit_file(version).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        adds = (json.loads(line).get("add") for line in text.splitlines() if line)
        return [unquote(add["path"]) for add in adds if add and add["dataChange"]]

    def sync(self, after: int) -> int:
        """Fsync every file of the commits after version `after` (all processes'), then the commits; return the version reached."""
        reached = self.refresh()
        data: list[Path] = []
        commits: list[Path] = []
        for version in range(after + 1, reached + 1):
            commits.append(self.commit_file(version))
            data.extend(self.root / name for name in self._added_files(version))
        sync_files(path for path in data if path.exists())
        sync_files(path for path in commits if path.exists())
        return reached

    def _added_files(self, version: int) -> list[str]:
        try:
            lines = self.commit_file(version).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [unquote(action["add"]["path"]) for line in lines if '"add"' in line and "add" in (action := json.loads(line))]

    def checkpoint(self) -> None:
        """Write a checkpoint of the version last seen and sync it, so that readers need not read every commit."""
        self.refresh()
        self._handle.create_checkpoint()
        sync_files([*self._log.glob(f"{self.version_number:020d}*.parquet"), self._log / "_last_checkpoint"])

    def clean_commits(self, keep_s: float, needed_from: int) -> int:
        """Remove commits a synced checkpoint covers, older than `keep_s` and below version `needed_from`; return how many."""
        try:
            covered = int(json.loads((self._log / "_last_checkpoint").read_text())["version"])
        except (FileNotFoundError, ValueError, KeyError):
            return 0
        until, removed = time.time() - keep_s, 0
        limit = min(covered, needed_from)
        for path in sorted(self._log.glob("*")):
            number = path.name.split(".", 1)[0]
            if number.isdigit() and int(number) < limit and path.stat().st_mtime < until:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _check_commits(self) -> None:
        empty = [path.name for path in self._log.glob("*.json") if path.stat().st_size == 0]
        if empty:
            raise LakeDamaged(
                f"table {self.spec.name}: the commit {min(empty)} is empty, as after a power cut. Delta would read it as a commit without rows. "
                f"Move {', '.join(sorted(empty))} and any later commits out of {self._log}; what they held is still in the log and is written again."
            )
        _check_parquet(self._log.glob("*.checkpoint*.parquet"), self.spec.name)

    def check_files(self) -> None:
        """Compare every live file's length with what Delta expects. Raises `LakeDamaged` naming the files."""
        bad = []
        for file in self.files():
            try:
                size = (self.root / file.relative).stat().st_size
            except FileNotFoundError:
                size = -1
            if size != file.size:
                bad.append(f"{file.relative} ({'missing' if size < 0 else f'{size} of {file.size} bytes'})")
        if bad:
            raise LakeDamaged(f"table {self.spec.name}: {len(bad)} files are damaged: {', '.join(bad[:5])}. Restore them from the backup of {self.root}.")


def _check_parquet(paths: Iterable[Path], table: str) -> None:
    for path in paths:
        if path.stat().st_size < 12:
            raise LakeDamaged(f"table {table}: the checkpoint {path.name} is empty, as after a power cut. Remove it and _last_checkpoint beside it.")
