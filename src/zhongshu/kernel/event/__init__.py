"""Events: past facts, put in the outbox in the same transaction, delivered to each subscriber exactly once in effect."""

from .delivery import deliver_due, discard_delivery, retry_delivery
from .models import Delivery, Offset, OutboxEvent
from .outbox import Event, EventKind, Subscriber, event_kind, publish, subscribe
from .wake import WakeSocket, listen_database, wake

__all__ = [
    "Delivery",
    "Event",
    "EventKind",
    "Offset",
    "OutboxEvent",
    "Subscriber",
    "WakeSocket",
    "deliver_due",
    "discard_delivery",
    "event_kind",
    "listen_database",
    "publish",
    "retry_delivery",
    "subscribe",
    "wake",
]
