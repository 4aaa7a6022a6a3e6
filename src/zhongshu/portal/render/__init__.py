"""How kinds look to people and programs: frozen specs of the portal's surfaces, and the values in their cells."""

from .cells import Cell, build_cell, format_value, tone_of
from .specs import ColumnSpec, DetailSpec, FilterSpec, FormSpec, ListSpec, RestSpec

__all__ = ["Cell", "ColumnSpec", "DetailSpec", "FilterSpec", "FormSpec", "ListSpec", "RestSpec", "build_cell", "format_value", "tone_of"]
