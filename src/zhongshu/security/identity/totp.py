"""The second factor: time-based codes (RFC 6238) from an authenticator, and recovery codes on paper."""

import io
import secrets
from dataclasses import dataclass

import segno
from django_otp import user_has_device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from zhongshu.kernel.record import Actor, transaction
from zhongshu.security.audit import create_entry

from .models import User

__all__ = ["Enrolment", "begin_totp", "confirm_totp", "has_totp", "remove_totp"]

RECOVERY_CODES = 10


@dataclass(frozen=True)
class Enrolment:
    """What to show while enrolling: the `otpauth:` address and the same as a QR code (SVG text)."""

    address: str
    svg: str


def has_totp(user: User) -> bool:
    """Tell whether the user has a confirmed second factor."""
    return bool(user_has_device(user))


def begin_totp(user: User) -> Enrolment:
    """Make a new secret that counts once a code of it is confirmed; one that was begun before is forgotten."""
    with transaction():
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        device = TOTPDevice.objects.create(user=user, name="totp", confirmed=False)
    address = str(device.config_url)
    out = io.BytesIO()
    segno.make(address, error="m").save(out, kind="svg", scale=5, border=2, xmldecl=False)
    return Enrolment(address, out.getvalue().decode())


def confirm_totp(by: Actor, user: User, code: str) -> list[str]:
    """Confirm the secret with a first code and return ten recovery codes, shown this once; an empty list when the code is wrong.

    A secret confirmed before is replaced, its recovery codes too.
    """
    device = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if device is None or not device.verify_token(code.replace(" ", "")):
        return []
    codes = [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(RECOVERY_CODES)]
    with transaction():
        TOTPDevice.objects.filter(user=user, confirmed=True).delete()
        StaticDevice.objects.filter(user=user).delete()
        device.confirmed = True
        device.save()
        paper = StaticDevice.objects.create(user=user, name="recovery")
        StaticToken.objects.bulk_create([StaticToken(device=paper, token=text) for text in codes])
        create_entry(by, "totp-added", kind="security.User", record_uid=str(user.uid))
    return codes


def remove_totp(by: Actor, why: str, user: User) -> None:
    """Take the second factor away, for somebody who lost the authenticator and the codes."""
    with transaction():
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        create_entry(by, "totp-removed", why, kind="security.User", record_uid=str(user.uid))
