"""Cells, badges and times as HTML, written in Python: a list page has hundreds of them, and the template engine took two thirds of such a page's time for them.

Everything that comes from records is escaped here; what is put together is then marked as safe.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString

from .cells import Cell

__all__ = ["render_badge", "render_cell", "render_rows", "render_time"]

NOTHING = "–"
SHAPES = {f"level-{level}": f'<span class="zs-shape zs-shape--{level}"></span>' for level in ("red", "orange", "yellow", "blue")}


def render_time(at: datetime | None) -> SafeString:
    """Return a moment in the city's zone; the page's script adds how long ago it was."""
    if not at:
        return SafeString(NOTHING)
    local = timezone.localtime(at) if timezone.is_aware(at) else at
    return SafeString(f'<time datetime="{local.isoformat()}" title="{local:%Y-%m-%d %H:%M:%S}" data-zs-time>{local:%Y-%m-%d %H:%M}</time>')


def render_badge(tone: str, text: Any, title: Any = "") -> SafeString:
    """Return a badge; warning levels carry their shape beside their colour."""
    return SafeString(f'<span class="zs-badge zs-badge--{escape(tone or "silent")}"{_title(title)}>{SHAPES.get(tone, "")}{escape(_capital(text))}</span>')


def render_cell(cell: Cell, csrf: Callable[[], str]) -> SafeString:
    """Return one value as tables and cards show it; `csrf` gives the hidden field of a form, asked for only by cells that send."""
    if cell.post:
        form = f'<form method="post" action="{escape(cell.post)}">{csrf()}<button type="submit" class="btn btn-sm">{escape(cell.text)}</button></form>'
        return SafeString(f'<span class="zs-cell">{form}</span>')
    return SafeString(_cell(cell, cell.url))


def render_rows(rows: Iterable[Any], csrf: Callable[[], str]) -> SafeString:
    """Return the rows of a table, each with `url` and `cells`; the first cell of a row leads to the row's page."""
    written: list[str] = []
    labels: dict[int, tuple[Any, str]] = {}  # by identity, with what keeps it: a column's cells share one label, and translating it costs more than writing it
    for row in rows:
        url, cells = (row["url"], row["cells"]) if isinstance(row, dict) else (row.url, row.cells)
        written.append(f'<tr data-url="{escape(url)}">' if url else "<tr>")
        for place, cell in enumerate(cells):
            align = f"zs-{escape(cell.align)}" if cell.align else ""
            _kept, label = labels.get(id(cell.label)) or labels.setdefault(id(cell.label), (cell.label, escape(_capital(cell.label))))
            value = _cell(cell, url) if url and place == 0 else render_cell(cell, csrf)
            written.append(f'<td data-label="{label}" class="{align}">{value}</td>')
        written.append("</tr>")
    return SafeString("".join(written))


def _cell(cell: Cell, url: str) -> str:
    value = _value(cell)
    if url:
        value = f'<a href="{escape(url)}">{value}</a>'
    note = f"<small>{escape(cell.note)}</small>" if cell.note else ""
    return f'<span class="zs-cell">{value}{note}</span>'


def _value(cell: Cell) -> str:
    if cell.badge:
        return render_badge(cell.badge, cell.text, cell.title)
    if cell.aqi:
        return f'<span class="zs-aqi zs-aqi--{escape(cell.aqi)}"{_title(cell.title)}>{escape(cell.text)}</span>'
    if cell.at:
        return render_time(cell.at)
    unit = f'<span class="zs-unit">{escape(cell.unit)}</span>' if cell.unit and cell.text and cell.text != NOTHING else ""
    return f"<span{_title(cell.title)}>{escape(cell.text or NOTHING)}</span>{unit}"


def _title(text: Any) -> str:
    return f' title="{escape(text)}"' if text else ""


def _capital(text: Any) -> str:
    plain = str(text)
    return plain[:1].upper() + plain[1:]
