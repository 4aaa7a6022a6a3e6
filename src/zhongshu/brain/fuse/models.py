"""City events and the signals that make them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Located
from zhongshu.kernel.record import CodeField, CodeList, IdentityField, Record
from zhongshu.security.identity.models import Owned
from zhongshu.sense.device.models import Thing, ThresholdLevel

__all__ = ["CityEvent", "EventSignal", "EventSlot", "EventState", "SignalSource"]


class EventState(CodeList):
    """Whether it still goes on."""

    OPEN = "open", _("going on")
    CLOSED = "closed", _("over")


class SignalSource(CodeList):
    """Where a signal comes from."""

    ALARM = "alarm", _("alarm")
    RULE = "rule", _("rule")


class CityEvent(Located, Owned, Record):
    """Something happened that the city must know: one event, however many alarms and rule results tell of it.

    `key` is that of the signal that opened it. `historical`: found in data older than 48 h; visible, but opens no case and sends no notice.
    """

    key = IdentityField(_("key"), max_length=200)
    kind = models.CharField(_("kind"), max_length=80)
    title = models.CharField(_("title"), max_length=200)
    level = CodeField(ThresholdLevel, verbose_name=_("level"))
    state = CodeField(EventState, default=EventState.OPEN, verbose_name=_("state"))
    rule = models.CharField(_("made by"), max_length=80)
    subject_kind = models.CharField(_("kind of subject"), max_length=80)
    subject_uid = models.CharField(_("subject"), max_length=36)
    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, null=True, blank=True, related_name="events", verbose_name=_("thing"))
    started_at = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(_("until"), null=True, blank=True)
    signals = models.PositiveIntegerField(_("signals"), default=0)
    last_signal_at = models.DateTimeField(_("last signal"))
    historical = models.BooleanField(_("historical"), default=False)

    class Meta:
        verbose_name = _("city event")
        verbose_name_plural = _("city events")
        indexes = [
            models.Index(fields=["state", "-started_at"], name="brain_event_state"),
            models.Index(fields=["rule", "subject_uid", "-started_at"], name="brain_event_subject"),
            models.Index(fields=["-started_at"], name="brain_event_time"),
            models.Index(fields=["division", "id"], name="brain_event_dv"),
        ]

    class Show:
        columns = ["title", "level", "kind", "state", "signals", "started_at", "division"]
        filters = ["state", "level", "historical", "division"]
        search = ["title"]
        order = ["-started_at"]
        title = "title"
        marker = "level"
        icon = "bolt"
        writable = False
        hidden = ["key", "rule", "subject_kind", "subject_uid"]

    def __str__(self) -> str:
        return self.title


class EventSignal(Record):
    """One alarm or rule result behind an event; `key` is the alarm's uid, or the rule's (rule, version, subject, window start)."""

    event = models.ForeignKey(CityEvent, on_delete=models.PROTECT, related_name="signal_set", verbose_name=_("event"))
    key = IdentityField(_("key"), max_length=200)
    source = CodeField(SignalSource, verbose_name=_("source"))
    subject_uid = models.CharField(_("subject"), max_length=36)
    level = CodeField(ThresholdLevel, verbose_name=_("level"))
    title = models.CharField(_("title"), max_length=200)
    value = models.FloatField(_("value"), null=True)
    limit = models.FloatField(_("limit"), null=True)
    unit = models.CharField(_("unit"), max_length=24, blank=True)
    started_at = models.DateTimeField(_("since"))
    cleared_at = models.DateTimeField(_("cleared at"), null=True, blank=True)

    class Meta:
        verbose_name = _("signal")
        verbose_name_plural = _("signals")
        indexes = [models.Index(fields=["event", "started_at"], name="brain_signal_event")]

    class Show:
        columns = ["title", "level", "source", "event", "value", "started_at", "cleared_at"]
        order = ["-started_at"]
        icon = "wave-square"
        menu = False
        related = False
        writable = False
        hidden = ["key", "subject_uid", "unit"]
        units = {"value": "unit", "limit": "unit"}

    class Rights:
        division = "event__division"
        organisation = "event__organisation"

    def __str__(self) -> str:
        return self.title


class EventSlot(models.Model):
    """Where two workers meet that look for the event of one subject: the row is locked while one of them decides (PostgreSQL; SQLite has one writer)."""

    name = models.CharField(max_length=160, primary_key=True)
