"""What programs and devices prove themselves with; only hashes are kept."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.record import IdentityField, Record

from .models import Organisation, User

__all__ = ["Credential", "Token", "TokenUse", "UserSession"]


class Token(Record):
    """An API token of a user; never more than the user may, less when limited to a role or to verbs."""

    prefix = IdentityField(_("begins with"), max_length=16)
    name = models.CharField(_("what for"), max_length=80, blank=True)
    hash = models.CharField(max_length=64, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens", verbose_name=_("user"))
    role = models.CharField(_("limited to the role"), max_length=80, blank=True)
    verbs = models.JSONField(_("limited to the verbs"), default=list, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    class Show:
        columns = ["prefix", "name", "user", "role", "expires_at", "revoked_at"]
        search = ["prefix", "name"]
        icon = "key"
        writable = False

    class Rights:
        organisation = "user.organisation"
        levels = {"hash": "core"}

    def __str__(self) -> str:
        return f"{self.prefix}…"


class TokenUse(models.Model):
    """The day a token was last used; beside the token, because a use is no change of it."""

    token = models.OneToOneField(Token, on_delete=models.CASCADE, primary_key=True, related_name="use")
    used_on = models.DateField()


class UserSession(models.Model):
    """Where a user is logged in; the session itself is Django's row with this key."""

    session_key = models.CharField(max_length=40, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()


class Credential(Record):
    """What a device or data logger proves itself with at a gateway; `source` is its name there (`mqtt:<client>`, `hj212:<MN>`)."""

    source = IdentityField(_("source"), max_length=120)
    hash = models.CharField(max_length=64, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("organisation"))
    is_active = models.BooleanField(_("active"), default=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    class Meta:
        verbose_name = _("device credential")
        verbose_name_plural = _("device credentials")

    class Show:
        columns = ["source", "organisation", "is_active", "expires_at"]
        search = ["source"]
        icon = "plug"
        writable = False

    class Rights:
        levels = {"hash": "core"}

    def __str__(self) -> str:
        return self.source
