"""Alarms: a limit is exceeded, long enough to count."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Located
from zhongshu.kernel.record import CodeField, CodeList, IdentityField, Record
from zhongshu.security.identity.models import Owned
from zhongshu.sense.device.models import Stream, Thing, Threshold, ThresholdLevel

__all__ = ["Alarm", "AlarmState"]


class AlarmState(CodeList):
    """Whether it still holds."""

    RAISED = "raised", _("raised")
    CLEARED = "cleared", _("cleared")


class Alarm(Located, Owned, Record):
    """A threshold was true for its duration; one alarm from raise to clear, however many readings lie between.

    `key` is (stream, threshold, start) and makes a repeated fact recognisable. `historical`: found in data older than 48 h;
    visible, but opens no case and sends no notice.
    """

    key = IdentityField(_("key"), max_length=80)
    title = models.CharField(_("title"), max_length=160)
    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, related_name="alarms", verbose_name=_("thing"))
    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="alarms", verbose_name=_("stream"))
    threshold = models.ForeignKey(Threshold, on_delete=models.PROTECT, null=True, related_name="alarms", verbose_name=_("threshold"))
    level = CodeField(ThresholdLevel, verbose_name=_("level"))
    state = CodeField(AlarmState, default=AlarmState.RAISED, verbose_name=_("state"))
    value = models.FloatField(_("value when raised"))
    peak = models.FloatField(_("worst value"), null=True)
    limit = models.FloatField(_("limit"))
    unit = models.CharField(_("unit"), max_length=24, blank=True)
    started_at = models.DateTimeField(_("since"))
    raised_at = models.DateTimeField(_("raised at"))
    cleared_at = models.DateTimeField(_("cleared at"), null=True, blank=True)
    historical = models.BooleanField(_("historical"), default=False)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        indexes = [
            models.Index(fields=["state", "-started_at"], name="sense_alarm_state"),
            models.Index(fields=["-started_at"], name="sense_alarm_time"),
            models.Index(fields=["division", "id"], name="sense_alarm_dv"),
        ]

    class Show:
        columns = ["title", "level", "thing", "value", "state", "started_at", "division"]
        filters = ["state", "level", "historical", "division"]
        search = ["title"]
        order = ["-started_at"]
        title = "title"
        marker = "level"
        icon = "bell"
        writable = False
        hidden = ["key", "unit"]
        units = {"value": "unit", "peak": "unit", "limit": "unit"}

    def __str__(self) -> str:
        return self.title
