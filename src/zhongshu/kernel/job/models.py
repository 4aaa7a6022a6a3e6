"""The job table."""

from django.db import models

from zhongshu.kernel.record.uid import uuid7

__all__ = ["Job"]


class Job(models.Model):
    """One piece of longer work; a worker holds it by a lease it renews, so that a killed worker's job is taken up again."""

    class State(models.TextChoices):
        """Where a job stands."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(default=uuid7, unique=True)
    kind = models.CharField(max_length=100)
    arguments = models.JSONField(default=dict)
    dedupe = models.CharField(max_length=200, unique=True, null=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.FloatField(default=0.0)
    message = models.CharField(max_length=300, blank=True)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    asked_by = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["state", "due_at"], name="kernel_job_due")]
