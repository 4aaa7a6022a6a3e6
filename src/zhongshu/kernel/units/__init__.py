"""Units of measure: codes on the wire, symbols on the page, conversion in arrays."""

from .conversion import GasCondition, Quantity, UnitMismatch, convert
from .table import UNITS, Unit, UnknownUnit, get_symbol, get_unit, list_units, parse_unit

__all__ = [
    "UNITS",
    "GasCondition",
    "Quantity",
    "Unit",
    "UnitMismatch",
    "UnknownUnit",
    "convert",
    "get_symbol",
    "get_unit",
    "list_units",
    "parse_unit",
]
