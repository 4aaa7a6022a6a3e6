"""Computed values: plain derived tables, made again from their sources at any time."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Division

__all__ = ["IndicatorRun", "IndicatorValue"]


class IndicatorValue(models.Model):
    """One number. `value` is null where there is nothing to divide by: no value, never 0 or 100.

    A division of which there is nothing to count has no row; `IndicatorRun` tells "counted, nothing there" from "not counted yet".
    """

    id = models.BigAutoField(primary_key=True)
    indicator = models.CharField(_("indicator"), max_length=100)
    version = models.PositiveSmallIntegerField(default=1)
    division = models.ForeignKey(Division, on_delete=models.CASCADE, related_name="+", verbose_name=_("division"))
    unit = models.CharField(_("period"), max_length=8)
    start = models.DateTimeField(_("from"))
    numerator = models.FloatField(null=True)
    denominator = models.FloatField(null=True)
    value = models.FloatField(_("value"), null=True)
    state = models.CharField(_("state"), max_length=8)
    note = models.CharField(_("note"), max_length=200, blank=True)
    computed_at = models.DateTimeField()
    inputs = models.CharField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["indicator", "version", "division", "unit", "start"], name="brain_indicator_value_once")]
        indexes = [models.Index(fields=["indicator", "unit", "start"], name="brain_indicator_value_map")]


class IndicatorRun(models.Model):
    """When an indicator was last counted for a period.

    `touched` goes up whenever its inputs were said to have changed; `counted` is what it was when counting began, so that a change during the count is not lost.
    """

    id = models.BigAutoField(primary_key=True)
    indicator = models.CharField(max_length=100)
    version = models.PositiveSmallIntegerField(default=1)
    unit = models.CharField(max_length=8)
    start = models.DateTimeField()
    computed_at = models.DateTimeField(null=True)
    inputs = models.CharField(max_length=32, blank=True)
    touched = models.PositiveIntegerField(default=0)
    counted = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["indicator", "version", "unit", "start"], name="brain_indicator_run_once")]
