"""Who there is: organisations, posts, people, devices, and how they prove it."""

from .credential import close_credential, create_credential, find_credential, has_secret, load_credentials
from .limit import Limit
from .models import Organisation, OrganisationKind, Owned, Post, User
from .people import (
    change_organisation,
    change_password,
    change_user,
    close_user,
    create_organisation,
    create_post,
    create_user,
    get_actor,
    open_user,
    unlock_user,
)
from .session import LogInRefused, SessionInfo, confirm_log_in, end_session, end_sessions, find_session_user, list_sessions, log_in, log_out
from .token import create_token, find_token, revoke_token
from .token_models import Credential, Token
from .totp import Enrolment, begin_totp, confirm_totp, has_totp, remove_totp
from .tree import TreeError, number_tree, renumber_organisations

__all__ = [
    "Credential",
    "Enrolment",
    "Limit",
    "LogInRefused",
    "Organisation",
    "OrganisationKind",
    "Owned",
    "Post",
    "SessionInfo",
    "Token",
    "TreeError",
    "User",
    "begin_totp",
    "change_organisation",
    "change_password",
    "change_user",
    "close_credential",
    "close_user",
    "confirm_totp",
    "create_credential",
    "create_organisation",
    "create_post",
    "create_token",
    "create_user",
    "confirm_log_in",
    "end_session",
    "end_sessions",
    "find_credential",
    "find_session_user",
    "find_token",
    "get_actor",
    "has_secret",
    "has_totp",
    "list_sessions",
    "load_credentials",
    "log_in",
    "log_out",
    "number_tree",
    "open_user",
    "remove_totp",
    "renumber_organisations",
    "revoke_token",
    "unlock_user",
]
