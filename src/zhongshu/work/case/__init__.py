"""Cases: what people do about it, from opening to closing, on the clock and on the record."""

from .act import ActRefused, ActView, CaseConflict, do_act, list_acts
from .deadline import check_deadlines
from .declare import CaseKind, TimeLimit, parse_limit
from .machine import CaseState
from .open import open_case
from .responsible import find_responsible
from .rights import VERBS
from .table import CASES, case_table
from .todo import TodoRow, list_todo
from .view import CaseView, LimitView, TrailRow, find_case

__all__ = [
    "CASES",
    "VERBS",
    "ActRefused",
    "ActView",
    "CaseConflict",
    "CaseKind",
    "CaseState",
    "CaseView",
    "LimitView",
    "TimeLimit",
    "TodoRow",
    "TrailRow",
    "case_table",
    "check_deadlines",
    "do_act",
    "find_case",
    "find_responsible",
    "list_acts",
    "list_todo",
    "open_case",
    "parse_limit",
]
