"""Values as people read them: with labels of codes, units, local times and masks."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import FieldSpec

__all__ = ["Cell", "build_cell", "format_value"]


@dataclass(frozen=True)
class Cell:
    """One printed value: `badge` names the colour of a coded value, `time` the exact moment of a relative one."""

    text: str
    unit: str = ""
    title: str = ""
    badge: str = ""
    url: str = ""
    time: str = ""
    masked: bool = False


def build_cell(field: FieldSpec, value: Any, mask: Any = None, url: str = "") -> Cell:
    """Print one value of a field; `mask` is called with the value where the caller's class ceiling is below the field's."""
    if value is None or value == "":
        return Cell("–")
    if mask is not None:
        return Cell(mask(value), masked=True, title=_("masked: your rights end below this field's class"))
    if field.type == "code":
        return Cell(str(dict(field.codes).get(value, value)), badge=str(value))
    if isinstance(value, datetime):
        local = timezone.localtime(value)
        return Cell(f"{local:%Y-%m-%d %H:%M}", time=value.isoformat())
    return Cell(format_value(value), unit=field.unit, url=url)


def format_value(value: Any) -> str:
    """Print a plain value: booleans as words, numbers without noise, dates as ISO."""
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
