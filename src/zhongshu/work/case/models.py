"""Cases, their steps, and who is responsible where."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Division, Located
from zhongshu.kernel.record import CodeField, IdentityField, Record, RecordQuerySet
from zhongshu.security.identity.models import Organisation, Owned, User
from zhongshu.sense.device.models import ThresholdLevel

from .machine import CaseState

__all__ = ["Case", "CaseNumber", "CaseStep", "Responsibility"]


class Case(Located, Owned, Record):
    """Work to be closed: what, where, whose, how far, and until when. Its organisation is the responsible one."""

    case_no = IdentityField(_("case number"), max_length=24)
    key = IdentityField(_("key"), max_length=160, editable=False)
    kind = models.CharField(_("kind"), max_length=80)
    title = models.CharField(_("title"), max_length=200)
    level = CodeField(ThresholdLevel, verbose_name=_("level"))
    state = CodeField(CaseState, default=CaseState.OPENED, verbose_name=_("state"))
    event_uid = models.CharField(_("event"), max_length=36, blank=True, db_index=True)
    repeat_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="repeats", verbose_name=_("repeats"))
    assignee = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("assigned to"))
    opened_at = models.DateTimeField(_("opened at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    first_due_at = models.DateTimeField(_("first limit"), null=True, blank=True)
    overdue = models.BooleanField(_("overdue"), default=False)
    state_since = models.DateTimeField(_("in this state since"))
    state_before = CodeField(CaseState, blank=True, default="", verbose_name=_("state before"), editable=False)
    step_due_at = models.DateTimeField(_("step due"), null=True, blank=True)
    step_overdue = models.BooleanField(_("step overdue"), default=False)
    due_left = models.FloatField(_("left of the limit when suspended, s"), null=True, editable=False)
    step_left = models.FloatField(_("left of the step when suspended, s"), null=True, editable=False)
    escalation = models.PositiveSmallIntegerField(_("escalation"), default=0)
    escalate_at = models.DateTimeField(_("next escalation"), null=True, editable=False)
    escalated_to = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("told to"))
    rework = models.PositiveSmallIntegerField(_("rework"), default=0)

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        indexes = [
            models.Index(fields=["state", "due_at"], name="work_case_state"),
            models.Index(fields=["assignee", "state"], name="work_case_assignee"),
            models.Index(fields=["organisation", "state"], name="work_case_org"),
            models.Index(fields=["kind", "closed_at"], name="work_case_kind"),
            models.Index(fields=["-opened_at"], name="work_case_time"),
            models.Index(fields=["division", "id"], name="work_case_dv"),
            models.Index(fields=["overdue", "due_at"], name="work_case_due"),
            models.Index(fields=["step_overdue", "step_due_at"], name="work_case_step_due"),
            models.Index(fields=["escalate_at"], name="work_case_escalate"),
        ]

    class Show:
        columns = ["case_no", "level", "title", "state", "organisation", "assignee", "due_at", "overdue", "division"]
        filters = ["state", "level", "overdue", "organisation", "division"]
        search = ["case_no", "title"]
        order = ["-opened_at"]
        title = "case_no"
        marker = "level"
        icon = "clipboard-check"
        writable = False
        hidden = ["key", "event_uid"]

    def __str__(self) -> str:
        return self.case_no


class StepQuerySet(RecordQuerySet):
    """Steps are written once: bulk changes and removals are refused like single ones."""

    def update(self, **values: Any) -> int:
        """Refuse; raises `TypeError`."""
        raise TypeError("a step of a case is never changed")

    def bulk_update(self, *args: Any, **options: Any) -> int:
        """Refuse; raises `TypeError`."""
        raise TypeError("a step of a case is never changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse; raises `TypeError`."""
        raise TypeError("a step of a case is never removed")


class CaseStep(Record):
    """One act on a case: who, when, from which state to which, why. Written once, never changed.

    `used_s` is what the case's clock ran since the step before (seconds of the unit its total limit is in; a working day counts 86,400), 0 while
    suspended; the sum over all steps is the clock
    from opening to closing. `late`: the act ended a state after that state's limit.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="trail", verbose_name=_("case"))
    number = models.PositiveIntegerField(_("number"))
    at = models.DateTimeField(_("at"))
    act = models.CharField(_("act"), max_length=24)
    by_uid = models.CharField(_("by (identity)"), max_length=36, blank=True)
    by_name = models.CharField(_("by"), max_length=120)
    state_from = CodeField(CaseState, blank=True, default="", verbose_name=_("from state"))
    state_to = CodeField(CaseState, verbose_name=_("to state"))
    note = models.TextField(_("note"), blank=True)
    used_s = models.FloatField(_("time used, s"), default=0.0)
    late = models.BooleanField(_("late"), default=False)
    data = models.JSONField(_("details"), default=dict, blank=True)

    objects: ClassVar[Any] = StepQuerySet.as_manager()

    class Meta:
        verbose_name = _("step of a case")
        verbose_name_plural = _("steps of cases")
        constraints = [models.UniqueConstraint(fields=["case", "number"], name="work_step_once")]
        indexes = [models.Index(fields=["by_uid", "act"], name="work_step_by")]

    class Show:
        columns = ["at", "case", "act", "by_name", "state_from", "state_to", "note"]
        order = ["-id"]
        icon = "list-check"
        menu = False
        related = False
        writable = False

    class Rights:
        division = "case__division"
        organisation = "case__organisation"

    def save(self, *args: Any, **options: Any) -> None:
        """Write the step once; raises `TypeError` for a second time."""
        if not self._state.adding:
            raise TypeError("a step of a case is never changed")
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Refuse; raises `TypeError`."""
        raise TypeError("a step of a case is never removed")


class Responsibility(Record):
    """Which organisation answers for a kind of case in a division and all below it that have no entry of their own."""

    division = models.ForeignKey(Division, on_delete=models.PROTECT, related_name="+", verbose_name=_("division"))
    case_kind = models.CharField(_("kind of case"), max_length=80)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="responsibilities", verbose_name=_("organisation"))

    class Meta:
        verbose_name = _("responsibility")
        verbose_name_plural = _("responsibilities")
        constraints = [models.UniqueConstraint(fields=["division", "case_kind"], name="work_responsibility_once")]

    class Show:
        columns = ["division", "case_kind", "organisation"]
        search = ["case_kind"]
        icon = "sitemap"

    def __str__(self) -> str:
        return f"{self.division} · {self.organisation}"


class CaseNumber(models.Model):
    """The last running number of a prefix and day; the row is locked while a case is opened."""

    name = models.CharField(max_length=24, primary_key=True)
    last = models.PositiveIntegerField(default=0)
