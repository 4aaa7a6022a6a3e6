"""Records: what people work with, written only through `change`, with history and audit."""

from .change import (
    AUDIT,
    SYSTEM,
    WAKE,
    Actor,
    AuditSink,
    Change,
    WakeUp,
    WriteEntry,
    WriteOutsideChange,
    change,
    current_change,
    transaction,
)
from .fields import CodeField, CodeList, IdentityField, QuantityField, get_code_source
from .generation import get_generation, list_written_since
from .history import RecordHistory, list_history, values_as_of
from .model import Conflict, Record, RecordQuerySet
from .uid import uuid7

__all__ = [
    "AUDIT",
    "SYSTEM",
    "WAKE",
    "Actor",
    "AuditSink",
    "Change",
    "CodeField",
    "CodeList",
    "Conflict",
    "IdentityField",
    "QuantityField",
    "Record",
    "RecordHistory",
    "RecordQuerySet",
    "WakeUp",
    "WriteEntry",
    "WriteOutsideChange",
    "change",
    "current_change",
    "get_code_source",
    "get_generation",
    "list_history",
    "list_written_since",
    "transaction",
    "uuid7",
    "values_as_of",
]
