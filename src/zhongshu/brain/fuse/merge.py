"""From signals to events: open, join, re-open, close."""

from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from django.db.models import Max, QuerySet

from zhongshu.brain.rule import LEVELS
from zhongshu.kernel.event import publish
from zhongshu.kernel.record import SYSTEM, change

from .models import CityEvent, EventSignal, EventSlot, EventState
from .signal import Signal

__all__ = ["Merging", "clear_signal", "take_signal"]

EARTH_M = 6_371_008.8
"""Mean earth radius, m (IUGG)."""


class Merging(Protocol):
    """What decides which signals are one event; `EventRule` is one."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> str: ...  # noqa: D102

    @property
    def title(self) -> str: ...  # noqa: D102

    @property
    def within_h(self) -> float: ...  # noqa: D102

    @property
    def radius_m(self) -> float: ...  # noqa: D102


def take_signal(rule: Merging, signal: Signal) -> CityEvent | None:
    """Put a signal where it belongs: an event that is going on, one just over, or a new one. Returns the event, or None where the signal was known already.

    A historical signal only ever meets historical events, and those only within the rule's hours.
    """
    with change(SYSTEM, f"signal: {signal.title}"):
        _lock_slot(rule, signal)
        if EventSignal.objects.filter(key=signal.key).exists():
            return None
        event = _find_event(rule, signal)
        if event is None:
            event = _open_event(rule, signal)
            _add_signal(event, signal)
            publish("brain.event.opened", str(event.uid), _data(event, signal.key))
        else:
            _add_signal(event, signal)
            _join_event(rule, event, signal)
    return event


def clear_signal(key: str, cleared_at: datetime) -> CityEvent | None:
    """Note that a signal is over; with its last signal the event closes. Returns the event, or None where nothing was left to clear."""
    with change(SYSTEM, "the signal has cleared"):
        signal = EventSignal.objects.select_for_update().filter(key=key, cleared_at=None).first()
        if signal is None:
            return None
        event: CityEvent = CityEvent.objects.select_for_update().get(pk=signal.event_id)
        signal.cleared_at = max(cleared_at, signal.started_at)
        signal.save()
        if event.state == EventState.OPEN and not event.signal_set.filter(cleared_at=None).exists():
            event.state = EventState.CLOSED
            event.ended_at = event.signal_set.aggregate(last=Max("cleared_at"))["last"]
            event.save()
            publish("brain.event.closed", str(event.uid), _data(event, key) | {"ended_at": event.ended_at.isoformat()})
    return event


def _lock_slot(rule: Merging, signal: Signal) -> None:
    name = f"{rule.name}/{'*' if rule.radius_m else signal.subject}"
    EventSlot.objects.get_or_create(name=name)
    EventSlot.objects.select_for_update().get(name=name)


def _find_event(rule: Merging, signal: Signal) -> CityEvent | None:
    reach = timedelta(hours=rule.within_h)
    near_in_time = CityEvent.objects.filter(rule=rule.name, historical=signal.historical, started_at__lte=signal.started_at + reach)
    own = _latest(near_in_time.filter(subject_uid=signal.subject), signal, reach)
    if own is not None or not rule.radius_m or signal.lon is None or signal.lat is None:
        return own
    return _nearest(rule, near_in_time, signal, reach)


def _latest(found: QuerySet[CityEvent], signal: Signal, reach: timedelta) -> CityEvent | None:
    event = found.select_for_update().order_by("-started_at", "-id").first()
    return event if event is not None and _is_alive(event, signal, reach) else None


def _is_alive(event: CityEvent, signal: Signal, reach: timedelta) -> bool:
    if event.state == EventState.OPEN and not event.historical:
        return True
    return signal.started_at <= (event.ended_at or event.last_signal_at) + reach


def _nearest(rule: Merging, found: QuerySet[CityEvent], signal: Signal, reach: timedelta) -> CityEvent | None:
    lon, lat = signal.lon or 0.0, signal.lat or 0.0
    high = float(np.degrees(rule.radius_m / EARTH_M))
    wide = high / max(float(np.cos(np.radians(lat))), 0.01)
    box = found.filter(lon__range=(lon - wide, lon + wide), lat__range=(lat - high, lat + high))
    alive = [event for event in box.order_by("-started_at")[:500] if _is_alive(event, signal, reach)]
    if not alive:
        return None
    away = _distance_m(np.array([e.lon for e in alive]), np.array([e.lat for e in alive]), lon, lat)
    best = int(np.argmin(away))
    return CityEvent.objects.select_for_update().get(pk=alive[best].pk) if away[best] <= rule.radius_m else None


def _distance_m(lons: np.ndarray, lats: np.ndarray, lon: float, lat: float) -> np.ndarray:
    """Great-circle distance in m (haversine, spherical earth: wrong by up to 0.5 %, which a merging radius does not feel)."""
    a, b = np.radians(lats), np.radians(lat)
    half = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.radians(lons - lon) / 2) ** 2
    return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(half)))


def _open_event(rule: Merging, signal: Signal) -> CityEvent:
    event = CityEvent(
        key=signal.key,
        kind=rule.kind,
        title=_title(rule, signal, 1),
        level=signal.level,
        rule=rule.name,
        subject_kind=signal.subject_kind,
        subject_uid=signal.subject,
        thing_id=signal.thing_id,
        started_at=signal.started_at,
        last_signal_at=signal.started_at,
        signals=1,
        historical=signal.historical,
        division_id=signal.division_id,
        organisation_id=signal.organisation_id,
        lon=signal.lon,
        lat=signal.lat,
    )
    event.save()
    return event


def _join_event(rule: Merging, event: CityEvent, signal: Signal) -> None:
    before, reopened = event.level, event.state == EventState.CLOSED
    event.signals += 1
    event.last_signal_at = max(event.last_signal_at, signal.started_at)
    event.started_at = min(event.started_at, signal.started_at)
    event.state, event.ended_at = EventState.OPEN, None
    if LEVELS.index(signal.level) > LEVELS.index(before):
        event.level, event.title = signal.level, _title(rule, signal, event.signals)
    event.save()
    publish("brain.event.joined", str(event.uid), _data(event, signal.key) | {"level_before": before, "reopened": reopened})


def _add_signal(event: CityEvent, signal: Signal) -> None:
    EventSignal(
        event=event,
        key=signal.key,
        source=signal.source,
        subject_uid=signal.subject,
        level=signal.level,
        title=signal.title[:200],
        value=signal.value,
        limit=signal.limit,
        unit=signal.unit,
        started_at=signal.started_at,
    ).save()


def _title(rule: Merging, signal: Signal, count: int) -> str:
    words = {"thing": signal.name, "title": signal.title, "unit": signal.unit, "count": count}
    numbers = {"value": "" if signal.value is None else f"{signal.value:g}", "limit": "" if signal.limit is None else f"{signal.limit:g}"}
    return rule.title.format(**words, **numbers)[:200]


def _data(event: CityEvent, signal: str) -> dict[str, object]:
    return {
        "event": str(event.uid),
        "kind": event.kind,
        "subject_kind": event.subject_kind,
        "subject": event.subject_uid,
        "level": event.level,
        "title": event.title,
        "division": str(event.division.uid) if event.division else "",
        "started_at": event.started_at.isoformat(),
        "historical": event.historical,
        "signals": event.signals,
        "signal": signal,
    }
