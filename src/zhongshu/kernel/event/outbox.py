"""Declaring, publishing and subscribing to events."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zhongshu.kernel.record.change import current_change
from zhongshu.kernel.registry import registry

from .models import Delivery, OutboxEvent

__all__ = ["Event", "EventKind", "Subscriber", "event_kind", "publish", "subscribe"]


@dataclass(frozen=True)
class EventKind:
    """A kind of fact: `<floor or pack>.<record>.<past>`, with the version of its data."""

    name: str
    schema: int = 1
    about: str = ""

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return str(self.schema)


@dataclass(frozen=True)
class Event:
    """A fact as subscribers see it; `aggregate` is the uid of what it happened to, and order is kept per aggregate."""

    uid: str
    name: str
    schema: int
    aggregate: str
    data: dict[str, Any]
    occurred_at: datetime


@dataclass(frozen=True)
class Subscriber:
    """A named effect of an event; runs in the worker, in one transaction with its delivery."""

    name: str
    event: str
    effect: Callable[[Event], None]


def event_kind(name: str, schema: int = 1, about: str = "") -> EventKind:
    """Declare a kind of event; publishing or subscribing to an undeclared one fails."""
    kind = EventKind(name, schema, about)
    registry.add("event", name, kind)
    return kind


def subscribe(event: str, name: str) -> Callable[[Callable[[Event], None]], Callable[[Event], None]]:
    """Declare that the decorated function runs once for every `event`; `name` must not change while deliveries wait.

    The function runs inside the transaction that marks the delivery done: what it writes and the mark stand or fall together. It may be called again after a failure.
    """

    def declare(effect: Callable[[Event], None]) -> Callable[[Event], None]:
        registry.add("subscriber", name, Subscriber(name, event, effect))
        return effect

    return declare


def publish(name: str, aggregate: str, data: dict[str, Any]) -> None:
    """Put a fact in the outbox; it exists if and only if the open change commits."""
    opened = current_change()
    kind: EventKind = registry.get("event", name)
    row = OutboxEvent.objects.create(name=name, schema=kind.schema, aggregate=aggregate, data=data, occurred_at=opened.at, change_uid=opened.uid)
    wanted = [s for s in registry.list("subscriber").values() if s.event == name]
    Delivery.objects.bulk_create([Delivery(event=row, subscriber=s.name, aggregate=aggregate, due_at=opened.at) for s in wanted])
