"""API tokens of users."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from zhongshu.kernel.record import Actor, change

from .limit import Limit
from .models import User
from .token_models import Token, TokenUse

__all__ = ["create_token", "find_token", "revoke_token"]

MARK = "zs"


def create_token(by: Actor, why: str, user: User, role: str = "", expires_at: datetime | None = None, name: str = "", verbs: Iterable[str] = ()) -> tuple[Token, str]:
    """Create a token and return it with its text, which is shown this once and never kept.

    `role` and `verbs` narrow the token to a role the user holds and to some verbs; it never gives more than the user has. Raises `ValueError` for an expiry in the past.
    """
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise ValueError(f"a token that expires at {expires_at.isoformat()} would be expired already")
    prefix, secret = f"{MARK}_{secrets.token_hex(5)}", secrets.token_urlsafe(32)
    token = Token(prefix=prefix, name=name, user=user, role=role, verbs=sorted(verbs), expires_at=expires_at, hash=_hash(secret))
    with change(by, why):
        token.save()
    return token, f"{prefix}.{secret}"


def find_token(text: str, now: datetime | None = None) -> Token | None:
    """Return the token of this text when it counts now, with `token.user.limit` set; None for an unknown, expired or revoked one or a closed user."""
    prefix, _, secret = text.partition(".")
    at = now or datetime.now(UTC)
    token = Token.objects.select_related("user").filter(prefix=prefix).first() if prefix.startswith(MARK) and len(text) < 200 else None
    if token is None or not hmac.compare_digest(token.hash, _hash(secret)):
        return None
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= at) or not token.user.is_active:
        return None
    token.user.limit = Limit(token.role, frozenset(token.verbs))
    if not TokenUse.objects.filter(token=token, used_on=at.date()).exists():
        TokenUse.objects.update_or_create(token=token, defaults={"used_on": at.date()})
    return token


def revoke_token(by: Actor, why: str, token: Token) -> None:
    """End a token now and for ever."""
    token.revoked_at = datetime.now(UTC)
    with change(by, why):
        token.save()


def _hash(secret: str) -> str:
    # 256 random bits cannot be guessed, so a fast hash is enough; slow hashes are for words people choose.
    return hashlib.blake2b(secret.encode(), digest_size=32, person=b"api-token").hexdigest()
