"""Divisions as records: an identity that never changes meaning, with dated codes, names and tree edges."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.record import CodeField, CodeList, IdentityField, Record

__all__ = ["Division", "DivisionCode", "DivisionEdge", "DivisionLevel", "DivisionShift", "Located"]


@CodeList.of("GB/T 2260-2007, GB/T 10114-2003, GB/T 30428.1-2013 (cell)")
class DivisionLevel(CodeList):
    """How deep a division lies."""

    PROVINCE = "province", _("province")
    CITY = "city", _("city")
    COUNTY = "county", _("county")
    TOWN = "town", _("town")
    VILLAGE = "village", _("village or community")
    CELL = "cell", _("grid cell")


class Division(Record):
    """An administrative division or grid cell; `left` and `right` number the current tree so that a sub-tree is one interval."""

    code = IdentityField(_("code"), max_length=18)
    name = models.CharField(_("name"), max_length=80)
    name_en = models.CharField(_("English name"), max_length=120, blank=True)
    level = CodeField(DivisionLevel, verbose_name=_("level"))
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("belongs to"))
    left = models.IntegerField(default=0, db_index=True, editable=False)
    right = models.IntegerField(default=0, editable=False)
    lon = models.FloatField(_("longitude"), null=True)
    lat = models.FloatField(_("latitude"), null=True)
    shape = models.BinaryField(_("outline"), null=True, editable=False)
    area_km2 = models.FloatField(_("area, km²"), null=True)
    population = models.IntegerField(_("population"), null=True, blank=True)

    class Meta:
        verbose_name = _("division")
        verbose_name_plural = _("divisions")
        indexes = [models.Index(fields=["level", "left"], name="kernel_division_level")]

    class Show:
        columns = ["name", "code", "level", "parent", "area_km2", "population"]
        search = ["code", "name", "name_en"]
        order = ["left"]
        hidden = ["left", "right"]
        icon = "map-pin"

    class Rights:
        division = "self"
        level = "public"

    def __str__(self) -> str:
        return self.name


class DivisionCode(Record):
    """A code and name a division carried for a time (龙南 was 360727 and is 360783: one division, two codes)."""

    division = models.ForeignKey(Division, on_delete=models.PROTECT, related_name="codes")
    code = models.CharField(_("code"), max_length=18, db_index=True)
    name = models.CharField(_("name"), max_length=80)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)

    class Meta:
        verbose_name = _("division code")
        verbose_name_plural = _("division codes")

    class Show:
        menu = False

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class DivisionEdge(Record):
    """Who belonged to whom, and when; the closure over these edges is computed in memory (`kernel.place.division`)."""

    child = models.ForeignKey(Division, on_delete=models.PROTECT, related_name="edges_up")
    parent = models.ForeignKey(Division, on_delete=models.PROTECT, related_name="edges_down")
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)

    class Meta:
        verbose_name = _("division membership")
        verbose_name_plural = _("division memberships")

    class Show:
        menu = False

    def __str__(self) -> str:
        return f"{self.parent} › {self.child}"


class DivisionShift(Record):
    """A share of one division that became part of another on a day; past figures are re-counted by it."""

    source = models.ForeignKey(Division, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(Division, on_delete=models.PROTECT, related_name="+")
    share = models.FloatField(_("share"), default=1.0)
    on = models.DateField(_("changed on"))

    class Meta:
        verbose_name = _("division change")
        verbose_name_plural = _("division changes")

    class Show:
        menu = False

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


class Located(models.Model):
    """A record that stands somewhere: WGS84 longitude and latitude, an optional outline (WKB), and the division it lies in."""

    lon = models.FloatField(_("longitude"), null=True, blank=True)
    lat = models.FloatField(_("latitude"), null=True, blank=True)
    shape = models.BinaryField(_("outline"), null=True, blank=True, editable=False)
    address = models.CharField(_("address"), max_length=200, blank=True)
    division = models.ForeignKey(Division, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("division"))

    class Meta:
        abstract = True
        indexes = [models.Index(fields=["lon", "lat"], name="%(app_label)s_%(class)s_xy"), models.Index(fields=["division", "id"], name="%(app_label)s_%(class)s_dv")]
