"""Values as people read them: labels of codes, units, local times, masks; the shape the table and panel templates print."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from zhongshu.kernel.derive import FieldSpec
from zhongshu.kernel.registry import registry
from zhongshu.kernel.units import get_symbol

__all__ = ["Cell", "add_words", "build_cell", "find_words", "format_value", "tone_of"]

TONES = {
    "ok": {"ok", "in_service", "cleared", "closed", "done", "good", "yes"},
    "warn": {"low", "maintenance", "warn", "returned", "suspended", "waiting", "checking"},
    "alert": {"high", "overdue", "raised"},
    "danger": {"fault", "bad", "failed", "dead"},
    "info": {"opened", "accepted", "assigned", "acting", "running", "installed", "planned", "open"},
}
LEVELS = {"red", "orange", "yellow", "blue"}


@dataclass(frozen=True)
class Cell:
    """One printed value. `badge` is a tone, `at` the moment of a relative time, `aqi` a level 1–6, `note` a smaller second line, `post` the address a button sends to."""

    text: str
    label: Any = ""
    unit: str = ""
    title: str = ""
    note: str = ""
    badge: str = ""
    url: str = ""
    post: str = ""
    at: datetime | None = None
    aqi: int = 0
    align: str = ""
    masked: bool = False
    help: Any = ""
    wide: bool = False


def tone_of(code: str) -> str:
    """Return the badge tone of a coded value: warning levels by their colour, states by what they ask of somebody."""
    if code in LEVELS:
        return f"level-{code}"
    return next((tone for tone, codes in TONES.items() if code in codes), "silent")


Words = Callable[[str], Any]


def add_words(kind: str, field: str) -> Callable[[Words], Words]:
    """Declare that the decorated function says in words what a text field of a kind holds as a code: a unit, a kind of case, a list of pollutants."""

    def declare(words: Words) -> Words:
        registry.add("words", f"{kind}.{field}", words)
        return words

    return declare


def find_words(kind: str, field: str) -> Words | None:
    """Return what says a field's values in words, or None."""
    found: Words | None = registry.find("words", f"{kind}.{field}")
    return found


def build_cell(field: FieldSpec, value: Any, mask: Callable[[FieldSpec, Any], str] | None = None, url: str = "", unit: str = "", words: Words | None = None) -> Cell:
    """Print one value of a field; `mask` is given where the caller's class ceiling is below the field's, `unit` (a code) where the record and not the field knows it."""
    align = "end" if field.type in ("quantity", "number", "integer") else ""
    if value is None or value == "":
        return Cell("–", label=field.label, align=align)
    if mask is not None:
        return Cell(mask(field, value), label=field.label, masked=True, title=_("masked: your rights end below this field's class"))
    if field.type == "code":
        return Cell(str(dict(field.codes).get(value, value)), label=field.label, badge=tone_of(str(value)))
    if isinstance(value, datetime):
        return Cell("", label=field.label, at=value)
    text = str(words(value)) if words is not None else format_value(value)
    return Cell(text, label=field.label, unit=get_symbol(field.unit or unit), url=url, align=align, wide=field.type in ("long_text", "json"))


def format_value(value: Any) -> str:
    """Print a plain value: booleans as words, numbers without noise, dates as ISO, structures as name and value."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return "; ".join(f"{name}: {format_value(each)}" for name, each in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(format_value(each) for each in value) or "–"
    return str(value)
