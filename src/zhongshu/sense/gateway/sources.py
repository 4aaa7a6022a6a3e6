"""Who may connect, as the gateway knows it: a file the worker publishes, read again when it changes; the gateway never asks the records."""

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["FILE", "SourceDirectory", "SourceSpec", "hash_secret", "is_secret", "write_sources"]

FILE = "connections.json"
LOOK_EVERY_S = 1.0
_ROUNDS = 20_000


@dataclass(frozen=True)
class SourceSpec:
    """One connection record as published. `source` is `<protocol>:<name on the wire>`; `secret` is salt and hash of the device's password, empty when it has none."""

    source: str
    uid: str
    protocol: str
    profile: dict[str, Any] = field(default_factory=dict)
    secret: str = ""
    active: bool = True


class _File(msgspec.Struct):
    generation: int
    connections: list[SourceSpec]


def hash_secret(secret: str) -> str:
    """Return `salt$hash` (PBKDF2-HMAC-SHA256). Device passwords are short (HJ 212-2017: 6 characters); the file is readable by the owner only."""
    salt = secrets.token_hex(8)
    return f"{salt}${_derive(secret, salt)}"


def is_secret(secret: str, stored: str) -> bool:
    """Tell whether `secret` is the one that was stored; compares in constant time."""
    salt, _, known = stored.partition("$")
    return hmac.compare_digest(_derive(secret, salt), known)


def _derive(secret: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), salt.encode(), _ROUNDS).hex()


def write_sources(folder: Path, generation: int, specs: Iterable[SourceSpec]) -> None:
    """Replace the published file at once (mode 0600, synced before the rename)."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{FILE}.{os.getpid()}"
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump({"generation": generation, "connections": [asdict(spec) for spec in specs]}, out, ensure_ascii=False)
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
        self._proved: dict[tuple[str, str], str] = {}
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
        self._proved.clear()
        return True

    def find(self, source: str) -> SourceSpec | None:
        """Return the connection of that name, or None."""
        self.refresh()
        return self._known.get(source)

    def is_password(self, spec: SourceSpec, given: str) -> bool:
        """Tell whether a device gave its password; the slow derivation runs once per source and password."""
        if not spec.secret:
            return True
        if self._proved.get((spec.source, spec.secret)) == given:
            return True
        if not is_secret(given, spec.secret):
            return False
        self._proved[(spec.source, spec.secret)] = given
        return True

    def __len__(self) -> int:
        return len(self._known)
