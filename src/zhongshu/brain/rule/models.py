"""How far each rule has come."""

from django.db import models

__all__ = ["RuleProgress"]


class RuleProgress(models.Model):
    """One rule in one version: windows ending up to `done_to` (µs UTC) are evaluated with all that had arrived up to `position` of its source.

    `again` are spans [start, end] in µs whose windows must be evaluated again because readings arrived late for them.
    """

    rule = models.CharField(max_length=120, primary_key=True)
    done_to = models.BigIntegerField(default=0)
    position = models.CharField(max_length=120, blank=True)
    again = models.JSONField(default=list)
    noted_at = models.DateTimeField(auto_now=True)
