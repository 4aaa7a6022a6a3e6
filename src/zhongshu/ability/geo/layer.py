"""Which kinds of record are layers of points on the map: derived from what a kind says of itself."""

from dataclasses import dataclass
from typing import Any

from zhongshu.kernel.derive import KindSpec, surface

__all__ = ["LayerSpec", "build_layer"]

MOST_BANDS = 12


@dataclass(frozen=True)
class LayerSpec:
    """A layer of points: `name` is its part of the address. `marker` is the coded field that colours a point ("" for none) and `codes` its values in order, worst last.

    `title` is the text field printed beside a point; `division` and `organisation` are the paths that rights look at.
    """

    name: str
    kind: str
    label: Any
    title: str
    marker: str
    codes: tuple[str, ...]
    division: str
    organisation: str


@surface("layer")
def build_layer(kind: KindSpec) -> LayerSpec | None:
    """Build the layer of a kind; None where its records stand nowhere, or where title or marker are classified."""
    if not kind.located:
        return None
    open_text = [f.name for f in kind.fields if f.type == "text" and not f.classified]
    title = kind.title or next((name for name in ("name", *open_text) if name in open_text), "")
    marker = next((f for f in kind.fields if f.name == kind.marker and f.type == "code" and not f.classified), None)
    codes = tuple(code for code, _label in marker.codes)[:MOST_BANDS] if marker else ()
    return LayerSpec(
        name=kind.slug,
        kind=kind.name,
        label=kind.label_plural,
        title=title if title in open_text else "",
        marker=marker.name if marker else "",
        codes=codes or ("",),
        division=kind.scope_division,
        organisation=kind.scope_organisation,
    )
