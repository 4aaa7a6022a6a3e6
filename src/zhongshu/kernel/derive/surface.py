"""The table of surface builders: each floor registers how a kind looks on a surface whose noun it owns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zhongshu.kernel.registry import registry

from .kind import KindSpec

__all__ = ["Surface", "build_surface", "surface"]


@dataclass(frozen=True)
class Surface:
    """A named view of kinds (list, form, layer, rest, …): `build` is pure, kind → frozen spec."""

    name: str
    build: Callable[[KindSpec], Any]


def surface(name: str) -> Callable[[Callable[[KindSpec], Any]], Callable[[KindSpec], Any]]:
    """Declare the decorated function as the builder of a surface."""

    def declare(build: Callable[[KindSpec], Any]) -> Callable[[KindSpec], Any]:
        registry.add("surface", name, Surface(name, build))
        return build

    return declare


def build_surface(kind: KindSpec, name: str) -> Any:
    """Build the spec of a kind on a surface; raises `RegistryError` for an unknown surface."""
    found: Surface = registry.get("surface", name)
    return found.build(kind)
