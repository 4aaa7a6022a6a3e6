"""What a kind is, told without Django: frozen, comparable, printable."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["FieldSpec", "KindSpec", "RelationSpec"]


@dataclass(frozen=True)
class FieldSpec:
    """One field: `type` is text, long_text, code, quantity, number, integer, flag, date, time, ref, json or binary.

    `classified` is the data class of the field (public, internal, sensitive, core; see `security.classify`), `label` a lazy translation, `line` where it was declared.
    """

    name: str
    type: str
    label: Any
    required: bool = False
    editable: bool = True
    unique: bool = False
    unit: str = ""
    low: float | None = None
    high: float | None = None
    max_length: int | None = None
    codes: tuple[tuple[str, Any], ...] = ()
    target: str = ""
    help: Any = ""
    classified: str = ""
    indexed: bool = False


@dataclass(frozen=True)
class RelationSpec:
    """Records of another kind that point here by `field`."""

    kind: str
    field: str
    label: Any


@dataclass(frozen=True)
class KindSpec:
    """One record kind. `name` is `<app>.<Model>`; `slug` its address part; `scope` the field paths that rights look at.

    `hidden` fields mean something to programs only: pages leave them out, REST does not. `units` names for numbers whose unit stands in the record (field,
    path of the field with the unit code).
    """

    name: str
    app: str
    slug: str
    label: Any
    label_plural: Any
    about: str
    fields: tuple[FieldSpec, ...]
    columns: tuple[str, ...]
    filters: tuple[str, ...]
    search: tuple[str, ...]
    order: tuple[str, ...]
    title: str
    icon: str
    located: bool
    marker: str
    scope_division: str
    scope_organisation: str
    level: str
    menu: bool
    related: bool
    writable: bool
    relations: tuple[RelationSpec, ...] = field(default=())
    hidden: tuple[str, ...] = ()
    units: tuple[tuple[str, str], ...] = ()

    def get_field(self, name: str) -> FieldSpec:
        """Return one field; raises `KeyError` naming what exists."""
        for found in self.fields:
            if found.name == name:
                return found
        raise KeyError(f"{self.name} has no field {name!r}; it has {', '.join(f.name for f in self.fields)}")

    def digest_text(self) -> str:
        """Return what must be equal in every process: names, types and units, not labels."""
        return ";".join(f"{f.name}:{f.type}:{f.unit}:{f.target}" for f in self.fields)
