"""Codes that stand in text fields, said in words: units, kinds of case and event, pollutants."""

from typing import Any

from django.utils.translation import gettext

from zhongshu.kernel.registry import registry
from zhongshu.kernel.units import get_symbol
from zhongshu.portal.render import add_words

__all__ = ["print_case_kind", "print_event_kind", "print_pollutants", "print_role"]

POLLUTANTS = {"so2": "SO₂", "no2": "NO₂", "co": "CO", "pm10": "PM₁₀", "pm25": "PM₂.₅", "o3": "O₃"}

add_words("sense.Stream", "unit")(get_symbol)
add_words("sense.Property", "unit")(get_symbol)


@add_words("work.Responsibility", "case_kind")
def print_case_kind(code: str) -> Any:
    """A kind of case by its label."""
    kind = registry.find("case_kind", code)
    return kind.label if kind is not None else code


@add_words("security.Role", "name")
@add_words("security.Grant", "role")
def print_role(name: Any) -> str:
    """A role by its name in the reader's language; roles of the city itself have only one."""
    return gettext(str(name))


@add_words("brain.CityEvent", "kind")
def print_event_kind(code: str) -> Any:
    """A kind of event by the label of a rule that makes it."""
    return next((rule.label for rule in registry.list("event_rule").values() if rule.kind == code), code)


@add_words("environment.AirStation", "programme")
def print_pollutants(codes: str) -> str:
    """A list of pollutants as they are written."""
    return ", ".join(POLLUTANTS.get(code, code) for code in codes.split(","))
