"""The registry: tables of names declared by floors and packs, open until start, frozen after."""

import hashlib
from collections.abc import Iterator
from typing import Any

__all__ = ["Registry", "RegistryError", "registry"]


class RegistryError(RuntimeError):
    """A name was declared twice, or after start, or is asked for and unknown."""


class Registry:
    """Named tables (`kind`, `surface`, `subscriber`, `job`, `indicator`, `rule`, `case_kind`, `check`, `metric`, …) of frozen declarations."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Any]] = {}
        self._frozen = False

    def add(self, table: str, name: str, value: Any) -> None:
        """Declare a name; raises `RegistryError` when it exists or the registry is frozen."""
        if self._frozen:
            raise RegistryError(f"{table} {name} is declared after start")
        known = self._tables.setdefault(table, {})
        if name in known and known[name] is not value:
            raise RegistryError(f"{table} {name} is declared twice")
        known[name] = value

    def get(self, table: str, name: str) -> Any:
        """Return what was declared; raises `RegistryError` naming the near misses."""
        try:
            return self._tables[table][name]
        except KeyError:
            raise RegistryError(f"there is no {table} {name!r}; known are {', '.join(sorted(self._tables.get(table, {})))}") from None

    def find(self, table: str, name: str) -> Any | None:
        """Return what was declared, or None."""
        return self._tables.get(table, {}).get(name)

    def list(self, table: str) -> dict[str, Any]:
        """Return a copy of one table, sorted by name."""
        return dict(sorted(self._tables.get(table, {}).items()))

    def freeze(self) -> None:
        """End declaration; called once when all apps are ready."""
        self._frozen = True

    def thaw(self) -> None:
        """Open the registry again; only for tests that declare kinds of their own."""
        self._frozen = False

    def digests(self) -> dict[str, str]:
        """Return a digest per declaring app or pack (the name's first part), so that a process with other code can be told apart and named."""
        parts: dict[str, Any] = {}
        for line in self._lines():
            parts.setdefault(line[0], hashlib.sha256()).update(line[1].encode())
        return {name: digest.hexdigest() for name, digest in sorted(parts.items())}

    def _lines(self) -> Iterator[tuple[str, str]]:
        for table, entries in sorted(self._tables.items()):
            for name, value in sorted(entries.items()):
                stable = getattr(value, "digest_text", None)
                yield name.split(".")[0], f"{table}\t{name}\t{stable() if callable(stable) else ''}\n"


registry = Registry()
