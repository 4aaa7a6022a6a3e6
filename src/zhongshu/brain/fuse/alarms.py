"""Alarms become city events."""

from datetime import datetime
from typing import Any

from zhongshu.kernel.event import Event, subscribe
from zhongshu.kernel.registry import registry
from zhongshu.sense.device.models import Thing

from .declare import EventRule
from .merge import clear_signal, take_signal
from .models import EventSignal, SignalSource
from .signal import Signal

__all__ = ["on_alarm_cleared", "on_alarm_raised"]

WHERE = ("pk", "name", "lon", "lat", "division_id", "organisation_id")


@subscribe("sense.alarm.raised", "brain.fuse.alarm_raised")
def on_alarm_raised(event: Event) -> None:
    """Every event rule that takes the alarm opens or joins one event with it."""
    data = event.data
    rules: list[EventRule] = [r for r in registry.list("event_rule").values() if r.takes(data["product"], data["property"], data["level"])]
    if not rules:
        return
    where = Thing.objects.filter(uid=data["thing"]).values(*WHERE).first()
    for rule in rules:
        take_signal(rule, _signal_of(rule, data, where or {}))


@subscribe("sense.alarm.cleared", "brain.fuse.alarm_cleared")
def on_alarm_cleared(event: Event) -> None:
    """The alarm's signals are over; an event whose signals are all over closes."""
    for key in list(EventSignal.objects.filter(key__startswith=f"{event.data['alarm']}@").values_list("key", flat=True)):
        clear_signal(key, datetime.fromisoformat(event.data["cleared_at"]))


def _signal_of(rule: EventRule, data: dict[str, Any], where: dict[str, Any]) -> Signal:
    return Signal(
        key=f"{data['alarm']}@{rule.name}",
        source=SignalSource.ALARM,
        subject_kind="sense.Thing",
        subject=data["thing"],
        level=data["level"],
        title=data["title"],
        started_at=datetime.fromisoformat(data["started_at"]),
        historical=bool(data["historical"]),
        value=data.get("value"),
        limit=data.get("limit"),
        unit=data.get("unit", ""),
        name=where.get("name", ""),
        thing_id=where.get("pk"),
        division_id=where.get("division_id"),
        organisation_id=where.get("organisation_id"),
        lon=where.get("lon"),
        lat=where.get("lat"),
    )
