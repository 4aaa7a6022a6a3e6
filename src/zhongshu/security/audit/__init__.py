"""The trail: who did what, sealed so that a change, removal or insertion is found."""

from .models import AppendOnly, AuditEntry, AuditSeal
from .sink import HIDDEN, TrailSink, create_entry

__all__ = ["HIDDEN", "AppendOnly", "AuditEntry", "AuditSeal", "TrailSink", "create_entry"]
