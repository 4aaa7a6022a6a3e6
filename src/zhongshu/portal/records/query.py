"""A list as a person asks for it: scope first, then filters, search, order and a page. Unknown filters and orders are refused in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import FieldSpec, KindSpec, build_surface
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import Record
from zhongshu.portal.render import ListSpec
from zhongshu.security.access import Scope, get_row
from zhongshu.security.classify import get_class

__all__ = ["COUNT_LIMIT", "Page", "QueryError", "find_page", "get_model", "get_rows", "is_shown"]

COUNT_LIMIT = 10_000
PAGE = 50
RESERVED = {"q", "order", "page", "view", "size", "lang"}


class QueryError(ValueError):
    """A question about a list that cannot be answered; the message says which part and what is possible."""


@dataclass(frozen=True)
class Page:
    """One page of records; `total` is exact to `COUNT_LIMIT`, above it `more` is true."""

    rows: list[Any]
    number: int
    pages: int
    total: int
    more: bool
    size: int


def get_model(kind: KindSpec) -> type[Record]:
    """Return the record class of a kind."""
    return apps.get_model(kind.name)


def get_rows(kind: KindSpec, scope: Scope) -> QuerySet[Any]:
    """Return the records of a kind the scope admits: the one door for lists and single reads."""
    return get_model(kind)._default_manager.filter(scope.q(kind))


def is_shown(scope: Scope, kind: KindSpec, record: Record, field: FieldSpec) -> bool:
    """Tell whether the caller may read this field of this very row in plain."""
    ceiling = scope.ceiling_of(get_row(kind, record))
    return ceiling is not None and get_class(field.classified or kind.level) <= ceiling


def find_page(kind: KindSpec, scope: Scope, asked: Mapping[str, str]) -> Page:
    """Answer a list question; raises `QueryError` for a filter, order or page that does not exist."""
    spec: ListSpec = build_surface(kind, "list")
    words = asked.get("q", "").strip()
    rows = _order(_search(_filter(get_rows(kind, scope), kind, spec, asked), spec, words), spec, asked.get("order", ""))
    size = min(_number(asked.get("size", str(PAGE)), "size"), 200)
    number = _number(asked.get("page", "1"), "page")
    start = (number - 1) * size
    if words:  # looked for once, not once to count and once to read
        ids = list(rows.values_list("pk", flat=True)[: COUNT_LIMIT + 1])
        total, ids = len(ids), ids[start : start + size]
    else:
        total = rows.order_by().values_list("pk")[: COUNT_LIMIT + 1].count()
        ids = list(rows.values_list("pk", flat=True)[start : start + size])
    counted = min(total, COUNT_LIMIT)
    pages = max(1, -(-counted // size))
    if number > pages:
        raise QueryError(_("There are only %(pages)s pages; narrow the list to reach further records.") % {"pages": pages})
    return Page(_read(rows, spec, ids), number, pages, counted, total > COUNT_LIMIT, size)


def _read(rows: QuerySet[Any], spec: ListSpec, ids: list[int]) -> list[Any]:
    """Return whole rows for the ids of one page, in their order. Ids come from indices; sorting whole rows of a county took seconds."""
    found = {row.pk: row for row in rows.model._default_manager.filter(pk__in=ids).select_related(*spec.references)}
    return [found[pk] for pk in ids if pk in found]


def _filter(rows: QuerySet[Any], kind: KindSpec, spec: ListSpec, asked: Mapping[str, str]) -> QuerySet[Any]:
    known = {f.name: f for f in spec.filters}
    for name, value in asked.items():
        if name in RESERVED or value == "":
            continue
        if name not in known:
            raise QueryError(_("This list has no filter %(name)s; it has %(known)s.") % {"name": name, "known": ", ".join(known)})
        rows = rows.filter(_condition(kind, name, value))
    return rows


def _condition(kind: KindSpec, name: str, value: str) -> Q:
    field = kind.get_field(name)
    if field.type == "ref":
        try:
            uid = UUID(value)
        except ValueError:
            raise QueryError(_("%(value)s is not the uid of a record.") % {"value": value}) from None
        if field.target == "kernel.Division":
            found = Division.objects.filter(uid=uid).first()
            return Q(**{f"{name}__left__gte": found.left, f"{name}__left__lte": found.right}) if found else Q(pk__in=[])
        return Q(**{f"{name}__uid": uid})
    if field.type == "flag":
        return Q(**{name: value in ("1", "true", "yes", "on")})
    if field.type == "code" and value not in dict(field.codes):
        raise QueryError(_("%(value)s is not a value of %(name)s.") % {"value": value, "name": field.label})
    return Q(**{name: value})


def _search(rows: QuerySet[Any], spec: ListSpec, words: str) -> QuerySet[Any]:
    for word in words.split()[:6]:
        any_field = Q()
        for name in spec.search:
            any_field |= Q(**{f"{name}__icontains": word})
        rows = rows.filter(any_field)
    return rows


def _order(rows: QuerySet[Any], spec: ListSpec, asked: str) -> QuerySet[Any]:
    if not asked:
        return rows.order_by(*spec.order, "-pk") if spec.order[0].lstrip("-") not in ("id", "pk") else rows.order_by(*spec.order)
    sortable = [c.name for c in spec.columns if c.sortable]
    name = asked.lstrip("-")
    if name not in sortable:
        raise QueryError(_("This list cannot be ordered by %(name)s; it can by %(known)s.") % {"name": name, "known": ", ".join(sortable) or "–"})
    try:
        rows.model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise QueryError(str(error)) from error
    return rows.order_by(asked, "-pk" if asked.startswith("-") else "pk")


def _number(text: str, name: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 10**9:
        return int(text)
    raise QueryError(_("%(name)s must be a number from 1.") % {"name": name})
