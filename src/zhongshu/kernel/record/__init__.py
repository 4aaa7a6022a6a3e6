"""Records: what people work with, written only through `change`, with history and audit."""

from .change import (
    AUDIT,
    SYSTEM,
    Actor,
    AuditSink,
    Change,
    WriteEntry,
    WriteOutsideChange,
    change,
    current_change,
    transaction,
)
from .fields import CodeField, CodeList, IdentityField, QuantityField, get_code_source
from .history import RecordHistory, list_history, values_as_of
from .model import Conflict, Record, RecordQuerySet
from .uid import uuid7

__all__ = [
    "AUDIT",
    "SYSTEM",
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
    "WriteEntry",
    "WriteOutsideChange",
    "change",
    "current_change",
    "get_code_source",
    "list_history",
    "transaction",
    "uuid7",
    "values_as_of",
]
