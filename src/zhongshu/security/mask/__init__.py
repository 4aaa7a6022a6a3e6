"""Masks: what a reader sees of a value above his ceiling. Pure functions; a mask never grows with the value's length alone."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from zhongshu.kernel.derive import FieldSpec, KindSpec
from zhongshu.security.classify import DataClass, get_field_class

__all__ = ["CORE", "mask_email", "mask_identity", "mask_name", "mask_phone", "mask_row", "mask_text", "mask_value"]

CORE = "•••"


def mask_phone(text: str) -> str:
    """Keep the first three and the last four digits of a phone number.

    >>> mask_phone("13812341234")
    '138****1234'
    >>> mask_phone("027-8765 4321")
    '027****4321'
    """
    digits = re.sub(r"\D", "", text)
    return f"{digits[:3]}****{digits[-4:]}" if len(digits) >= 10 else "****"


def mask_name(text: str) -> str:
    """Keep the first character of a name.

    >>> mask_name("张建国"), mask_name("Wang Wei")
    ('张**', 'W**')
    """
    return f"{text[0]}**" if text else ""


def mask_identity(text: str) -> str:
    """Keep the first three and the last two characters of an identity number (GB 11643: the region's first half and the check end).

    >>> mask_identity("420102199003071234")
    '420***********34'
    """
    return f"{text[:3]}***********{text[-2:]}" if len(text) >= 15 else "****"


def mask_email(text: str) -> str:
    """Keep the first character and the domain.

    >>> mask_email("li.wei@example.org")
    'l***@example.org'
    """
    local, at, domain = text.rpartition("@")
    return f"{local[0]}***@{domain}" if at and local else "****"


def mask_text(text: str) -> str:
    """Keep nothing but the fact that there is something."""
    return "****" if text else ""


PATTERNS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (r"(^|_)(phone|mobile|telephone|fax)($|_)", mask_phone),
    (r"(^|_)(email|mail)($|_)", mask_email),
    (r"(^|_)(identity|id_number|id_card|passport)($|_)", mask_identity),
    (r"(^|_)(name|contact|person|applicant|holder|reporter)($|_)", mask_name),
)


def mask_value(field: FieldSpec, value: Any) -> Any:
    """Mask one value by what its field is called; numbers, dates, flags, references and everything unknown become `****`. None and empty stay."""
    if value is None or value == "":
        return value
    if field.type not in ("text", "long_text"):
        return "****"
    chosen = next((mask for pattern, mask in PATTERNS if re.search(pattern, field.name)), mask_text)
    return chosen(str(value))


def mask_row(kind: KindSpec, row: Mapping[str, Any], ceiling: DataClass | int | None) -> dict[str, Any]:
    """Return a row (field name → value) as a reader with this ceiling sees it; `ceiling` is `Scope.ceiling_of(row)`, None masks everything.

    Keys may be column names of references (`organisation_id`); keys that are no field of the kind pass unchanged. Core-class values never appear.
    """
    fields = {f.name: f for f in kind.fields} | {f"{f.name}_id": f for f in kind.fields if f.type == "ref"}
    return {name: _mask(kind, fields.get(name), value, -1 if ceiling is None else int(ceiling)) for name, value in row.items()}


def _mask(kind: KindSpec, field: FieldSpec | None, value: Any, ceiling: int) -> Any:
    if field is None or value is None:
        return value
    level = get_field_class(kind, field)
    if level is DataClass.CORE:
        return CORE
    return value if level <= ceiling else mask_value(field, value)
