"""From a record's declaration to a frozen spec; surfaces are registered by the floors that own their noun."""

from .build import build_kind, find_kind, get_kind, list_kinds, register_kinds
from .kind import FieldSpec, KindSpec, RelationSpec
from .surface import Surface, build_surface, surface

__all__ = [
    "FieldSpec",
    "KindSpec",
    "RelationSpec",
    "Surface",
    "build_kind",
    "build_surface",
    "find_kind",
    "get_kind",
    "list_kinds",
    "register_kinds",
    "surface",
]
