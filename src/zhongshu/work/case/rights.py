"""Who may do what with which case: the verbs of a case, asked of the house's rights."""

from collections.abc import Sequence

from django.db.models import Q

from zhongshu.kernel.derive import get_kind
from zhongshu.security.access import declare_verbs, get_row, scope_for
from zhongshu.security.identity.models import User

from .models import Case

__all__ = ["VERBS", "filter_cases", "is_allowed"]

KIND = "work.Case"
VERBS = ("view", "act", "assign", "check", "dispatch", "void")
"""The verbs of a case. act (take, work, return) and assign are for the responsible organisation, dispatch (route, extend, suspend, urge) for command,
check and void for supervision: CJJ/T 106-2010 keeps
the three apart; who holds more than one of them still never checks what they worked on."""

# local: zhongshu; a city changes roles on the page
declare_verbs("work", "officer", {KIND: ["view", "act", "assign"]})
declare_verbs("work", "checker", {KIND: ["view", "check"]})
declare_verbs("work", "duty-officer", {KIND: ["view", "create", "assign", "dispatch", "void"]})
declare_verbs("work", "leader", {KIND: ["view", "export", "dispatch", "void"]})


def is_allowed(user: User, verbs: Sequence[str], case: Case) -> bool:
    """Tell whether the user has one of the verbs on this case; load it with its division and organisation."""
    row = get_row(get_kind(KIND), case)
    return any(scope_for(user, KIND, verb).allows(row) for verb in verbs)


def filter_cases(user: User, verb: str) -> Q:
    """Return the cases on which the user has the verb, as a filter."""
    return scope_for(user, KIND, verb).q(get_kind(KIND))
