"""All tables of this floor, gathered for Django."""

from .audit.models import AuditEntry, AuditSeal
from .identity.models import Organisation, Post, User

__all__ = ["AuditEntry", "AuditSeal", "Organisation", "Post", "User"]
