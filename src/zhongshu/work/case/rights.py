"""Who may do what with which case; nobody anything until the rights of the house say so."""

from typing import Protocol

from django.db.models import Q

from zhongshu.kernel.port import Port
from zhongshu.security.identity.models import User

from .models import Case

__all__ = ["RIGHTS", "VERBS", "CaseRights"]

VERBS = ("view", "accept", "assign", "act", "check", "dispatch", "void", "note")
"""The rights a case knows. accept, assign and act belong to the responsible organisation; check and void to supervision; dispatch to command (CJJ/T 106-2010 keeps them apart)."""


class CaseRights(Protocol):
    """How the case room asks for rights."""

    def may(self, user: User, verb: str, case: Case) -> bool:
        """Tell whether the user has the verb on this case."""

    def filter(self, user: User, verb: str) -> Q:
        """Return the cases on which the user has the verb, as a filter."""


class _Nobody:
    def may(self, user: User, verb: str, case: Case) -> bool:
        return False

    def filter(self, user: User, verb: str) -> Q:
        return Q(pk__in=[])


RIGHTS: Port[CaseRights] = Port("work.case.rights", default=_Nobody())
