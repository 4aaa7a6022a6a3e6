"""Events: past facts, put in the outbox in the same transaction, delivered to each subscriber exactly once in effect."""

from .delivery import deliver_due, discard_delivery, retry_delivery
from .models import Delivery, Offset, OutboxEvent
from .outbox import Event, EventKind, Subscriber, event_kind, publish, subscribe

__all__ = ["Delivery", "Event", "EventKind", "Offset", "OutboxEvent", "Subscriber", "deliver_due", "discard_delivery", "event_kind", "publish", "retry_delivery", "subscribe"]
