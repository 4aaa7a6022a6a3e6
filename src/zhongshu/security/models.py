"""All tables of this floor, gathered for Django."""

from .access.models import Grant, Role
from .audit.models import AuditEntry, AuditSeal
from .identity.models import Organisation, Post, User
from .identity.token_models import Credential, Token, TokenUse, UserSession
from .version import RightsState

__all__ = ["AuditEntry", "AuditSeal", "Credential", "Grant", "Organisation", "Post", "RightsState", "Role", "Token", "TokenUse", "User", "UserSession"]
