"""The case machine as data: states, and the acts that lead from one to another."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.record import CodeList

__all__ = ["ACTS", "DOING", "ENDED", "SYSTEM_ACTS", "Act", "CaseState", "get_act_label"]


@CodeList.of("CJJ/T 106-2010 (filing, dispatch, handling, feedback, checking and closing), with return, suspension and voiding of published local rules")
class CaseState(CodeList):
    """Where a case stands."""

    OPENED = "opened", _("opened")
    ACCEPTED = "accepted", _("accepted")
    ASSIGNED = "assigned", _("assigned")
    ACTING = "acting", _("being worked on")
    CHECKING = "checking", _("being checked")
    CLOSED = "closed", _("closed")
    RETURNED = "returned", _("returned")
    SUSPENDED = "suspended", _("suspended")
    VOID = "void", _("void")


ENDED = frozenset({CaseState.CLOSED, CaseState.VOID})
OPEN = frozenset(CaseState) - ENDED
MOVING = OPEN - {CaseState.SUSPENDED}
HANDLING = frozenset({CaseState.ACCEPTED, CaseState.ASSIGNED, CaseState.ACTING})


@dataclass(frozen=True)
class Act:
    """What a person can do with a case.

    `after` "" leaves the state as it is (`resume` returns to the state before). it takes one of the rights `verbs`; `only` narrows it: "assignee" the
    person the case is assigned to, "other" nobody who
    worked on it. `needs` names what must be given beside the note: assignee, organisation or limit.
    """

    name: str
    label: Any
    before: frozenset[CaseState]
    after: str
    verbs: tuple[str, ...]
    needs_note: bool = False
    confirm: bool = False
    only: str = ""
    needs: str = ""


_S = CaseState
ANY = ("act", "assign", "check", "dispatch", "void")
ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        Act("accept", _("Accept"), frozenset({_S.OPENED}), _S.ACCEPTED, ("act",)),
        Act("assign", _("Assign"), HANDLING, _S.ASSIGNED, ("assign",), needs="assignee"),
        Act("start", _("Start work"), frozenset({_S.ASSIGNED}), _S.ACTING, ("act",), only="assignee"),
        Act("report", _("Done, send for checking"), frozenset({_S.ACTING}), _S.CHECKING, ("act",), needs_note=True, only="assignee"),
        Act("pass", _("Checked, close"), frozenset({_S.CHECKING}), _S.CLOSED, ("check",), confirm=True, only="other"),
        Act("fail", _("Not good, work again"), frozenset({_S.CHECKING}), _S.ACTING, ("check",), needs_note=True, only="other"),
        Act("return", _("Return, not ours"), frozenset({_S.OPENED}) | HANDLING, _S.RETURNED, ("act",), needs_note=True, confirm=True),
        Act("route", _("Give to another organisation"), frozenset({_S.OPENED, _S.RETURNED}), _S.OPENED, ("dispatch",), needs_note=True, needs="organisation"),
        Act("extend", _("Extend the limit"), frozenset({_S.OPENED}) | HANDLING, "", ("dispatch",), needs_note=True, needs="limit"),
        Act("suspend", _("Suspend"), HANDLING, _S.SUSPENDED, ("dispatch",), needs_note=True, confirm=True),
        Act("resume", _("Resume"), frozenset({_S.SUSPENDED}), "", ("dispatch",)),
        Act("void", _("Void"), OPEN, _S.VOID, ("void",), needs_note=True, confirm=True),
        Act("urge", _("Urge"), MOVING, "", ("dispatch",), needs_note=True),
        Act("note", _("Add a note"), frozenset(_S), "", ANY, needs_note=True),
    )
}

DOING = ("start", "report")
"""Who did one of these worked on the case, and never checks it (supervision and handling are kept apart, CJJ/T 106-2010)."""

SYSTEM_ACTS: dict[str, Any] = {
    "open": _("Opened"),
    "cleared": _("The alarms are over"),
    "worse": _("The level rose"),
    "again": _("It began again"),
    "step_overdue": _("The step is overdue"),
    "overdue": _("The case is overdue"),
    "escalate": _("Told to the superior organisation"),
}


def get_act_label(name: str) -> Any:
    """Return the label of an act of a person or of the system."""
    return ACTS[name].label if name in ACTS else SYSTEM_ACTS[name]
