"""How kinds look to people and programs: frozen specs of the portal's surfaces, and the values in their cells."""

from .cells import Cell, add_words, build_cell, find_words, format_value, tone_of
from .html import render_badge, render_cell, render_rows, render_time
from .specs import ColumnSpec, DetailSpec, FilterSpec, FormSpec, ListSpec, RestSpec

__all__ = [
    "Cell",
    "ColumnSpec",
    "DetailSpec",
    "FilterSpec",
    "FormSpec",
    "ListSpec",
    "RestSpec",
    "add_words",
    "build_cell",
    "find_words",
    "format_value",
    "render_badge",
    "render_cell",
    "render_rows",
    "render_time",
    "tone_of",
]
