"""Roles and grants as records."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import CodeField, CodeList, IdentityField, Record
from zhongshu.security.identity.models import Organisation, Post, User

__all__ = ["ClassCode", "Grant", "Role", "RoleOrigin"]


@CodeList.of("local: zhongshu, after GB/T 43697-2024")
class ClassCode(CodeList):
    """Data classes as codes (`security.classify` ranks them)."""

    PUBLIC = "public", _("public")
    INTERNAL = "internal", _("internal")
    SENSITIVE = "sensitive", _("sensitive")
    CORE = "core", _("core")


class RoleOrigin(CodeList):
    """Who keeps a role: code (base, pack) or the city's own security officer (local)."""

    BASE = "base", _("built in")
    PACK = "pack", _("from a pack")
    LOCAL = "local", _("of this city")


class Role(Record):
    """A set of verbs per kind: `verbs` maps a kind (`sense.Thing`), a floor or pack (`sense.*`) or everything (`*`) to a list of verbs."""

    code = IdentityField(_("code"), max_length=80)
    name = models.CharField(_("name"), max_length=120)
    origin = CodeField(RoleOrigin, verbose_name=_("origin"), default=RoleOrigin.LOCAL)
    verbs = models.JSONField(_("verbs"), default=dict)
    ceiling = CodeField(ClassCode, verbose_name=_("highest data class"), default=ClassCode.INTERNAL)
    require_totp = models.BooleanField(_("needs a second factor"), default=False)

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    class Show:
        columns = ["code", "name", "origin", "ceiling", "require_totp"]
        search = ["code", "name"]
        icon = "shield"

    def __str__(self) -> str:
        return self.name


class Grant(Record):
    """A role given to a user or to whoever holds a post, within an organisation's and a division's sub-tree, for a time and a purpose."""

    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="grants", verbose_name=_("role"))
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="grants", verbose_name=_("user"))
    post = models.ForeignKey(Post, on_delete=models.PROTECT, null=True, blank=True, related_name="grants", verbose_name=_("post"))
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only below the organisation"))
    division = models.ForeignKey(Division, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only in the division"))
    ceiling = CodeField(ClassCode, verbose_name=_("highest data class"), blank=True)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    purpose = models.CharField(_("purpose"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("grant of a role")
        verbose_name_plural = _("grants of roles")
        constraints = [models.CheckConstraint(condition=Q(user__isnull=True) ^ Q(post__isnull=True), name="security_grant_user_or_post")]

    class Show:
        columns = ["role", "user", "post", "organisation", "division", "valid_until"]
        icon = "user-shield"

    class Rights:
        organisation = ""
        division = ""

    def __str__(self) -> str:
        return f"{self.role} → {self.user or self.post}"
