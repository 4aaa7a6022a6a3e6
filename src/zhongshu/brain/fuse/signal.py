"""A signal, before it is known which event it belongs to."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Signal"]


@dataclass(frozen=True)
class Signal:
    """One alarm or rule result: who it is about (`subject` is the uid of a record of `subject_kind`), how serious, since when.

    `key` makes a repeat recognisable, and is the key of the event it opens. `division` and `organisation` are database ids taken from the thing.
    """

    key: str
    source: str
    subject_kind: str
    subject: str
    level: str
    title: str
    started_at: datetime
    historical: bool
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    name: str = ""
    thing_id: int | None = None
    division_id: int | None = None
    organisation_id: int | None = None
    lon: float | None = None
    lat: float | None = None
