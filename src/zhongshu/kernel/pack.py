"""Packs: one folder per sector, discovered by its `pack.toml`, checked before anything starts."""

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

__all__ = ["Pack", "PackError", "find_packs", "load_pack"]

KEYS = {"id", "name_zh", "name_en", "sector", "owner", "needs", "standards", "fulfils", "roles", "settings"}


class PackError(ValueError):
    """A pack whose manifest cannot be used; the message names file, key and remedy."""


@dataclass(frozen=True)
class Pack:
    """One sector's manifest. `roles` maps a role to the verbs it has per kind: `{"officer": {"Station": ["view", "change"]}}`; `fulfils` lists mission rows it claims."""

    id: str
    name_zh: str
    name_en: str
    sector: str
    owner: str
    needs: tuple[str, ...] = ()
    standards: tuple[str, ...] = ()
    fulfils: tuple[str, ...] = ()
    roles: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def app(self) -> str:
        """The dotted path of the pack's Django app."""
        return f"zhongshu.packs.{self.id}"


def load_pack(file: Path) -> Pack:
    """Read one manifest; raises `PackError`."""
    try:
        text = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PackError(f"{file}: {error}") from error
    missing = {"id", "name_zh", "name_en", "sector", "owner"} - set(text)
    unknown = set(text) - KEYS
    if missing or unknown:
        what = f"lacks {sorted(missing)[0]!r}" if missing else f"has the unknown key {sorted(unknown)[0]!r}"
        raise PackError(f"{file}: the manifest {what}; known keys are {', '.join(sorted(KEYS))}")
    if text["id"] != file.parent.name:
        raise PackError(f"{file}: id = {text['id']!r} but the folder is {file.parent.name!r}; they must be equal")
    lists = {key: tuple(text.get(key, ())) for key in ("needs", "standards", "fulfils")}
    return Pack(**{**text, **lists})


def find_packs() -> list[Pack]:
    """Return the installed packs in an order in which each comes after those it needs; raises `PackError` for a missing or circular need."""
    root = Path(str(resources.files("zhongshu.packs")))
    known = {pack.id: pack for pack in (load_pack(file) for file in sorted(root.glob("*/pack.toml")))}
    ordered: list[Pack] = []

    def place(pack: Pack, path: tuple[str, ...]) -> None:
        if pack in ordered:
            return
        if pack.id in path:
            raise PackError(f"packs need each other in a circle: {' → '.join((*path, pack.id))}")
        for need in pack.needs:
            if need not in known:
                raise PackError(f"pack {pack.id} needs {need!r}, which is not installed")
            place(known[need], (*path, pack.id))
        ordered.append(pack)

    for pack in known.values():
        place(pack, ())
    return ordered
