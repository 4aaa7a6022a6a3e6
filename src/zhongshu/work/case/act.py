"""Acting on a case: one door for everything people do with it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from zhongshu.kernel.record import Actor, Conflict, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now as clock_now
from zhongshu.security.identity.models import Organisation, User

from .clock import extend_limits, get_due_at, resume_limits, stop_limits
from .declare import CaseKind, parse_limit
from .events import publish_case
from .machine import ACTS, DOING, ENDED, Act, CaseState, get_act_label
from .models import Case, CaseStep
from .rights import is_allowed
from .step import add_step, enter_state

__all__ = ["ActRefused", "ActView", "CaseConflict", "do_act", "list_acts"]


class ActRefused(ValueError):
    """The act cannot be done; the message says why in the words of the person who tried."""


class CaseConflict(Conflict):
    """Somebody else acted on the case in between; the message says who, what and when."""


@dataclass(frozen=True)
class ActView:
    """An act that is possible now: `needs` is "", assignee, organisation or limit."""

    name: str
    label: str
    needs_note: bool
    confirm: bool
    needs: str


@dataclass(frozen=True)
class _Given:
    act: Act
    by: User
    note: str
    assignee: str | None
    organisation: str | None
    limit: str | None
    now: datetime


def list_acts(case_uid: str, user: User) -> tuple[ActView, ...]:
    """Return what the user may do with the case now, in the order of the work."""
    case = Case.objects.select_related("division", "organisation", "assignee").get(uid=case_uid)
    possible = [act for act in ACTS.values() if _find_obstacle(act, case, user) is None]
    return tuple(ActView(a.name, str(a.label), a.needs_note, a.confirm, a.needs) for a in possible)


def do_act(
    case_uid: str,
    act: str,
    by: User,
    note: str = "",
    *,
    version: int | None = None,
    assignee: str | None = None,
    organisation: str | None = None,
    limit: str | None = None,
) -> Case:
    """Do one act and write its step; returns the case as it is now.

    `version` is the version the person saw; a newer one raises `CaseConflict`. `assignee` and `organisation` are uids, `limit` a time such as "2
    working d". Raises `ActRefused` when the act is unknown, not
    possible in this state, not this person's, or lacks what it needs.
    """
    found = ACTS.get(act)
    if found is None:
        raise ActRefused(_("There is no act “%(act)s”.") % {"act": act})
    actor = Actor("person", by.name or by.username, str(by.uid))
    why = f"{found.name}: {note}" if note.strip() else str(found.label)
    with change(actor, why[:500]):
        case = Case.objects.select_for_update(of=("self",)).select_related("division", "organisation", "assignee").filter(uid__in=_uid(case_uid)).first()
        if case is None or not is_allowed(by, ("view",), case):
            raise ActRefused(_("There is no such case, or you may not see it."))
        _check_version(case, version)
        obstacle = _find_obstacle(found, case, by)
        if obstacle is not None:
            raise ActRefused(obstacle)
        if found.needs_note and not note.strip():
            raise ActRefused(_("“%(act)s” needs a note that says why.") % {"act": found.label})
        _apply(registry.get("case_kind", case.kind), case, _Given(found, by, note.strip(), assignee, organisation, limit, clock_now()), actor)
    return case


def _check_version(case: Case, version: int | None) -> None:
    if version is None or version == case.version:
        return
    last = CaseStep.objects.filter(case_id=case.pk).order_by("-number").first()
    if last is None:
        raise CaseConflict(_("Case %(no)s was changed after you opened it. Look at it again.") % {"no": case.case_no})
    told = {"no": case.case_no, "who": last.by_name, "act": get_act_label(last.act), "at": last.at.strftime("%H:%M:%S UTC")}
    raise CaseConflict(_("Case %(no)s was changed after you opened it: %(who)s, %(act)s, %(at)s. Look at it again.") % told)


def _find_obstacle(act: Act, case: Case, user: User) -> str | None:
    """Return why the act is not possible for this person now, or None."""
    if case.state not in act.before:
        return _("“%(act)s” is not possible: the case is %(state)s.") % {"act": act.label, "state": CaseState(case.state).label}
    if act.name == "extend" and case.overdue:
        return _("The limit is past; only a limit that still runs can be extended.")
    if not is_allowed(user, act.verbs, case):
        return _("You may not do “%(act)s” with cases of this place and organisation.") % {"act": act.label}
    if act.only == "assignee" and case.assignee_id != user.pk:
        return _("The case is assigned to %(name)s.") % {"name": case.assignee or _("nobody")}
    if act.only == "other" and (case.assignee_id == user.pk or _has_worked(case, user)):
        return _("You worked on this case; somebody else must check it.")
    return None


def _has_worked(case: Case, user: User) -> bool:
    return CaseStep.objects.filter(case_id=case.pk, act__in=DOING, by_uid=str(user.uid)).exists()


def _apply(kind: CaseKind, case: Case, given: _Given, actor: Actor) -> None:
    act, now, before = given.act, given.now, str(case.state)
    late = bool(case.step_due_at and now > case.step_due_at)
    data = _prepare(kind, case, given)
    after = case.state_before if act.name == "resume" else act.after
    moved = bool(after)
    if moved:
        if act.name == "suspend":
            stop_limits(kind, case, now)
        enter_state(kind, case, after, now)
        if act.name == "resume":
            case.step_due_at = None
            resume_limits(kind, case, now)
    if case.state in ENDED:
        case.closed_at, case.escalate_at = now, None
        case.overdue = case.overdue or bool(case.due_at and now > case.due_at)
    if act.name == "fail":
        case.rework += 1
    add_step(kind, case, act.name, actor, now, before=before, note=given.note, late=late and moved, data=data)
    case.save()
    publish_case("work.case.closed" if case.state in ENDED and moved else "work.case.changed", case, act.name)


def _prepare(kind: CaseKind, case: Case, given: _Given) -> dict[str, Any]:
    """Set what the act is given beside its note; returns what the step keeps of it."""
    needs = given.act.needs
    if needs == "assignee":
        case.assignee = _get_assignee(case, given.assignee)
        return {"assignee": str(case.assignee.uid), "assignee_name": case.assignee.name}
    if needs == "organisation":
        old, case.organisation = case.organisation, _get_organisation(given.organisation)
        case.assignee = None
        return {"organisation": str(case.organisation.uid), "organisation_name": case.organisation.name, "old": str(old.uid) if old else ""}
    if needs == "limit":
        old_due = get_due_at(case)
        try:
            extra = parse_limit(given.limit or "")
        except ValueError:
            raise ActRefused(_("Say by how much: “4 h”, “4 working h” or “2 working d”.")) from None
        extend_limits(kind, case, extra)
        return {"by": given.limit, "old_due_at": old_due.isoformat(), "due_at": get_due_at(case).isoformat()}
    if given.act.name == "return":
        case.assignee = None
    return {}


def _get_assignee(case: Case, uid: str | None) -> User:
    found = User.objects.filter(uid__in=_uid(uid), is_active=True).first()
    if found is None:
        raise ActRefused(_("Say who shall do it."))
    if not is_allowed(found, ("act",), case):
        raise ActRefused(_("%(name)s may not work on cases of this place and organisation.") % {"name": found.name})
    return found


def _get_organisation(uid: str | None) -> Organisation:
    found = Organisation.objects.filter(uid__in=_uid(uid)).first()
    if found is None:
        raise ActRefused(_("Say which organisation shall take it."))
    return found


def _uid(text: str | None) -> list[uuid.UUID]:
    """Return the identity a page sent, or nothing where it is none."""
    try:
        return [uuid.UUID(text or "")]
    except ValueError:
        return []
