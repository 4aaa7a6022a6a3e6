"""Who may do what on which rows: roles, grants, and the scope that follows from them."""

from .grant import create_grant, end_grant
from .look import reveal
from .models import ClassCode, Grant, Role, RoleOrigin
from .policy import Denied, check_verb, list_held_roles, list_verbs, scope_for
from .roles import BASE_ROLES, SEPARATE, VERBS, RoleSpec, declare_verbs, list_role_specs, sync_roles
from .scope import NOTHING, Clause, Interval, Row, Scope, get_row, list_paths

__all__ = [
    "BASE_ROLES",
    "NOTHING",
    "SEPARATE",
    "VERBS",
    "ClassCode",
    "Clause",
    "Denied",
    "Grant",
    "Interval",
    "Role",
    "RoleOrigin",
    "RoleSpec",
    "Row",
    "Scope",
    "check_verb",
    "create_grant",
    "declare_verbs",
    "end_grant",
    "get_row",
    "list_held_roles",
    "list_paths",
    "list_role_specs",
    "list_verbs",
    "reveal",
    "scope_for",
    "sync_roles",
]
