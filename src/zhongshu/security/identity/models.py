"""Organisations, posts and users."""

from typing import Any

from django.contrib.auth import hashers
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, CodeField, CodeList, IdentityField, Record, RecordQuerySet, change

from .limit import Limit

__all__ = ["Organisation", "OrganisationKind", "Owned", "Post", "User"]


class OrganisationKind(CodeList):
    """What an organisation is to the city."""

    GOVERNMENT = "government", _("government")
    BUREAU = "bureau", _("bureau")
    STREET = "street", _("street office")
    CENTRE = "centre", _("operation centre")
    UTILITY = "utility", _("utility")
    COMPANY = "company", _("company")


class Organisation(Record):
    """A department, street office, centre, utility or company; `left` and `right` number the tree so that a sub-tree is one interval."""

    code = IdentityField(_("code"), max_length=32)
    name = models.CharField(_("name"), max_length=120)
    name_en = models.CharField(_("English name"), max_length=160, blank=True)
    kind = CodeField(OrganisationKind, verbose_name=_("kind"))
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("belongs to"))
    division = models.ForeignKey(Division, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("division"))
    left = models.IntegerField(default=0, db_index=True, editable=False)
    right = models.IntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")

    class Show:
        columns = ["name", "code", "kind", "parent", "division"]
        search = ["code", "name", "name_en"]
        order = ["left"]
        hidden = ["left", "right"]
        icon = "building"

    class Rights:
        organisation = "self"

    def __str__(self) -> str:
        return self.name


class Post(Record):
    """A post in an organisation; people come and go, the post and its duties stay."""

    code = IdentityField(_("code"), max_length=48)
    title = models.CharField(_("title"), max_length=80)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="posts", verbose_name=_("organisation"))

    class Meta:
        verbose_name = _("post")
        verbose_name_plural = _("posts")

    class Show:
        columns = ["title", "code", "organisation"]
        search = ["code", "title"]
        icon = "id-badge-2"

    def __str__(self) -> str:
        return self.title


class UserQuerySet(RecordQuerySet):
    """Users, found by their log-in name."""

    def get_by_natural_key(self, username: str) -> "User":
        """Return the user with this log-in name."""
        return self.get(username=username)


class User(AbstractBaseUser, Record):
    """A person who logs in. Sets of rights come from grants (`security.access`), never from flags on the user."""

    last_login = None  # type: ignore[assignment]  # a log-in is an audit entry, not a change of the person
    username = IdentityField(_("log-in name"), max_length=48)
    name = models.CharField(_("name"), max_length=80)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="users", verbose_name=_("organisation"))
    post = models.ForeignKey(Post, on_delete=models.PROTECT, null=True, blank=True, related_name="users", verbose_name=_("post"))
    language = models.CharField(_("language"), max_length=10, default="zh-hans")
    is_active = models.BooleanField(_("may log in"), default=True)

    limit: Limit | None = None  # no column: set on the instance that a token authenticated
    objects = UserQuerySet.as_manager()  # type: ignore[misc]  # narrower than the records' own
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    class Show:
        columns = ["name", "username", "organisation", "post", "phone", "is_active"]
        search = ["username", "name"]
        icon = "user"

    class Rights:
        levels = {"phone": "sensitive", "email": "sensitive", "password": "core"}

    def __str__(self) -> str:
        return self.name or self.username

    def save(self, *args: Any, **options: Any) -> None:
        """Write the user as the record it is."""
        Record.save(self, *args, **options)

    def check_password(self, raw_password: str | None) -> bool:
        """Check a password; an old hash is made again with today's hasher, as a change of its own."""

        def upgrade(raw: str | None) -> None:
            current = User.objects.get(pk=self.pk)
            current.set_password(raw)
            with change(SYSTEM, "password hash made again with today's algorithm"):
                current.save()
            self.password, self.version, self.changed_at = current.password, current.version, current.changed_at

        return hashers.check_password(raw_password, self.password, upgrade)


class Owned(models.Model):
    """A record that belongs to an organisation."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("organisation"))

    class Meta:
        abstract = True
