"""The trail: who did what, sealed so that a change, removal or insertion is found."""

from .key import SealKeyMissing
from .models import AppendOnly, AuditEntry, AuditSeal
from .seal import seal_due
from .sink import HIDDEN, TrailSink, create_entry
from .trail import TrailLine, list_trail
from .verify import AuditReport, Finding, verify_audit

__all__ = [
    "HIDDEN",
    "AppendOnly",
    "AuditEntry",
    "AuditReport",
    "AuditSeal",
    "Finding",
    "SealKeyMissing",
    "TrailLine",
    "TrailSink",
    "create_entry",
    "list_trail",
    "seal_due",
    "verify_audit",
]
