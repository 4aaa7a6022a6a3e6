"""Code lists of the environment pack."""

from django.utils.translation import gettext_lazy as _

from zhongshu.kernel.record import CodeList

__all__ = ["AirScale", "StationKind", "StationLevel"]


@CodeList.of("HJ 664-2013, 3 (kinds of ambient monitoring points); micro stations: local: environment bureau")
class StationKind(CodeList):
    """What a station is for. Only assessment stations count in the mean of a county or city."""

    ASSESSMENT = "assessment", _("assessment station")
    CONTROL = "control", _("control station")
    ROADSIDE = "roadside", _("roadside station")
    MICRO = "micro", _("micro station")


@CodeList.of("local: who runs a station (national, provincial, municipal and county networks)")
class StationLevel(CodeList):
    """Whose network a station belongs to."""

    NATIONAL = "national", _("national network")
    PROVINCIAL = "provincial", _("provincial network")
    MUNICIPAL = "municipal", _("municipal network")
    COUNTY = "county", _("county network")


class AirScale(CodeList):
    """Over what time an index stands."""

    HOUR = "hour", _("hour")
    DAY = "day", _("day")
