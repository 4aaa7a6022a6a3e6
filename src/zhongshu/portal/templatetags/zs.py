"""What templates print by `portal.render.html`: `{% load zs %}{% rows rows %}`, `{% cell cell %}`, `{% badge tone text title %}`, `{% moment at %}`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import template
from django.middleware.csrf import get_token
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from zhongshu.portal.render import Cell, render_badge, render_cell, render_rows, render_time

register = template.Library()


@register.simple_tag(takes_context=True)
def rows(context: Context, rows: Iterable[Any]) -> SafeString:
    """Print the rows of a table."""
    return render_rows(rows, lambda: _csrf(context))


@register.simple_tag(takes_context=True)
def cell(context: Context, cell: Cell) -> SafeString:
    """Print one value."""
    return render_cell(cell, lambda: _csrf(context))


@register.simple_tag
def badge(tone: str, text: Any, title: Any = "") -> SafeString:
    """Print a badge."""
    return render_badge(tone, text, title)


@register.simple_tag
def moment(at: datetime | None) -> SafeString:
    """Print a moment."""
    return render_time(at)


def _csrf(context: Context) -> str:
    token = context.get("csrf_token") or get_token(context.request)  # type: ignore[attr-defined]
    return format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', token)
