"""The outbox and its deliveries."""

from django.db import models

from zhongshu.kernel.record.uid import uuid7

__all__ = ["Delivery", "Offset", "OutboxEvent"]


class OutboxEvent(models.Model):
    """A past fact, written with the change that made it true."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid7, unique=True)
    name = models.CharField(max_length=100)
    schema = models.PositiveSmallIntegerField(default=1)
    aggregate = models.CharField(max_length=100)
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    change_uid = models.CharField(max_length=36, blank=True)

    class Meta:
        indexes = [models.Index(fields=["occurred_at"], name="kernel_outbox_time")]


class Delivery(models.Model):
    """One event on its way to one subscriber; `done` is set in the transaction of the subscriber's effect, so it is the inbox too."""

    class State(models.TextChoices):
        """Where a delivery stands."""

        WAITING = "waiting"
        DONE = "done"
        DEAD = "dead"

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    subscriber = models.CharField(max_length=100)
    aggregate = models.CharField(max_length=100)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    error = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "subscriber"], name="kernel_delivery_once")]
        indexes = [
            models.Index(fields=["state", "due_at", "id"], name="kernel_delivery_due"),
            models.Index(fields=["subscriber", "aggregate", "state", "id"], name="kernel_delivery_order"),
        ]


class Offset(models.Model):
    """How far a consumer has read a log, written in the transaction of what it did with it."""

    consumer = models.CharField(max_length=100, primary_key=True)
    position = models.BigIntegerField(default=0)
    noted_at = models.DateTimeField(auto_now=True)
