"""Ambient air: which stations there are, what they send, when it is too much, and who acts."""

import numpy as np
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from zhongshu.brain.fuse import EventRule
from zhongshu.brain.rule import Flags, Window, rule
from zhongshu.kernel.place.models import Division, Located
from zhongshu.kernel.record import CodeField, IdentityField, Record
from zhongshu.kernel.time import civil_day
from zhongshu.security.identity.models import Owned
from zhongshu.sense.device.feed import Feed, Limit, Measure
from zhongshu.sense.device.models import Thing
from zhongshu.work.case import CaseKind

from .aqi import HJ212_FACTOR, POLLUTANTS, Edition, edition_on
from .codes import AirScale, StationKind, StationLevel

__all__ = ["AIR", "AirDay", "AirIndex", "AirStation", "POLLUTION_CASE", "POLLUTION_EVENT", "get_property"]

ALL = ",".join(POLLUTANTS)


# what there is


def check_programme(text: str) -> None:
    """Refuse a programme that names something else than the six pollutants."""
    unknown = [name for name in text.split(",") if name not in POLLUTANTS]
    if unknown:
        raise ValidationError(_("%(name)s is no pollutant of the index; write some of %(all)s"), params={"name": unknown[0], "all": ALL})


class AirStation(Located, Owned, Record):
    """A place where ambient air is measured. Readings stay with the streams of its `thing`; the station says what they count for.

    `programme` names the pollutants it is there to measure: one that is not in it is printed `/`, one that is in it and missing is NA (HJ 633-2026, 5.3).
    Days from `opened_on` until `closed_on` (excluded) on which nothing arrives count as missing; without `opened_on` only days on which something arrived do.
    """

    station_no = IdentityField(_("station number"), max_length=80)
    name = models.CharField(_("name"), max_length=120)
    kind = CodeField(StationKind, default=StationKind.ASSESSMENT, verbose_name=_("kind"))
    level = CodeField(StationLevel, default=StationLevel.MUNICIPAL, verbose_name=_("network"))
    mn = IdentityField(_("device number (MN)"), max_length=80, unique=False, blank=True)
    thing = models.ForeignKey(Thing, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("thing"))
    programme = models.CharField(_("measures"), max_length=40, default=ALL, validators=[check_programme])
    opened_on = models.DateField(_("opened on"), null=True, blank=True)
    closed_on = models.DateField(_("closed on"), null=True, blank=True)

    class Meta:
        verbose_name = _("air station")
        verbose_name_plural = _("air stations")
        indexes = [models.Index(fields=["lon", "lat"], name="environment_air_xy"), models.Index(fields=["division", "id"], name="environment_air_dv")]

    class Show:
        columns = ["name", "station_no", "kind", "level", "division", "organisation"]
        filters = ["kind", "level", "division"]
        search = ["station_no", "name", "mn"]
        order = ["station_no"]
        title = "name"
        marker = "kind"
        icon = "wind"

    def __str__(self) -> str:
        return self.name


class AirIndex(models.Model):
    """The index of one station or area (county, city) for one hour or day, with the concentrations it comes from. Derived: made again whenever readings change.

    `subject` is `station:<id>` or `division:<id>`, `start` the first moment of the interval; `edition` follows the day measured; `aqi` null is NA.
    `so2` … `o3` are unrounded means in µg/m³ (CO mg/m³), null where invalid; `o3` is the 1-hour mean of an hour and the largest 8-hour mean of a day.
    `means` holds every item of the step tables, `iaqi` the sub-index by pollutant (null NA, absent when not in the programme),
    `counts` how many hours (8-hour means for `o3_8h`, stations for areas) took part; `valid_hours` of `expected_hours` hourly values were valid.
    """

    id = models.BigAutoField(primary_key=True)
    subject = models.CharField(max_length=40)
    station = models.ForeignKey(AirStation, on_delete=models.CASCADE, null=True, related_name="+")
    division = models.ForeignKey(Division, on_delete=models.CASCADE, null=True, related_name="+")
    scale = CodeField(AirScale)
    start = models.DateTimeField()
    edition = models.CharField(max_length=12)
    aqi = models.SmallIntegerField(null=True)
    level = models.PositiveSmallIntegerField(default=0)
    primary = models.CharField(max_length=40, blank=True)
    so2 = models.FloatField(null=True)
    no2 = models.FloatField(null=True)
    co = models.FloatField(null=True)
    pm10 = models.FloatField(null=True)
    pm25 = models.FloatField(null=True)
    o3 = models.FloatField(null=True)
    means = models.JSONField(default=dict)
    iaqi = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    valid_hours = models.PositiveIntegerField(default=0)
    expected_hours = models.PositiveIntegerField(default=0)
    stations = models.PositiveIntegerField(default=0)
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "scale", "start"], name="environment_air_index_once")]
        indexes = [models.Index(fields=["scale", "start"], name="environment_air_index_time")]


class AirDay(models.Model):
    """What of a civil day the index was computed from: a digest of the lake's files, so that only touched days are computed again."""

    day = models.DateField(primary_key=True)
    digest = models.CharField(max_length=32)


# what comes in

LOCAL = "local: environment bureau, hourly mean above the day's level-2 limit of GB 3095-2012, table 1"
STATE = "GB 3095-2012, table 1, level 2"


def _limit(limit: float, clear: float, title: str, title_en: str, source: str) -> tuple[Limit, ...]:
    return (Limit(limit, clear, "yellow", title, source, title_en=title_en),)


AIR = Feed(
    "air_station",
    "环境空气自动监测站",
    every="1 h",
    name_en="Ambient air station",
    icon="wind",
    silent_after="2 h",
    measures=(
        Measure("a34004-Avg", "PM2.5", "ug/m3", 0, 1000, 0, True, "PM2.5", _limit(75, 70, "PM2.5 超标", "PM2.5 above the limit", LOCAL)),
        Measure("a34002-Avg", "PM10", "ug/m3", 0, 3000, 0, True, "PM10", _limit(150, 140, "PM10 超标", "PM10 above the limit", LOCAL)),
        Measure("a05024-Avg", "O₃", "ug/m3", 0, 1200, 0, True, "O₃", _limit(200, 190, "臭氧超标", "Ozone above the limit", f"{STATE}, O3 1 h")),
        Measure("a21004-Avg", "NO₂", "ug/m3", 0, 1000, 0, False, "NO₂", _limit(200, 190, "NO₂ 超标", "NO₂ above the limit", f"{STATE}, NO2 1 h")),
        Measure("a21026-Avg", "SO₂", "ug/m3", 0, 2000, 0, False, "SO₂", _limit(500, 475, "SO₂ 超标", "SO₂ above the limit", f"{STATE}, SO2 1 h")),
        Measure("a21005-Avg", "CO", "mg/m3", 0, 100, 1, False, "CO", _limit(10, 9.5, "CO 超标", "CO above the limit", f"{STATE}, CO 1 h")),
        Measure("a01001-Avg", "气温", "Cel", -60, 60, 1, False, "Air temperature"),
        Measure("a01002-Avg", "相对湿度", "%", 0, 100, 0, False, "Relative humidity"),
        Measure("a01006-Avg", "气压", "kPa", 40, 110, 2, False, "Air pressure"),
        Measure("a01007-Avg", "风速", "m/s", 0, 75, 1, False, "Wind speed"),
        Measure("a01008-Avg", "风向", "deg", 0, 360, 0, False, "Wind direction"),
    ),
)


def get_property(pollutant: str) -> str:
    """Return the property under which a pollutant's hourly mean comes in.

    >>> get_property("pm25")
    'a34004-Avg'
    """
    return f"{HJ212_FACTOR[pollutant]}-Avg"


# what it means

_DAY_LIMIT = {Edition.HJ633_2012: 75.0, Edition.HJ633_2026: 60.0}
"""µg/m³ PM2.5, 24 h, level 2: GB 3095-2012, table 1; GB 3095-2026, transition limits (until 2030-12-31). As hourly trigger: local: environment bureau."""

_STEPS = ((250.0, "red"), (150.0, "orange"))
"""µg/m³ PM2.5 where the index reaches 300 and 200 (HJ 633-2012, table 1; the same in 2026, table 3). The colours: local: environment bureau."""


@rule(
    AIR,
    raises="environment.air.pollution",
    window="3 h",
    every="1 h",
    measures=["a34004-Avg"],
    title="PM2.5 连续 3 小时超标",
    title_en="PM2.5 above the limit for three hours",
)
def pm25_sustained(readings: Window) -> Flags:
    """All three hours valid and above the day's limit in force when measured: a station's own problem is seldom that stubborn."""
    good = readings.pick("a34004-Avg").valid()
    whole = good.count() >= 3
    day = civil_day([readings.start], settings.TIME_ZONE)[0].astype(object)
    least, mean = good.reduce(np.minimum), good.mean()
    hit = whole & (least > _DAY_LIMIT[edition_on(day)])
    level = np.full(len(mean), "yellow", dtype="<U8")
    for limit, colour in reversed(_STEPS):
        level[mean > limit] = colour
    return Flags.of(good.streams[hit], good.first()[hit], mean[hit], level[hit])


POLLUTION_EVENT = EventRule(
    "environment.air_pollution",
    kind="environment.air.pollution",
    label=_("Air pollution"),
    feed=AIR.code,
    measures=tuple(get_property(name) for name in POLLUTANTS),
    min_level="yellow",
    within_h=6,
)
"""Alarms and the three-hour rule of one station are one event; a pause of less than six hours does not end it (local: environment bureau)."""


# what we do

POLLUTION_CASE = CaseKind(
    "environment.air_pollution",
    _("Air pollution"),
    on="environment.air.pollution",
    prefix="EA",
    to="dept-environment",
    within="24 h",
    steps={"opened": "30 min", "accepted": "1 h", "assigned": "1 h", "acting": "12 h", "checking": "4 h"},
    escalation=("0 h", "4 h"),
)
"""Find the source, act, have it checked by somebody else. Limits: local: environment bureau."""
