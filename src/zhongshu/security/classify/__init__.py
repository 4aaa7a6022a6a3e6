"""Data classes: how much harm a value does in the wrong hands, per kind and per field."""

from enum import IntEnum

from zhongshu.kernel.derive import FieldSpec, KindSpec

__all__ = ["DataClass", "get_class", "get_field_class"]


class DataClass(IntEnum):
    """Four classes, ordered, so that a ceiling is one comparison.

    GB/T 43697-2024 knows three levels by the harm of a leak: core, important and general data, and lets general data be graded further (annex H). Here
    `PUBLIC` and `INTERNAL` are general data (to publish or not), `SENSITIVE` is personal information and what an owner holds to be important data, `CORE` is
    core data and everything that opens a door: password hashes, secrets, keys. Core values leave the house on no surface at all, whatever the ceiling.
    """

    PUBLIC = 0
    INTERNAL = 1
    SENSITIVE = 2
    CORE = 3


def get_class(word: str) -> DataClass:
    """Return the class for its lower-case word; an empty word is internal. Raises `ValueError` for any other."""
    try:
        return DataClass[word.upper()] if word else DataClass.INTERNAL
    except KeyError:
        raise ValueError(f"{word!r} is not a data class; known are public, internal, sensitive, core") from None


def get_field_class(kind: KindSpec, field: FieldSpec) -> DataClass:
    """Return the class of a field: its own, or its kind's."""
    return get_class(field.classified or kind.level)
