"""The archive file: a plain tar whose last member is a manifest with the SHA-256 of every other."""

import hashlib
import json
import os
import tarfile
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

__all__ = ["MANIFEST", "ArchiveWriter", "BackupError", "unpack_archive"]

MANIFEST = "manifest.json"
READ = 1 << 20


class BackupError(RuntimeError):
    """A backup cannot be taken or read; the message says why and what to do."""


class ArchiveWriter:
    """Writes one archive, file by file in constant memory. It appears under its name only when it is whole and synced."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial = target.with_name(f".{target.name}.partial")
        handle = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._tar = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)
        self._digests: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def add(self, file: Path, name: str, *, remove: bool = False) -> None:
        """Add a file under `name`; `remove` takes it off the disk afterwards."""
        with file.open("rb") as source:
            info = self._tar.gettarinfo(arcname=name, fileobj=source)
            reading = _Reading(source)
            self._tar.addfile(info, reading)  # type: ignore[arg-type]
        self._digests[name] = reading.digest.hexdigest()
        if remove:
            file.unlink()

    def add_folder(self, folder: Path, name: str, *, remove: bool = False) -> int:
        """Add all files below a folder; return how many."""
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        for file in files:
            self.add(file, f"{name}/{file.relative_to(folder)}", remove=remove)
        return len(files)

    def finish(self, manifest: dict[str, Any], stage: Path) -> dict[str, Any]:
        """Write the manifest, sync, and give the archive its name; returns the manifest with the digests."""
        whole = {**manifest, "files": self._digests}
        file = stage / MANIFEST
        file.write_text(json.dumps(whole, indent=1), encoding="utf-8")
        self._tar.add(file, arcname=MANIFEST)
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._partial.replace(self._target)
        return whole


class _Reading:
    def __init__(self, source: BinaryIO) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on and count what was read into the digest."""
        part = self._source.read(size)
        self.digest.update(part)
        return part


def unpack_archive(source: Path, folder: Path) -> dict[str, Any]:
    """Unpack an archive into `folder` and return its manifest. Raises `BackupError` when it is none, or when any file is not what was backed up."""
    try:
        with tarfile.open(source, "r:") as archive:
            archive.extractall(folder, filter="data")
        manifest: dict[str, Any] = json.loads(folder.joinpath(MANIFEST).read_text(encoding="utf-8"))
        digests: dict[str, str] = manifest["files"]
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{source} is not a backup of zhongshu, or it is damaged: {error}") from error
    there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} - {MANIFEST}
    wrong = sorted(there ^ digests.keys()) or [name for name, digest in digests.items() if _sha256(folder / name) != digest]
    if wrong:
        raise BackupError(f"{source} is damaged: {wrong[0]} is not what was backed up")
    return manifest


def _sha256(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
