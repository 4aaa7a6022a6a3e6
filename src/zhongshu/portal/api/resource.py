"""One record as JSON, and JSON as one record."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from zhongshu.kernel.derive import KindSpec
from zhongshu.kernel.record import Record
from zhongshu.portal.records.query import is_shown
from zhongshu.portal.render import RestSpec
from zhongshu.security.access import Scope
from zhongshu.security.mask import mask_value

__all__ = ["build_body", "build_form_data", "etag_of"]


def etag_of(record: Record) -> str:
    """Return the entity tag of a record's version."""
    return f'"{record.uid}-{record.version}"'


def build_body(kind: KindSpec, spec: RestSpec, record: Record, scope: Scope, fields: Sequence[str]) -> dict[str, Any]:
    """Render a record; references as uid and title, fields above the caller's ceiling masked."""
    body: dict[str, Any] = {"uid": str(record.uid), "version": record.version, "changed_at": record.changed_at.isoformat()}
    for name in fields:
        field = kind.get_field(name)
        value = getattr(record, name)
        if field.classified and not is_shown(scope, kind, record, field):
            body[name] = mask_value(field, value)
        elif field.type == "ref":
            body[name] = None if value is None else {"uid": str(value.uid), "title": str(value)}
        else:
            body[name] = _plain(value)
    return body


def build_form_data(spec: RestSpec, sent: Mapping[str, Any], current: Record | None) -> dict[str, Any]:
    """Turn a JSON body into form data: what is sent replaces what is there, references are given as uid or `{"uid": …}`."""
    data = {name: _form_value(getattr(current, name)) for name in spec.writable} if current is not None else {}
    for name, value in sent.items():
        data[name] = value.get("uid") if isinstance(value, Mapping) and "uid" in value else value
    return {name: value for name, value in data.items() if value is not None}


def _form_value(value: Any) -> Any:
    return str(value.uid) if isinstance(value, Record) else value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
