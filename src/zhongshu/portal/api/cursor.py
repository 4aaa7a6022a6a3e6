"""Paging by cursor: the order's value and the row's id, so that deep pages cost no more than the first."""

import base64
import json
from datetime import date, datetime
from typing import Any

from django.db.models import Q, QuerySet

from .problem import Problem

__all__ = ["format_cursor", "seek"]


def format_cursor(order: str, row: Any) -> str:
    """Return the cursor that continues after `row`."""
    value = getattr(row, order.lstrip("-")) if order.lstrip("-") != "id" else None
    if isinstance(value, datetime | date):
        value = value.isoformat()
    return base64.urlsafe_b64encode(json.dumps([order, value, row.pk]).encode()).decode().rstrip("=")


def seek(rows: QuerySet[Any], order: str, cursor: str) -> QuerySet[Any]:
    """Order rows by `order` ("id", "-changed_at", …) and id, and start after the cursor; raises `Problem` 400 for a cursor of another list."""
    down = order.startswith("-")
    name = order.lstrip("-")
    ordered = rows.order_by("-pk" if down else "pk") if name == "id" else rows.order_by(order, "-pk" if down else "pk")
    if not cursor:
        return ordered
    try:
        said, value, pk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError) as error:
        raise Problem(400, "cursor is not one this interface gave out; start again without it") from error
    if said != order:
        raise Problem(400, f"cursor belongs to order={said}, not order={order}; start again without it")
    beyond = "lt" if down else "gt"
    if name == "id":
        return ordered.filter(**{f"pk__{beyond}": pk})
    return ordered.filter(Q(**{f"{name}__{beyond}": value}) | Q(**{name: value, f"pk__{beyond}": pk}))
