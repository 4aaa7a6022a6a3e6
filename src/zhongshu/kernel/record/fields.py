"""Field kinds that carry what plain Django fields cannot: code lists with a source, quantities with a unit and limits, business identities."""

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["CodeField", "CodeList", "IdentityField", "QuantityField", "get_code_source"]

C = TypeVar("C", bound=type[models.TextChoices])
_sources: dict[str, str] = {}


class CodeList(models.TextChoices):
    """A closed list of codes with printed labels; declare where it comes from with `source=` through `CodeList.of`."""

    @staticmethod
    def of(source: str) -> Any:
        """Return a class decorator that notes the standard (number, year, clause) a list was taken from."""

        def note(codes: C) -> C:
            _sources[f"{codes.__module__}.{codes.__qualname__}"] = source
            return codes

        return note


def get_code_source(codes: type[models.TextChoices]) -> str:
    """Return the standard a code list says it comes from, or an empty text."""
    return _sources.get(f"{codes.__module__}.{codes.__qualname__}", "")


class CodeField(models.CharField):
    """One code of a `CodeList`; stores the code, shows its label."""

    def __init__(self, codes: type[models.TextChoices] | None = None, **options: Any) -> None:
        self.codes = codes
        if codes is not None:
            options.setdefault("choices", codes.choices)
            options.setdefault("max_length", max(24, *(len(value) for value in codes.values)))
        super().__init__(**options)

    def deconstruct(self) -> Any:
        """Leave the choices out of migrations: a longer code list is no change of the table."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("choices", None)
        return name, path, args, kwargs


class IdentityField(models.CharField):
    """The number by which people know a thing; unique within its kind unless `unique=False`."""

    def __init__(self, verbose_name: Any = None, **options: Any) -> None:
        options.setdefault("unique", True)
        options.setdefault("max_length", 64)
        super().__init__(verbose_name, **options)

    def deconstruct(self) -> Any:
        """Always say whether it is unique: the default here is not Django's, and history tables must not be."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "unique": self.unique}


class QuantityField(models.FloatField):
    """A measured or planned quantity in a fixed unit (UCUM code), with the range that is possible at all."""

    def __init__(self, unit: str = "", low: float | None = None, high: float | None = None, **options: Any) -> None:
        self.unit, self.low, self.high = unit, low, high
        super().__init__(**options)

    def deconstruct(self) -> Any:
        """Keep unit and range in migrations, so that a change of unit is seen."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "unit": self.unit, "low": self.low, "high": self.high}

    def validate(self, value: Any, model_instance: Any) -> None:
        """Refuse a value outside the range in the words of the form's reader."""
        super().validate(value, model_instance)
        if value is None:
            return
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValidationError(
                _("%(value)s %(unit)s is outside what is possible here (%(low)s to %(high)s)."),
                params={"value": value, "unit": self.unit, "low": self.low, "high": self.high},
            )
