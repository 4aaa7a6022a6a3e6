"""Giving and taking roles."""

from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import Actor, change
from zhongshu.security.identity.models import Organisation, Post, User

from .models import Grant, Role
from .roles import SEPARATE

__all__ = ["create_grant", "end_grant"]


def create_grant(
    by: Actor,
    why: str,
    role: str,
    *,
    user: User | None = None,
    post: Post | None = None,
    organisation: Organisation | None = None,
    division: Division | None = None,
    ceiling: str = "",
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    purpose: str = "",
) -> Grant:
    """Give a role to a user or to whoever holds a post. Raises `ValidationError`, also when somebody would hold two of the roles that must stay apart (`SEPARATE`)."""
    chosen = Role.objects.filter(code=role).first()
    if chosen is None:
        raise ValidationError(_("There is no role %(role)s."), params={"role": role})
    grant = Grant(role=chosen, user=user, post=post, organisation=organisation, division=division, ceiling=ceiling, purpose=purpose)
    grant.valid_from, grant.valid_until = valid_from, valid_until
    with change(by, why):
        grant.full_clean(exclude=["recorded_at", "changed_at"])
        _check_separation(grant)
        grant.save()
    return grant


def end_grant(by: Actor, why: str, grant: Grant) -> None:
    """Take a role away now; the grant stays readable as what it was."""
    now = datetime.now(UTC)
    grant.valid_until = min(grant.valid_until or now, now)
    with change(by, why):
        grant.save()


def _check_separation(grant: Grant) -> None:
    if grant.role.code not in SEPARATE:
        return
    others = SEPARATE - {grant.role.code}
    people = [grant.user] if grant.user is not None else list(User.objects.filter(post=grant.post))
    open_grants = Grant.objects.filter(role__code__in=others).exclude(valid_until__lte=datetime.now(UTC)).select_related("role")
    for person in people:
        clash = open_grants.filter(user=person).first() or (open_grants.filter(post_id=person.post_id).first() if person.post_id else None)
        if clash is not None:
            raise ValidationError(_("%(person)s holds %(role)s already; the two must be different people."), params={"person": person, "role": clash.role})
    if grant.post is not None and (clash := open_grants.filter(post=grant.post).first()) is not None:
        raise ValidationError(_("%(person)s holds %(role)s already; the two must be different people."), params={"person": grant.post, "role": clash.role})
