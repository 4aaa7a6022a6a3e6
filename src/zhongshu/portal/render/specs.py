"""The portal's surface builders: list, detail, form and REST, each a pure step from kind to frozen spec."""

from dataclasses import dataclass
from typing import Any

from zhongshu.kernel.derive import KindSpec, surface
from zhongshu.kernel.units import get_symbol

__all__ = ["ColumnSpec", "DetailSpec", "FilterSpec", "FormSpec", "ListSpec", "RestSpec"]

RIGHT = {"quantity", "number", "integer"}
PLACE = ("division", "address", "lon", "lat")
SORTABLE = {"text", "code", "quantity", "number", "integer", "flag", "date", "time"}


@dataclass(frozen=True)
class ColumnSpec:
    """One column: `sortable` only where an index carries the order."""

    name: str
    label: Any
    type: str
    unit: str = ""
    align: str = ""
    sortable: bool = False
    classified: str = ""


@dataclass(frozen=True)
class FilterSpec:
    """One filter: `choices` for codes and flags, empty for references, which are chosen by uid."""

    name: str
    label: Any
    type: str
    choices: tuple[tuple[str, Any], ...] = ()
    target: str = ""


@dataclass(frozen=True)
class ListSpec:
    """How a kind is listed."""

    kind: str
    columns: tuple[ColumnSpec, ...]
    filters: tuple[FilterSpec, ...]
    search: tuple[str, ...]
    order: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class DetailSpec:
    """How one record is shown: its fields in declared order but for `place`, the fields that say where it stands and are printed beside its map."""

    kind: str
    fields: tuple[ColumnSpec, ...]
    references: tuple[str, ...]
    located: bool
    place: tuple[ColumnSpec, ...] = ()


@dataclass(frozen=True)
class FormSpec:
    """Which fields a person may fill in."""

    kind: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class RestSpec:
    """Which fields programs read and write, which they may filter and sort by, and which point to other kinds."""

    kind: str
    path: str
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    filters: tuple[str, ...]
    sorts: tuple[str, ...]
    references: tuple[tuple[str, str], ...]


def _column(kind: KindSpec, name: str) -> ColumnSpec:
    found = kind.get_field(name)
    return ColumnSpec(
        name=name,
        label=found.label,
        type=found.type,
        unit=get_symbol(found.unit),
        align="end" if found.type in RIGHT else "",
        sortable=found.type in SORTABLE and found.indexed and not found.classified,
        classified=found.classified,
    )


def _references(kind: KindSpec, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if kind.get_field(name).type == "ref")


@surface("list")
def build_list(kind: KindSpec) -> ListSpec:
    """Build the list: declared columns, filters over codes, flags and references, search over unclassified text."""
    filters = tuple(_build_filter(kind, name) for name in kind.filters if not kind.get_field(name).classified)
    search = tuple(name for name in kind.search if not kind.get_field(name).classified)
    return ListSpec(kind.name, tuple(_column(kind, name) for name in kind.columns), filters, search, kind.order, _references(kind, kind.columns))


def _build_filter(kind: KindSpec, name: str) -> FilterSpec:
    found = kind.get_field(name)
    return FilterSpec(name, found.label, found.type, found.codes, found.target)


@surface("detail")
def build_detail(kind: KindSpec) -> DetailSpec:
    """Build the detail page: every field that can be read as text and means something to people."""
    names = tuple(f.name for f in kind.fields if f.type != "binary" and f.classified != "core" and f.name not in kind.hidden)
    place = tuple(name for name in names if kind.located and name in PLACE)
    facts = tuple(name for name in names if name not in place)
    return DetailSpec(kind.name, tuple(_column(kind, name) for name in facts), _references(kind, names), kind.located, tuple(_column(kind, name) for name in place))


@surface("form")
def build_form(kind: KindSpec) -> FormSpec:
    """Build the form: every editable field of a writable kind that is not of the core class."""
    names = tuple(f.name for f in kind.fields if f.editable and f.type != "binary" and f.classified != "core")
    names = tuple(sorted(names, key=lambda name: kind.located and name in PLACE))  # what it is before where it stands
    return FormSpec(kind.name, names if kind.writable else ())


@surface("rest")
def build_rest(kind: KindSpec) -> RestSpec:
    """Build the REST resource of a kind."""
    readable = tuple(f.name for f in kind.fields if f.type != "binary" and f.classified != "core")
    form = build_form(kind)
    open_fields = [f for f in kind.fields if f.name in readable and not f.classified]
    return RestSpec(
        kind=kind.name,
        path=kind.slug,
        readable=readable,
        writable=form.fields,
        filters=tuple(f.name for f in open_fields if (f.type in ("code", "flag", "ref", "date", "time", "integer", "text") and f.indexed) or f.name in kind.filters),
        sorts=tuple(f.name for f in open_fields if f.indexed and f.type in SORTABLE),
        references=tuple((f.name, f.target) for f in kind.fields if f.type == "ref" and f.name in readable),
    )
