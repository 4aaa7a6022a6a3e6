"""From grants to a scope: who may do what, now. Nothing is allowed that no grant gives."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import KindSpec, get_kind
from zhongshu.kernel.registry import registry
from zhongshu.security.classify import DataClass, get_class
from zhongshu.security.identity.models import User
from zhongshu.security.version import get_rights_version

from .models import Grant
from .scope import NOTHING, Clause, Interval, Scope, get_row

__all__ = ["Denied", "check_verb", "list_held_roles", "list_verbs", "scope_for"]

REMEMBERED = 10_000
_cache: dict[int, tuple[str, tuple["Held", ...]]] = {}  # user → version of rights, grants


class Denied(PermissionDenied):
    """The user may not do this; the message says what and on which kind."""


@dataclass(frozen=True)
class Held:
    """One grant as the policy needs it; intervals are None where the grant is not restricted, empty where its tree is not numbered."""

    role: str
    verbs: dict[str, list[str]]
    ceiling: int
    divisions: tuple[Interval, ...] | None
    organisations: tuple[Interval, ...] | None
    valid_from: datetime | None
    valid_until: datetime | None
    purpose: str
    require_totp: bool

    def verbs_on(self, kind: str) -> frozenset[str]:
        """Return the verbs on a kind, from the most particular entry: the kind, its app, everything."""
        for name in (kind, f"{kind.partition('.')[0]}.*", "*"):
            if name in self.verbs:
                return frozenset(self.verbs[name])
        return frozenset()


def scope_for(user: Any, kind: KindSpec | str, verb: str, now: datetime | None = None) -> Scope:
    """Return what `user` may `verb` of a kind at `now`; empty for nobody, for inactive users and without a grant.

    A grant counts from `valid_from` until before `valid_until`; of a role that needs a second factor only while the session has shown one; under an API token
    only as far as the token's limit. `kind` may be a name without a spec (`security.AuditEntry`). A revoked grant stops counting in every
    process within a second. Trees do not restrict kinds of public class that have no place in any tree (lists of codes and the like), nor does the tree of
    organisations restrict looking at a public kind that belongs to none (the map of divisions); every other kind without a path is closed to restricted grants.
    """
    if user is None or not getattr(user, "pk", None) or not user.is_active:
        return NOTHING
    spec: KindSpec | None = kind if isinstance(kind, KindSpec) else registry.find("kind", kind)
    name = spec.name if spec else str(kind)
    at = now or datetime.now(UTC)
    public = spec is not None and get_class(spec.level) is DataClass.PUBLIC
    free = spec is not None and public and not (spec.scope_division or spec.scope_organisation)
    common = spec is not None and public and not spec.scope_organisation and verb == "view"
    clauses = []
    for held in _list_counting(user, at):
        verbs = held.verbs_on(name)
        if user.limit is not None and user.limit.verbs:
            verbs &= user.limit.verbs
        if verb in verbs:
            clauses.append(Clause(None if free else held.divisions, None if free or common else held.organisations, held.ceiling, verbs, held.purpose))
    return Scope(tuple(dict.fromkeys(clauses)))


def list_verbs(user: Any, kind: KindSpec | str) -> frozenset[str]:
    """Return every verb the user has on some row of a kind: for menus and buttons, never instead of a check."""
    name = kind.name if isinstance(kind, KindSpec) else kind
    verbs = frozenset[str]().union(*(held.verbs_on(name) for held in _list_counting(user, datetime.now(UTC))))
    return verbs & user.limit.verbs if verbs and user.limit is not None and user.limit.verbs else verbs


def list_held_roles(user: Any) -> list[str]:
    """Return the codes of the roles that count for the user now."""
    return sorted({held.role for held in _list_counting(user, datetime.now(UTC))})


def check_verb(user: Any, kind: KindSpec | str, verb: str, record: Any = None) -> Scope:
    """Return the scope, or raise `Denied` when the user has no right to `verb` the kind, or not this record of it."""
    spec = kind if isinstance(kind, KindSpec) else registry.find("kind", kind)
    name = spec.name if spec else kind
    scope = scope_for(user, spec or name, verb)
    if not scope:
        raise Denied(_("You may not %(verb)s %(kind)s.") % {"verb": _word(verb), "kind": spec.label_plural if spec else name})
    if record is not None and not scope.allows(get_row(spec or get_kind(str(name)), record)):
        raise Denied(_("You may not %(verb)s this %(kind)s: it lies outside what you were granted.") % {"verb": _word(verb), "kind": spec.label if spec else name})
    return scope


def _list_counting(user: Any, at: datetime) -> list[Held]:
    if user is None or not getattr(user, "pk", None) or not user.is_active:
        return []
    shown = user.limit is not None or bool(getattr(user, "is_verified", None) and user.is_verified())
    role = user.limit.role if user.limit is not None else ""
    return [
        held
        for held in _get_held(user.pk)
        if (not role or held.role == role)
        and (held.valid_from is None or held.valid_from <= at)
        and (held.valid_until is None or at < held.valid_until)
        and (shown or not held.require_totp)
    ]


def _get_held(user_id: int) -> tuple[Held, ...]:
    version = get_rights_version()
    found = _cache.get(user_id)
    if found is None or found[0] != version:
        if len(_cache) >= REMEMBERED:
            _cache.clear()
        # The version was read first: if rights change in between, what is remembered is newer than it says and is read once more, never older.
        found = _cache[user_id] = (version, _load_held(user_id))
    return found[1]


def _load_held(user_id: int) -> tuple[Held, ...]:
    user = User.objects.filter(pk=user_id, is_active=True).only("id", "post_id").first()
    if user is None:
        return ()
    to_user = Q(user_id=user_id) | (Q(post_id=user.post_id) if user.post_id else Q(pk__in=[]))
    grants = Grant.objects.filter(to_user).select_related("role", "organisation", "division").order_by("id")
    return tuple(_build_held(grant) for grant in grants)


def _build_held(grant: Grant) -> Held:
    ceiling = get_class(grant.role.ceiling)
    return Held(
        role=grant.role.code,
        verbs=grant.role.verbs,
        ceiling=min(ceiling, get_class(grant.ceiling)) if grant.ceiling else ceiling,
        divisions=_build_span(grant.division),
        organisations=_build_span(grant.organisation),
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        purpose=grant.purpose,
        require_totp=grant.role.require_totp,
    )


def _build_span(tree: Any) -> tuple[Interval, ...] | None:
    if tree is None:
        return None
    return ((tree.left, tree.right),) if tree.left >= 1 else ()


def _word(verb: str) -> str:
    words = {
        "view": _("view"),
        "create": _("create"),
        "change": _("change"),
        "remove": _("remove"),
        "export": _("export"),
        "act": _("act on"),
        "check": _("check"),
        "reveal": _("reveal"),
        "assign": _("assign"),
        "dispatch": _("dispatch"),
        "void": _("void"),
    }
    return words.get(verb, verb)
