"""Who may connect, as the gateway knows it: a file the worker publishes, read again when it changes; the gateway never asks the records."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from zhongshu.security.identity.credential import has_secret

__all__ = ["FILE", "SourceDirectory", "SourceSpec", "write_sources"]

FILE = "connections.json"
LOOK_EVERY_S = 1.0
LOOK_FOR_NEW_S = 0.02


@dataclass(frozen=True)
class SourceSpec:
    """One connection record as published. `source` is `<protocol>:<name on the wire>`; `secret` is the keyed hash of the device's
    password (`security.identity`), empty when it needs none."""

    source: str
    uid: str
    protocol: str
    profile: dict[str, Any] = field(default_factory=dict)
    secret: str = ""
    active: bool = True


class _File(msgspec.Struct):
    generation: int
    connections: list[SourceSpec]


def write_sources(folder: Path, generation: int, specs: Iterable[SourceSpec]) -> None:
    """Replace the published file at once (mode 0600, synced before the rename)."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{FILE}.{os.getpid()}"
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(msgspec.json.encode(_File(generation, list(specs))))
        out.flush()
        os.fsync(out.fileno())
    scratch.replace(folder / FILE)


class SourceDirectory:
    """Looks sources up; `refresh` sees a new file within `LOOK_EVERY_S`. A file that cannot be read leaves what was known before in force."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = folder / FILE, clock
        self._known: Mapping[str, SourceSpec] = {}
        self._mark: tuple[int, int, int] | None = None
        self._looked = float("-inf")
        self.generation = 0
        self.error = ""

    def refresh(self) -> bool:
        """Read the file again if it was replaced; returns whether something changed."""
        if self._clock() - self._looked < LOOK_EVERY_S:
            return False
        self._looked = self._clock()
        try:
            stat = self._path.stat()
            mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if mark == self._mark:
                return False
            found = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return False
        except (OSError, msgspec.DecodeError) as error:
            self.error = f"{self._path} cannot be read: {error}"
            return False
        self._mark, self.generation, self.error = mark, found.generation, ""
        self._known = {spec.source: spec for spec in found.connections}
        return True

    def find(self, source: str) -> SourceSpec | None:
        """Return the connection of that name, or None. A name that is not known is looked for at once: it may just have been registered."""
        self.refresh()
        if source not in self._known and self._clock() - self._looked >= LOOK_FOR_NEW_S:
            self._looked = float("-inf")
            self.refresh()
        return self._known.get(source)

    @staticmethod
    def is_password(spec: SourceSpec, given: str) -> bool:
        """Tell whether a device gave its password; one without a credential needs none."""
        return not spec.secret or has_secret(spec.secret, spec.source, given)

    def __len__(self) -> int:
        return len(self._known)
