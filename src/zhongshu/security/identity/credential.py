"""Credentials of devices and data loggers at the gateways; checked at every connection, so the hash is fast and keyed."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime

from django.conf import settings

from zhongshu.kernel.record import Actor, change

from .models import Organisation
from .token_models import Credential

__all__ = ["close_credential", "create_credential", "find_credential", "has_secret", "load_credentials"]


def create_credential(
    by: Actor, why: str, source: str, secret: str = "", organisation: Organisation | None = None, expires_at: datetime | None = None
) -> tuple[Credential, str]:
    """Create the credential of a source, or give an existing one a new secret; return it and the secret, made here when none is given (some devices have a fixed one)."""
    text = secret or secrets.token_urlsafe(24)
    row = Credential.objects.filter(source=source).first() or Credential(source=source)
    row.hash, row.organisation, row.expires_at, row.is_active = hash_secret(source, text), organisation, expires_at, True
    with change(by, why):
        row.save()
    return row, text


def find_credential(source: str, secret: str, now: datetime | None = None) -> Credential | None:
    """Return the credential when the secret is right and it is accepted now, or None."""
    row = Credential.objects.filter(source=source, is_active=True).first()
    if row is None or not has_secret(row.hash, source, secret):
        return None
    return row if row.expires_at is None or row.expires_at > (now or datetime.now(UTC)) else None


def load_credentials(now: datetime | None = None) -> dict[str, str]:
    """Return source → hash of all accepted credentials, for a gateway that checks with `has_secret` without asking the database."""
    rows = Credential.objects.filter(is_active=True).values_list("source", "hash", "expires_at")
    at = now or datetime.now(UTC)
    return {source: digest for source, digest, expires in rows.iterator(5000) if expires is None or expires > at}


def has_secret(digest: str, source: str, secret: str) -> bool:
    """Tell in constant time whether the secret belongs to the hash."""
    return hmac.compare_digest(digest, hash_secret(source, secret))


def close_credential(by: Actor, why: str, credential: Credential) -> None:
    """Accept a credential no more."""
    credential.is_active = False
    with change(by, why):
        credential.save()


def hash_secret(source: str, secret: str) -> str:
    """Return the keyed hash (BLAKE2b, RFC 7693) of a secret, bound to its source; the key is derived from the installation's secret, which is not in the database."""
    key = hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"device-key").digest()
    return hashlib.blake2b(f"{source}\0{secret}".encode(), digest_size=32, key=key, person=b"device").hexdigest()
