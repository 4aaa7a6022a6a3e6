"""Delivering events: by claim, in order per aggregate, with growing pauses, and a dead-letter state after the last try."""

import logging
import traceback
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Exists, OuterRef

from zhongshu.kernel import faults
from zhongshu.kernel.record.change import transaction
from zhongshu.kernel.registry import registry

from .models import Delivery
from .outbox import Event, Subscriber

__all__ = ["deliver_due", "discard_delivery", "retry_delivery"]

ATTEMPTS = 8
log = logging.getLogger(__name__)


def deliver_due(limit: int = 100) -> int:
    """Run due deliveries one after another, each in its own transaction; returns how many were tried."""
    tried = 0
    while tried < limit and _deliver_one():
        tried += 1
    return tried


def retry_delivery(pk: int) -> None:
    """Send a dead delivery on its way again."""
    Delivery.objects.filter(pk=pk, state=Delivery.State.DEAD).update(state=Delivery.State.WAITING, attempts=0, due_at=datetime.now(UTC))


def discard_delivery(pk: int) -> None:
    """Give a dead delivery up for good: it counts as done and keeps its error."""
    Delivery.objects.filter(pk=pk, state=Delivery.State.DEAD).update(state=Delivery.State.DONE, done_at=datetime.now(UTC))


def _deliver_one() -> bool:
    try:
        with transaction():
            claimed = _claim()
            if claimed is None:
                return False
            pk = claimed.pk
            subscriber: Subscriber = registry.get("subscriber", claimed.subscriber)
            subscriber.effect(_event_of(claimed))
            faults.point("worker.transaction")
            Delivery.objects.filter(pk=pk).update(state=Delivery.State.DONE, attempts=claimed.attempts + 1, done_at=datetime.now(UTC), error="")
    except Exception:
        if "pk" not in locals():
            raise
        _note_failure(pk, traceback.format_exc(limit=-4))
    return True


def _claim() -> Delivery | None:
    earlier = Delivery.objects.filter(subscriber=OuterRef("subscriber"), aggregate=OuterRef("aggregate"), state=Delivery.State.WAITING, id__lt=OuterRef("id"))
    due = Delivery.objects.filter(~Exists(earlier), state=Delivery.State.WAITING, due_at__lte=datetime.now(UTC)).order_by("id")
    if connection.features.has_select_for_update_skip_locked:
        due = due.select_for_update(skip_locked=True, of=("self",))
    return due.select_related("event").first()


def _event_of(delivery: Delivery) -> Event:
    row = delivery.event
    return Event(str(row.uid), row.name, row.schema, row.aggregate, row.data, row.occurred_at)


def _note_failure(pk: int, error: str) -> None:
    with transaction():
        # between our rollback and here another worker may have delivered it: only a delivery that still waits has failed
        delivery = Delivery.objects.select_for_update().filter(pk=pk, state=Delivery.State.WAITING).first()
        if delivery is None:
            return
        delivery.attempts += 1
        delivery.error = error[-4000:]
        delivery.due_at = datetime.now(UTC) + timedelta(seconds=min(2**delivery.attempts, 300))
        if delivery.attempts >= ATTEMPTS:
            delivery.state = Delivery.State.DEAD
        delivery.save()
    log.warning("delivery %s to %s failed (%s of %s)", pk, delivery.subscriber, delivery.attempts, ATTEMPTS)
