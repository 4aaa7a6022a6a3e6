"""Where a record is shown: the derived page of its kind, or the page that was declared for it."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.urls import reverse

from zhongshu.kernel.derive import KindSpec
from zhongshu.kernel.record import Record
from zhongshu.kernel.registry import registry

__all__ = ["add_page", "find_page_of", "record_url"]

PageUrl = Callable[[Any], str]


def add_page(kind: str) -> Callable[[PageUrl], PageUrl]:
    """Declare that records of a kind have a page of their own at the address the decorated function gives; links lead there, and the derived page sends there."""

    def declare(address: PageUrl) -> PageUrl:
        registry.add("record_page", kind, address)
        return address

    return declare


def find_page_of(kind: KindSpec, record: Record) -> str:
    """Return the address of the declared page of a record, or an empty text where its kind has only the derived one."""
    address: PageUrl | None = registry.find("record_page", kind.name)
    return address(record) if address is not None else ""


def record_url(kind: KindSpec, record: Record) -> str:
    """Return the address of a record's page."""
    return find_page_of(kind, record) or f"{_get_folder(kind.slug)}{record.uid}/"


@cache
def _get_folder(slug: str) -> str:
    """Record pages lie below the list of their kind; a page with hundreds of links does not look each of them up."""
    return reverse("records", args=[slug])
