"""City events as other rooms and pages see them."""

from dataclasses import dataclass
from datetime import datetime

from .models import CityEvent

__all__ = ["EventView", "SignalView", "find_event"]


@dataclass(frozen=True)
class SignalView:
    """One alarm or rule result; `alarm` is the uid of the alarm, "" for a rule."""

    alarm: str
    source: str
    title: str
    level: str
    value: float | None
    limit: float | None
    unit: str
    started_at: datetime
    cleared_at: datetime | None


@dataclass(frozen=True)
class EventView:
    """One event with its signals: alarms before results of rules (a window rule adds one an hour), newest first, at most 100; `count` tells of all."""

    uid: str
    kind: str
    title: str
    level: str
    state: str
    subject_kind: str
    subject: str
    started_at: datetime
    ended_at: datetime | None
    historical: bool
    count: int
    lon: float | None
    lat: float | None
    division_id: int | None
    signals: tuple[SignalView, ...]


def find_event(uid: str) -> EventView | None:
    """Return an event by its uid, or None."""
    event = CityEvent.objects.filter(uid=uid).first()
    if event is None:
        return None
    rows = event.signal_set.order_by("source", "-started_at", "-id")[:100]
    signals = tuple(
        SignalView(s.key.split("@")[0] if s.source == "alarm" else "", s.source, s.title, s.level, s.value, s.limit, s.unit, s.started_at, s.cleared_at) for s in rows
    )
    return EventView(
        uid=str(event.uid),
        kind=event.kind,
        title=event.title,
        level=event.level,
        state=event.state,
        subject_kind=event.subject_kind,
        subject=event.subject_uid,
        started_at=event.started_at,
        ended_at=event.ended_at,
        historical=event.historical,
        count=event.signals,
        lon=event.lon,
        lat=event.lat,
        division_id=event.division_id,
        signals=signals,
    )
