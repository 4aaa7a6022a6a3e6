"""Pages for those who run the installation."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.event import Delivery, discard_delivery, retry_delivery
from zhongshu.kernel.job import Job
from zhongshu.kernel.pulse import read_pulses
from zhongshu.kernel.registry import registry
from zhongshu.portal.records.query import get_rows
from zhongshu.portal.records.trail import print_known
from zhongshu.portal.render import Cell, tone_of
from zhongshu.security.access import check_verb, list_verbs
from zhongshu.security.audit import AuditEntry, create_entry
from zhongshu.sense.observe.facade import list_connections, list_refused, list_refused_counts, replay_quarantine

from .pages import AUDIT, SYSTEM, render_table, table, with_right

__all__ = ["audit", "connections", "deliveries", "jobs", "processes", "refused", "replay", "retry_job", "settle_delivery"]

STALE_S = 15
SHOWN = 200
PREVIEW = 160
FIGURES = 8
QUIET = ("pid", "at", "age_s", "_us", "generation", "port")


@require_GET
@with_right(SYSTEM)
def processes(request: HttpRequest) -> HttpResponse:
    """Show every process and what it says of itself."""
    labels = [_("Process"), _("State"), _("Process id"), _("Last sign"), _("Figures")]
    rows = []
    for name, figures in read_pulses(settings.HOUSE.path("run")).items():
        silent = figures["age_s"] > STALE_S
        said = [f"{key} {value:,}" for key, value in figures.items() if isinstance(value, int) and not key.endswith(QUIET)]
        rows.append(
            [
                Cell(name, label=labels[0]),
                Cell(_("silent") if silent else _("running"), label=labels[1], badge="danger" if silent else "ok"),
                Cell(str(figures.get("pid", "–")), label=labels[2], align="end"),
                Cell(_("%(n)s s ago") % {"n": round(figures["age_s"])}, label=labels[3], align="end"),
                Cell(" · ".join(said[:FIGURES]), label=labels[4]),
            ]
        )
    advice = _("Start them with 'zhongshu run'.")
    return render_table(request, "admin", _("Processes"), table(labels, rows, ends=(2, 3)), nothing=_("No process has run here yet"), advice=advice)


@require_GET
@login_required
def connections(request: HttpRequest) -> HttpResponse:
    """Show every source: who is connected, what it sent, what was refused or forgiven."""
    kind = get_kind("sense.Connection")
    scope = check_verb(request.user, kind, "view")
    may_system = "view" in list_verbs(request.user, SYSTEM)
    labels = [_("Source"), _("Protocol"), _("State"), _("Frames"), _("Readings"), _("Refused"), _("Forgiven"), _("Last seen")]
    rows = []
    for view in list_connections(get_rows(kind, scope), strangers=may_system)[:SHOWN]:
        counted = view.counters
        url = reverse("record", args=[kind.slug, view.uid]) if view.uid else ""
        state = (_("unknown source"), "alert") if not view.uid else (_("connected"), "ok") if view.is_connected else (_("not connected"), "silent")
        rows.append(
            [
                Cell(view.source, label=labels[0], url=url, note=counted.address),
                Cell(str(dict(kind.get_field("protocol").codes).get(view.protocol, view.protocol)), label=labels[1]),
                Cell(state[0], label=labels[2], badge=state[1]),
                Cell(f"{counted.frames:,}", label=labels[3], align="end"),
                Cell(f"{counted.readings:,}", label=labels[4], align="end"),
                Cell(f"{sum(counted.refused.values()):,}", label=labels[5], align="end", note=", ".join(sorted(counted.refused))),
                Cell(f"{sum(counted.forgiven.values()):,}", label=labels[6], align="end", note=", ".join(sorted(counted.forgiven))),
                Cell("", at=view.last_seen_at, label=labels[7]) if view.last_seen_at else Cell("–", label=labels[7]),
            ]
        )
    return render_table(request, "admin-connections", _("Connections"), table(labels, rows, ends=(3, 4, 5, 6)), nothing=_("No source is registered"))


@require_GET
@with_right(SYSTEM)
def refused(request: HttpRequest) -> HttpResponse:
    """Show what was refused, with the reason, in the words of the sender, and let it be taken again."""
    labels = [_("Received"), _("Source"), _("Reason"), _("Content"), ""]
    may_act = "act" in list_verbs(request.user, SYSTEM)
    rows = []
    for one in list_refused(SHOWN):
        text = (
            one.body[:PREVIEW].decode("utf-8", "replace") if one.content_type.startswith("text") or one.content_type.endswith("json") else one.body[: PREVIEW // 2].hex()
        )
        again = Cell(_("Take again"), label="", post=reverse("admin-replay", args=[one.partition, one.id])) if may_act else Cell(" ")
        rows.append(
            [
                Cell("", at=one.received_at, label=labels[0]),
                Cell(one.source, label=labels[1]),
                Cell(one.message or one.reason, label=labels[2], note=one.reason),
                Cell(text + ("…" if one.size > PREVIEW else ""), label=labels[3], note=_("%(n)s bytes") % {"n": one.size}),
                again,
            ]
        )
    counts = " · ".join(f"{source}: {reason} {n:,}" for (source, reason), n in sorted(list_refused_counts().items(), key=lambda item: -item[1])[:6])
    return render_table(request, "admin-refused", _("Refused input"), table(labels, rows), subtitle=counts, nothing=_("Nothing was refused"))


@require_POST
@with_right(SYSTEM, "act")
def replay(request: HttpRequest, partition: str, number: int) -> HttpResponse:
    """Take one refused input again, with the profiles in force now."""
    try:
        done = replay_quarantine(partition, number)
    except LookupError as error:
        messages.error(request, str(error))
        return redirect("admin-refused")
    create_entry(request.actor, "replay", f"refused input {partition}/{number}", kind=SYSTEM)  # type: ignore[attr-defined]
    if done.taken:
        messages.success(request, _("It was taken this time."))
    else:
        messages.error(request, _("Refused again: %(why)s") % {"why": done.message})
    return redirect("admin-refused")


@require_GET
@with_right(SYSTEM)
def jobs(request: HttpRequest) -> HttpResponse:
    """Show jobs: running first, then failed, then the newest."""
    labels = [_("Job"), _("State"), _("Progress"), _("Started"), _("Took"), _("Message"), ""]
    newest = Job.objects.order_by("-id")[:SHOWN]
    order = {Job.State.RUNNING: 0, Job.State.FAILED: 1, Job.State.WAITING: 2, Job.State.DONE: 3}
    rows = []
    for job in sorted(newest, key=lambda j: (order.get(Job.State(j.state), 9), -j.pk)):
        took = job.ended_at - job.started_at if job.ended_at and job.started_at and job.state != Job.State.RUNNING else None
        retry = job.state == Job.State.FAILED
        rows.append(
            [
                Cell(job.kind, label=labels[0]),
                Cell(_state_words()[job.state], label=labels[1], badge=tone_of(job.state)),
                Cell(f"{job.progress:.0%}", label=labels[2], align="end"),
                Cell("", at=job.started_at, label=labels[3]) if job.started_at else Cell("–", label=labels[3]),
                Cell(f"{took.total_seconds():.1f}" if took is not None and took >= timedelta(0) else "–", unit="s", label=labels[4], align="end"),
                Cell(job.message or "–", label=labels[5], title=job.error[-600:]),
                Cell(_("Run again"), post=reverse("admin-job-retry", args=[job.pk]), label="") if retry else Cell(" "),
            ]
        )
    return render_table(request, "admin-jobs", _("Jobs"), table(labels, rows, ends=(2, 4)), nothing=_("No job has run yet"))


@require_POST
@with_right(SYSTEM, "act")
def retry_job(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a failed job in the queue again."""
    changed = Job.objects.filter(pk=pk, state=Job.State.FAILED).update(state=Job.State.WAITING, attempts=0, due_at=datetime.now(UTC), error="")
    if changed:
        create_entry(request.actor, "retry", f"job {pk}", kind=SYSTEM)  # type: ignore[attr-defined]
        messages.success(request, _("The job is in the queue again."))
    return redirect("admin-jobs")


@require_GET
@with_right(SYSTEM)
def deliveries(request: HttpRequest) -> HttpResponse:
    """Show deliveries that wait or were given up; the dead ones can be sent again or discarded."""
    labels = [_("Event"), _("Subscriber"), _("State"), _("Tries"), _("Since"), _("Error"), ""]
    rows = []
    for found in Delivery.objects.exclude(state=Delivery.State.DONE).select_related("event").order_by("state", "id")[:SHOWN]:
        dead = found.state == Delivery.State.DEAD
        rows.append(
            [
                Cell(found.event.name, label=labels[0], note=found.aggregate),
                Cell(found.subscriber, label=labels[1]),
                Cell(_state_words()[found.state], label=labels[2], badge=tone_of(found.state)),
                Cell(str(found.attempts), label=labels[3], align="end"),
                Cell("", at=found.event.occurred_at, label=labels[4]),
                Cell(found.error.strip().splitlines()[-1][:PREVIEW] if found.error.strip() else "–", label=labels[5], title=found.error[-600:]),
                Cell(_("Send again"), post=reverse("admin-delivery", args=[found.pk, "retry"]), label="") if dead else Cell(" "),
            ]
        )
    return render_table(request, "admin-deliveries", _("Deliveries"), table(labels, rows, ends=(3,)), nothing=_("Everything was delivered"))


@require_POST
@with_right(SYSTEM, "act")
def settle_delivery(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """Send a dead delivery again, or give it up for good."""
    settle = {"retry": retry_delivery, "discard": discard_delivery}.get(what)
    if settle is not None:
        settle(pk)
        create_entry(request.actor, what, f"delivery {pk}", kind=SYSTEM)  # type: ignore[attr-defined]
        messages.success(request, _("Done."))
    return redirect("admin-deliveries")


@require_GET
@with_right(AUDIT)
def audit(request: HttpRequest) -> HttpResponse:
    """Show the newest entries of the trail; values stay masked here."""
    labels = [_("When"), _("Who"), _("What"), _("Why")]
    rows = [
        [
            Cell("", at=entry.at, label=labels[0]),
            Cell(print_known(entry.by_name), label=labels[1], note=entry.by_address),
            Cell(
                f"{_verb_words().get(entry.verb, entry.verb)} · {_kind_word(entry.kind)}",
                label=labels[2],
                url=_entry_url(entry),
                note=f"{entry.count}×" if entry.count > 1 else "",
            ),
            Cell(print_known(entry.why) or "–", label=labels[3]),
        ]
        for entry in AuditEntry.objects.order_by("-id")[:SHOWN]
    ]
    return render_table(request, "admin-audit", _("Audit trail"), table(labels, rows), nothing=_("The trail is empty"))


def _verb_words() -> dict[str, Any]:
    return {
        "create": _("created"), "change": _("changed"), "remove": _("removed"), "look": _("looked at"), "denied": _("refused"), "export": _("exported"),
        "log-in": _("logged in"), "log-out": _("logged out"), "log-in-failed": _("log-in failed"), "locked-out": _("locked out"), "unlocked": _("unlocked"),
        "totp-added": _("second step set up"), "totp-removed": _("second step removed"), "replay": _("taken again"), "retry": _("run again"),
        "discard": _("discarded"), "restore": _("restored"),
    }  # fmt: skip


def _kind_word(name: str) -> str:
    kind = registry.find("kind", name)
    return capfirst(str(kind.label)) if kind is not None else _("System") if name == SYSTEM else name or "–"


def _entry_url(entry: AuditEntry) -> str:
    kind = registry.find("kind", entry.kind)
    return reverse("record", args=[kind.slug, entry.record_uid]) if kind is not None and entry.record_uid else ""


def _state_words() -> dict[str, Any]:
    return {"waiting": _("waiting"), "running": _("running"), "done": _("done"), "failed": _("failed"), "dead": _("given up")}
