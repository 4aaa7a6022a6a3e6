"""Roles declared as code: the base roles of every city and those of packs; kept equal in the records by `sync_roles`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop

from zhongshu.kernel.pack import Pack, PackError
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.registry import registry

from .models import Role, RoleOrigin

__all__ = ["BASE_ROLES", "SEPARATE", "VERBS", "RoleSpec", "declare_verbs", "list_role_specs", "sync_roles"]

VERBS = ("view", "create", "change", "remove", "export", "act", "check", "reveal")
WRITE = ["view", "create", "change", "remove"]
PEOPLE = ("security.Organisation", "security.Post", "security.User")
KEYS = ("security.Role", "security.Grant", "security.Token", "security.Credential")
SEE_PEOPLE = {kind: ["view"] for kind in PEOPLE}
SEPARATE = frozenset({"administrator", "security-officer", "auditor"})


@dataclass(frozen=True)
class RoleSpec:
    """A role as code; `verbs` as in `Role.verbs`, `name` an English msgid."""

    code: str
    name: str
    verbs: Mapping[str, list[str]]
    ceiling: str = "internal"
    origin: str = "base"


# The first three are kept apart as GB/T 22239-2019 asks (8.1.5.1 system, 8.1.5.2 audit, 8.1.5.3 security management): nobody holds two of them (`SEPARATE`).
BASE_ROLES: tuple[RoleSpec, ...] = (
    RoleSpec(
        "administrator",
        gettext_noop("System administrator"),
        {"sense.*": WRITE, "kernel.*": WRITE, "security.Credential": WRITE, "ops.System": ["view", "act"], **dict.fromkeys(PEOPLE, WRITE)},
        "sensitive",
    ),
    RoleSpec(
        "security-officer",
        gettext_noop("Security officer"),
        {**SEE_PEOPLE, **dict.fromkeys(KEYS, WRITE)},
        "sensitive",
    ),
    RoleSpec("auditor", gettext_noop("Auditor"), {"security.*": ["view"], "security.AuditEntry": ["view", "export"], "kernel.Division": ["view"]}),
    RoleSpec(
        "duty-officer",
        gettext_noop("Duty officer"),
        {"kernel.Division": ["view"], "sense.*": ["view"], "brain.*": ["view"], "work.*": ["view", "create", "change", "act"], **SEE_PEOPLE},
    ),
    RoleSpec(
        "leader",
        gettext_noop("Leader"),
        {"kernel.Division": ["view"], "sense.*": ["view"], "brain.*": ["view", "export"], "work.*": ["view", "export"], **SEE_PEOPLE},
    ),
    RoleSpec(
        "officer",
        gettext_noop("Officer"),
        {"kernel.Division": ["view"], "sense.*": ["view"], "brain.*": ["view"], "work.*": ["view", "create", "change", "act"], **SEE_PEOPLE},
    ),
    RoleSpec(
        "checker",
        gettext_noop("Checker"),
        {"kernel.Division": ["view"], "sense.*": ["view"], "brain.*": ["view"], "work.*": ["view", "act", "check"], **SEE_PEOPLE},
    ),
    RoleSpec("device-engineer", gettext_noop("Device engineer"), {"kernel.Division": ["view"], "sense.*": WRITE, "security.Credential": WRITE}),
    RoleSpec("citizen", gettext_noop("Citizen"), {"kernel.Division": ["view"]}, "public"),
)


def declare_verbs(owner: str, role: str, verbs: Mapping[str, list[str]]) -> None:
    """Give a base role verbs on the kinds of a floor (`owner`), when its app is ready: `declare_verbs("work", "checker", {"work.Case": ["view", "check"]})`."""
    _check_verbs(f"{owner} → {role}", verbs)
    registry.add("role_verbs", f"{owner}.{role}", dict(verbs))


def list_role_specs(packs: Iterable[Pack]) -> list[RoleSpec]:
    """Return all roles that code declares, base roles first.

    A pack's role `officer` becomes `<pack>.officer`; its bare kind names are the pack's own. Raises `PackError` for a verb that is no word.
    """
    specs = [RoleSpec(s.code, s.name, _merge(s.verbs, s.code), s.ceiling, s.origin) for s in BASE_ROLES]
    for pack in packs:
        for name, per_kind in pack.roles.items():
            verbs = {kind if "." in kind or kind == "*" else f"{pack.id}.{kind}": list(given) for kind, given in per_kind.items()}
            _check_verbs(f"pack {pack.id}, role {name}", verbs)
            specs.append(RoleSpec(f"{pack.id}.{name}", f"{pack.name_en}: {name}", verbs, origin="pack"))
    return specs


def sync_roles(packs: Iterable[Pack]) -> int:
    """Make the records equal to the declared roles; returns how many were written.

    The roles of a pack that is gone stay, without verbs. Local roles are not touched, nor is anybody's `require_totp`.
    """
    known = {role.code: role for role in Role.objects.all()}
    written = 0
    with change(SYSTEM, "roles as this version declares them"):
        specs = {spec.code: spec for spec in list_role_specs(packs)}
        for code, spec in specs.items():
            role = known.get(code) or Role(code=code)
            written += _bring(role, {"name": spec.name, "origin": spec.origin, "verbs": dict(spec.verbs), "ceiling": spec.ceiling})
        for code, role in known.items():
            if code not in specs and role.origin != RoleOrigin.LOCAL:
                written += _bring(role, {"verbs": {}})
    return written


def _bring(role: Role, wanted: Mapping[str, Any]) -> int:
    if role.pk and all(getattr(role, name) == value for name, value in wanted.items()):
        return 0
    for name, value in wanted.items():
        setattr(role, name, value)
    role.save()
    return 1


def _merge(verbs: Mapping[str, list[str]], role: str) -> dict[str, list[str]]:
    merged = {kind: list(given) for kind, given in verbs.items()}
    for name, extra in registry.list("role_verbs").items():
        if name.partition(".")[2] == role:
            for kind, given in extra.items():
                merged[kind] = list(dict.fromkeys([*merged.get(kind, []), *given]))
    return merged


def _check_verbs(where: str, verbs: Mapping[str, list[str]]) -> None:
    for kind, given in verbs.items():
        unknown = [verb for verb in given if not verb.replace("-", "_").isidentifier() or verb != verb.lower()]
        if unknown:
            raise PackError(f"{where}: {unknown[0]!r} on {kind} is not a verb; verbs are lower-case words such as {', '.join(VERBS)}")
