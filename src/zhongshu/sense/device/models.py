"""Products, things, streams, thresholds and connections."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.place.models import Located
from zhongshu.kernel.record import CodeField, CodeList, IdentityField, Record
from zhongshu.security.identity.models import Owned

__all__ = ["Band", "Connection", "Mounting", "Product", "Property", "Protocol", "Stream", "Thing", "ThingState", "Threshold", "ThresholdLevel", "ThresholdOp"]


class ThingState(CodeList):
    """Where a thing stands in its life."""

    PLANNED = "planned", _("planned")
    INSTALLED = "installed", _("installed")
    IN_SERVICE = "in_service", _("in service")
    MAINTENANCE = "maintenance", _("under maintenance")
    FAULT = "fault", _("faulty")
    RETIRED = "retired", _("retired")


class Band(CodeList):
    """What a thing's latest readings say, kept on change so that lists can filter and sort by it."""

    UNKNOWN = "unknown", _("no reading yet")
    OK = "ok", _("normal")
    LOW = "low", _("too low")
    HIGH = "high", _("too high")
    SILENT = "silent", _("silent")


class Protocol(CodeList):
    """How a thing talks to us."""

    HJ212 = "hj212", "HJ 212"
    MQTT = "mqtt", "MQTT"
    HTTP = "http", "HTTP"


class ThresholdOp(CodeList):
    """When a value is out of bounds."""

    ABOVE = "above", _("above")
    BELOW = "below", _("below")


@CodeList.of("Emergency Response Law of the PRC (2007, art. 42; revised 2024), four warning colours; article from memory")
class ThresholdLevel(CodeList):
    """How serious it is, in the four colours of the law."""

    BLUE = "blue", _("blue, level IV")
    YELLOW = "yellow", _("yellow, level III")
    ORANGE = "orange", _("orange, level II")
    RED = "red", _("red, level I")


class Product(Record):
    """A type of device: what it measures is told by its properties."""

    code = IdentityField(_("code"), max_length=64)
    name = models.CharField(_("name"), max_length=80)
    name_en = models.CharField(_("English name"), max_length=120, blank=True)
    maker = models.CharField(_("maker"), max_length=80, blank=True)
    icon = models.CharField(_("icon"), max_length=40, default="access-point")

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")

    class Show:
        columns = ["name", "code", "maker"]
        hidden = ["icon"]
        icon = "box"

    def __str__(self) -> str:
        return self.name


class Property(Record):
    """One thing a product measures. `low` and `high` bound what is physically plausible; `period_s` 0 means on event."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="properties", verbose_name=_("product"))
    code = models.CharField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=80)
    name_en = models.CharField(_("English name"), max_length=120, blank=True)
    unit = models.CharField(_("unit"), max_length=24, blank=True)
    period_s = models.PositiveIntegerField(_("interval, s"), default=0)
    silent_after_s = models.PositiveIntegerField(_("silent after, s"), default=0)
    low = models.FloatField(_("lowest plausible"), null=True, blank=True)
    high = models.FloatField(_("highest plausible"), null=True, blank=True)
    decimals = models.PositiveSmallIntegerField(_("decimals"), default=1)
    headline = models.BooleanField(_("shown first"), default=False)

    class Meta:
        verbose_name = _("property")
        verbose_name_plural = _("properties")
        constraints = [models.UniqueConstraint(fields=["product", "code"], name="sense_property_once")]

    class Show:
        columns = ["name", "code", "product", "unit", "period_s", "low", "high"]
        units = {"low": "unit", "high": "unit"}
        icon = "ruler"
        menu = False

    def __str__(self) -> str:
        return self.name


class Thing(Located, Owned, Record):
    """One device that measures or acts, wherever it stands."""

    external_id = IdentityField(_("number"), max_length=80)
    name = models.CharField(_("name"), max_length=120)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="things", verbose_name=_("product"))
    state = CodeField(ThingState, default=ThingState.IN_SERVICE, verbose_name=_("state"), db_index=True)
    band = CodeField(Band, default=Band.UNKNOWN, verbose_name=_("readings"), editable=False)
    serial_no = models.CharField(_("serial number"), max_length=64, blank=True)
    installed_on = models.DateField(_("installed on"), null=True, blank=True)

    class Meta:
        verbose_name = _("thing")
        verbose_name_plural = _("things")
        indexes = [
            models.Index(fields=["lon", "lat"], name="sense_thing_xy"),
            models.Index(fields=["division", "id"], name="sense_thing_dv"),
            models.Index(fields=["band", "id"], name="sense_thing_band"),
            models.Index(fields=["name"], name="sense_thing_name"),
            models.Index(fields=["product", "division"], name="sense_thing_pd"),
        ]

    class Show:
        columns = ["name", "external_id", "product", "band", "state", "division", "organisation"]
        filters = ["product", "band", "state", "division"]
        search = ["external_id", "name"]
        title = "name"
        marker = "band"
        icon = "access-point"

    def __str__(self) -> str:
        return self.name


class Mounting(Record):
    """Which thing served which asset, and when; readings stay with the stream when a device is swapped."""

    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, related_name="mountings", verbose_name=_("thing"))
    asset_kind = models.CharField(_("kind of asset"), max_length=80)
    asset_uid = models.UUIDField(_("asset"), db_index=True)
    valid_from = models.DateTimeField(_("from"))
    valid_until = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("mounting")
        verbose_name_plural = _("mountings")

    class Show:
        menu = False


class Stream(Record):
    """One series of readings: a thing, a property, an ordinal that is never reused."""

    ordinal = models.BigIntegerField(_("ordinal"), unique=True, editable=False)
    external_id = IdentityField(_("name on the wire"), max_length=160)
    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, related_name="streams", verbose_name=_("thing"))
    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="streams", verbose_name=_("property"))
    unit = models.CharField(_("unit"), max_length=24, blank=True)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("stream")
        verbose_name_plural = _("streams")
        constraints = [models.UniqueConstraint(fields=["thing", "property"], name="sense_stream_once")]

    class Show:
        columns = ["external_id", "thing", "property", "unit", "active"]
        hidden = ["ordinal"]
        search = ["external_id"]
        icon = "wave-sine"
        menu = False
        related = False
        writable = False

    class Rights:
        division = "thing__division"
        organisation = "thing__organisation"

    def __str__(self) -> str:
        return self.external_id


class Threshold(Record):
    """A limit on a property (all its streams) or on one stream, with duration and hysteresis; the source says who set it."""

    property = models.ForeignKey(Property, on_delete=models.PROTECT, related_name="thresholds", verbose_name=_("property"))
    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, null=True, blank=True, related_name="thresholds", verbose_name=_("only for"))
    op = CodeField(ThresholdOp, default=ThresholdOp.ABOVE, verbose_name=_("when"))
    limit = models.FloatField(_("limit"))
    clear = models.FloatField(_("clears at"))
    for_s = models.PositiveIntegerField(_("for at least, s"), default=0)
    level = CodeField(ThresholdLevel, default=ThresholdLevel.YELLOW, verbose_name=_("level"))
    title = models.CharField(_("title"), max_length=120)
    title_en = models.CharField(_("English title"), max_length=160, blank=True)
    source = models.CharField(_("source"), max_length=160)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("threshold")
        verbose_name_plural = _("thresholds")

    class Show:
        columns = ["title", "property", "op", "limit", "clear", "for_s", "level", "source", "active"]
        search = ["title", "source"]
        units = {"limit": "property.unit", "clear": "property.unit"}
        icon = "alert-triangle"

    def __str__(self) -> str:
        return self.title


class Connection(Owned, Record):
    """How one source reaches us: protocol, name on the wire, and a profile that says what its standard leaves open.

    `profile` of HJ 212: zone (hours), label ("start" or "end"), units per factor, tolerances, minute_period_s; of MQTT: topic, payload shape.
    """

    source = IdentityField(_("source"), max_length=100)
    protocol = CodeField(Protocol, verbose_name=_("protocol"))
    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, null=True, blank=True, related_name="connections", verbose_name=_("thing"))
    profile = models.JSONField(_("profile"), default=dict, blank=True)
    active = models.BooleanField(_("may connect"), default=True)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")

    class Show:
        columns = ["source", "protocol", "thing", "organisation", "active"]
        search = ["source"]
        icon = "plug-connected"

    def __str__(self) -> str:
        return self.source
