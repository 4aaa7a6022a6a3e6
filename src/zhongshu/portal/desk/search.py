"""Search across everything the caller may see."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import KindSpec, list_kinds
from zhongshu.portal.records.address import record_url
from zhongshu.portal.records.detail import print_when
from zhongshu.portal.records.query import QueryError, find_page
from zhongshu.portal.shell import page_context
from zhongshu.security.access import scope_for

__all__ = ["search"]

PER_KIND = 8


@login_required
def search(request: HttpRequest) -> HttpResponse:
    """Find the words in every kind that has searchable fields, under the caller's rights."""
    words = request.GET.get("q", "").strip()[:100]
    groups = [group for kind in list_kinds() if words and kind.search and kind.menu for group in [_find(request, kind, words)] if group]
    context = {
        **page_context(request, "search", _("Search")),
        "subtitle": _("“%(words)s”") % {"words": words} if words else _("Type a name, a number or a place above."),
        "panels": [],
        "related": groups,
        "found": bool(groups),
        "words": words,
    }
    return render(request, "portal/desk/search.html", context)


def _find(request: HttpRequest, kind: KindSpec, words: str) -> dict[str, Any] | None:
    scope = scope_for(request.user, kind, "view")
    if not scope:
        return None
    try:
        page = find_page(kind, scope, {"q": words, "size": str(PER_KIND)})
    except QueryError:
        return None
    if not page.rows:
        return None
    url = f"{reverse('records', args=[kind.slug])}?q={words}"
    notes = [" · ".join(part for part in (_note(kind, row), print_when(kind, row)) if part) for row in page.rows]
    items = [{"url": record_url(kind, row), "text": str(row), "note": note} for row, note in zip(page.rows, notes, strict=True)]
    total = f"{page.total:,}{'+' if page.more else ''}"
    return {"title": kind.label_plural, "url": url, "count_text": _("all %(n)s") % {"n": total} if page.total > PER_KIND else "", "items": items}


def _note(kind: KindSpec, row: Any) -> str:
    """What the search looks in and the name does not say; else the first thing the record points to."""
    said = [str(getattr(row, name, "") or "") for name in (*kind.search, *(c for c in kind.columns if kind.get_field(c).type == "ref"))]
    return next((text for text in said if text and text != str(row)), "")
