"""One case: what was measured and where, until when, who did what, and what can be done now."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from zhongshu.brain.fuse.models import CityEvent
from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.time import now
from zhongshu.portal.records.address import add_page, record_url
from zhongshu.portal.records.detail import Panel, build_place_panel
from zhongshu.portal.records.trail import print_known
from zhongshu.portal.render import Cell, tone_of
from zhongshu.portal.shell import get_user, page_context
from zhongshu.security.access import Scope, scope_for
from zhongshu.security.identity.models import Organisation, User
from zhongshu.sense.observe.models import Alarm
from zhongshu.work.case import ActRefused, ActView, CaseConflict, CaseView, LimitView, TrailRow, do_act, find_case, list_acts
from zhongshu.work.case.models import Case

from .event import build_signal_table
from .todo import format_left

__all__ = ["act", "case", "case_geojson"]

AROUND = timedelta(hours=12)
NOBODY = UUID(int=0)


@add_page("work.Case")
def case_url(record: Case) -> str:
    """A case is shown by its own page, not by its fields."""
    return reverse("case", args=[record.uid])


@login_required
def case(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Show a case."""
    view = _find(request, uid)
    acts = list_acts(str(uid), get_user(request))
    context = {
        **page_context(request, "work-case", view.title),
        "subtitle": f"{view.case_no} · {view.kind_label}",
        "badges": _build_badges(view),
        "crumbs": [{"label": _("Cases"), "url": reverse("records", args=["work-case"])}],
        "actions": [_build_action(view, a, first=i == 0) for i, a in enumerate(acts)],
        "panels": _build_panels(view, scope_for(request.user, "kernel.Division", "view")),
        "related": [],
        "trail": _build_trail(view),
        "with_map": view.lon is not None,
        "with_chart": bool(view.event and view.event.signals),
        "case": view,
    }
    return render(request, "portal/desk/detail.html", context)


@login_required
def act(request: HttpRequest, uid: UUID, name: str) -> HttpResponse:
    """Ask for what an act needs, then do it."""
    view = _find(request, uid)
    found = next((a for a in list_acts(str(uid), get_user(request)) if a.name == name), None)
    if found is None:
        messages.error(request, _("This is not possible with the case any more, or not for you."))
        return redirect("case", uid)
    form = ActForm(found, view, request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            done = do_act(
                str(uid),
                name,
                get_user(request),
                given["note"],
                version=given["version"],
                assignee=given.get("assignee") or None,
                organisation=given.get("organisation") or None,
                limit=given.get("limit") or None,
            )
        except (ActRefused, CaseConflict) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("%(no)s: %(act)s.") % {"no": done.case_no, "act": found.label})
            return redirect("case", uid)
    context = {
        **page_context(request, "work-case", f"{found.label} · {view.title}"),
        "intro": f"{view.case_no} · {view.kind_label} · {view.organisation or '–'}",
        "crumbs": [{"label": view.case_no, "url": reverse("case", args=[uid])}],
        "form": form,
        "submit_label": found.label,
        "confirm_label": found.label,
        "question": _("%(act)s — %(title)s?") % {"act": found.label, "title": view.title},
        "consequences": [],
        "irreversible": name in ("pass", "void"),
        "danger": name == "void",
        "cancel_url": reverse("case", args=[uid]),
    }
    return render(request, "portal/desk/confirm.html" if found.confirm else "portal/desk/form.html", context, status=400 if form.errors else 200)


@login_required
def case_geojson(request: HttpRequest, uid: UUID) -> JsonResponse:
    """Return the place of a case for the small map of its page."""
    view = _find(request, uid)
    place = {"type": "Point", "coordinates": [view.lon, view.lat]}
    point = {"type": "Feature", "id": view.uid, "geometry": place, "properties": {"uid": view.uid, "name": view.title, "band": view.level, "url": ""}}
    return JsonResponse({"type": "FeatureCollection", "features": [point] if view.lon is not None else []})


class ActForm(forms.Form):
    """What an act needs: always a note field, and the assignee, organisation or limit where it asks for one."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(required=False, max_length=2000, widget=forms.Textarea)

    def __init__(self, wanted: ActView, view: CaseView, data: Any) -> None:
        super().__init__(data, initial={"version": view.version})
        self.fields["note"].label = _("Note")
        self.fields["note"].required = wanted.needs_note
        self.fields["note"].help_text = _("Stands in the trail beside your name.")
        if wanted.needs == "assignee":
            people = User.objects.filter(is_active=True, organisation__uid=view.organisation_uid or NOBODY).order_by("name")
            self.fields["assignee"] = forms.ChoiceField(label=_("Assign to"), choices=[(str(u.uid), f"{u.name} {u.post or ''}".strip()) for u in people])
        elif wanted.needs == "organisation":
            found = Organisation.objects.exclude(uid=view.organisation_uid or NOBODY).order_by("left")
            self.fields["organisation"] = forms.ChoiceField(label=_("Organisation"), choices=[(str(o.uid), o.name) for o in found])
        elif wanted.needs == "limit":
            choices = [("4 h", _("4 hours")), ("1 working d", _("1 working day")), ("2 working d", _("2 working days")), ("5 working d", _("5 working days"))]
            self.fields["limit"] = forms.ChoiceField(label=_("Longer by"), choices=choices)
        self.order_fields([name for name in self.fields if name != "note"])  # what is decided first, then why


def _find(request: HttpRequest, uid: UUID) -> CaseView:
    view = find_case(str(uid), get_user(request))
    if view is None:
        raise Http404(_("There is no such case, or your rights do not reach it."))
    return view


def _build_badges(view: CaseView) -> list[dict[str, str]]:
    badges = [{"tone": tone_of(view.level), "text": _level(view.level)}, {"tone": tone_of(view.state), "text": view.state_label}]
    if view.overdue:
        badges.append({"tone": "danger", "text": _("overdue")})
    if view.escalation:
        badges.append({"tone": "alert", "text": _("escalated to %(who)s") % {"who": view.escalated_to or "–"}})
    return badges


def _level(level: str) -> str:
    return {"red": _("red"), "orange": _("orange"), "yellow": _("yellow"), "blue": _("blue")}.get(level, level)


def _build_action(view: CaseView, possible: ActView, first: bool) -> dict[str, Any]:
    quiet = possible.name in ("note", "urge", "void", "suspend", "extend", "return")
    return {"label": possible.label, "url": reverse("case-act", args=[view.uid, possible.name]), "primary": first and not quiet, "danger": possible.name == "void"}


def _build_panels(view: CaseView, divisions: Scope) -> list[Panel]:
    facts = [
        Cell(view.organisation or "–", label=_("Responsible")),
        Cell(view.assignee or _("nobody yet"), label=_("Assigned to")),
        Cell("", label=_("Opened"), at=view.opened_at),
        *(_build_limit(limit) for limit in view.limits),
    ]
    if view.closed_at:
        facts.append(Cell("", label=_("Closed"), at=view.closed_at))
    if view.rework:
        facts.append(Cell(str(view.rework), label=_("Worked again")))
    panels = [Panel(_("Case"), facts)]
    panels += _build_measured(view)
    record = Case.objects.select_related("division").get(uid=view.uid)
    place = build_place_panel(record, view.title, reverse("case-geojson", args=[view.uid]), divisions)
    return [*panels, place] if place is not None else panels


def _build_limit(limit: LimitView) -> Cell:
    label = _("Whole case until") if limit.name == "total" else _("This step until")
    if limit.due_at is None:
        return Cell(_("clock stopped, %(left)s left") % {"left": format_left(limit.left_s)}, label=label)
    note = _("overdue by %(time)s") % {"time": format_left(limit.left_s)} if limit.overdue else _("%(left)s left") % {"left": format_left(limit.left_s)}
    if limit.first_due_at and limit.first_due_at != limit.due_at:
        note += " · " + _("first limit %(at)s") % {"at": f"{localtime(limit.first_due_at):%m-%d %H:%M}"}
    return Cell("", label=label, at=limit.due_at, note=note)


def _build_measured(view: CaseView) -> list[Panel]:
    if view.event is None:
        return []
    signals = view.event.signals
    title = _("What was measured") + (f" ({view.event.count})" if view.event.count > 1 else "")
    event = CityEvent.objects.filter(uid=view.event.uid).first()
    panels = [Panel(title, table=build_signal_table(signals), url=record_url(get_kind("brain.CityEvent"), event) if event is not None else "")]
    alarm = Alarm.objects.select_related("stream").filter(uid__in=[s.alarm for s in signals if s.alarm]).order_by("-started_at").first()
    if alarm is not None:
        until = min((view.event.ended_at or now()) + AROUND / 4, now())
        asked = f"from={(alarm.started_at - AROUND).isoformat()}&until={until.isoformat()}".replace("+", "%2B")
        panels.append(Panel(alarm.title, chart={"src": f"{reverse('stream-series', args=[alarm.stream.uid])}?{asked}"}))
    return panels


def _print_act(row: TrailRow) -> str:
    same = row.state_to == row.state_from or row.label.casefold() == row.state_label.casefold()
    return row.label if same else f"{row.label} → {row.state_label}"


def _build_trail(view: CaseView) -> list[dict[str, Any]]:
    return [
        {
            "at": row.at,
            "who": print_known(row.by),
            "text": _print_act(row),
            "note": row.note,
            "tone": "danger" if row.late or row.act in ("overdue", "step_overdue", "escalate") else "ok" if row.act in ("pass", "report") else "info",
        }
        for row in reversed(view.trail)
    ]
