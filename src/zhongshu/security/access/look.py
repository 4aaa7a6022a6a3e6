"""Looking at what is masked: for a reason, and never unseen."""

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.record import Actor, Record
from zhongshu.security.audit import create_entry
from zhongshu.security.classify import DataClass, get_field_class

from .policy import Denied, check_verb
from .scope import get_row

__all__ = ["reveal"]

SHORTEST_REASON = 4


def reveal(by: Actor, user: Any, record: Record, field: str, reason: str) -> Any:
    """Return the plain value of one field after noting who looked and why.

    Needs `view` and `reveal` on this record by a clause whose ceiling reaches the field's class, and a reason. Raises `Denied` (noted too), `ValidationError` without a
    reason, `KeyError` for an unknown field. Core-class values are never revealed.
    """
    kind = get_kind(record._meta.label)
    level = get_field_class(kind, kind.get_field(field))
    if len(reason.strip()) < SHORTEST_REASON:
        raise ValidationError(_("Please say why you need to see this."))
    try:
        check_verb(user, kind, "view", record)
        ceiling = check_verb(user, kind, "reveal", record).ceiling_of(get_row(kind, record))
        if level is DataClass.CORE or ceiling is None or level > ceiling:
            raise Denied(_("You may not see %(field)s of this %(kind)s.") % {"field": kind.get_field(field).label, "kind": kind.label})
    except Denied:
        create_entry(by, "denied", reason, kind=kind.name, record_uid=str(record.uid), detail={"field": field})
        raise
    create_entry(by, "look", reason, kind=kind.name, record_uid=str(record.uid), detail={"field": field})
    value: str | int | float | date | datetime | None = getattr(record, field)
    return value
