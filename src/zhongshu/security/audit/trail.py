"""Reading the trail of one record, masked for its reader."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zhongshu.kernel.derive import KindSpec
from zhongshu.kernel.registry import registry
from zhongshu.security.classify import DataClass
from zhongshu.security.mask import mask_row

from .models import AuditEntry

__all__ = ["TrailLine", "list_trail"]


@dataclass(frozen=True)
class TrailLine:
    """One entry as a reader may see it; `sealed` tells whether it is under a seal yet."""

    at: datetime
    by: str
    address: str
    why: str
    verb: str
    before: dict[str, Any]
    after: dict[str, Any]
    count: int
    sealed: bool


def list_trail(kind: str, record_uid: str, ceiling: DataClass | int | None, limit: int = 100) -> list[TrailLine]:
    """Return what happened to a record, newest first, with values above `ceiling` masked; the address is shown from sensitive on.

    The caller checks first that the reader may view the record (`ceiling` is `Scope.ceiling_of` its row).
    """
    spec: KindSpec | None = registry.find("kind", kind)
    rows = AuditEntry.objects.filter(kind=kind, record_uid=record_uid).order_by("-id")[:limit]
    return [_build_line(row, spec, ceiling) for row in rows]


def _build_line(row: AuditEntry, spec: KindSpec | None, ceiling: DataClass | int | None) -> TrailLine:
    before, after = (mask_row(spec, values, ceiling) if spec else {} for values in (row.before, row.after))
    address = row.by_address if ceiling is not None and ceiling >= DataClass.SENSITIVE else ""
    return TrailLine(row.at, row.by_name, address, row.why, row.verb, before, after, row.count, row.position is not None)
