"""What the city's air is worth in figures: good days, fine particles, the day's index, and whether the network does its work."""

from datetime import datetime
from typing import Any

import pyarrow as pa
from django.db.models import Count, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from zhongshu.brain.fuse.models import CityEvent
from zhongshu.brain.indicator import Question, computed, count, share
from zhongshu.kernel.time import PeriodUnit
from zhongshu.work.case import CaseState
from zhongshu.work.case.models import Case

from .air import POLLUTION_CASE, POLLUTION_EVENT, AirIndex, AirStation
from .codes import AirScale

__all__ = ["AQI", "CAPTURE", "CASES_IN_TIME", "EVENTS", "GOOD_DAYS", "ONLINE", "PM25"]


def _days(question: Question) -> QuerySet[AirIndex]:
    return AirIndex.objects.filter(scale=AirScale.DAY, start__gte=question.start, start__lt=question.end).order_by()


def _table(rows: list[tuple[int, float | None, float | None]], notes: list[str] | None = None) -> pa.Table:
    columns: dict[str, Any] = {
        "division": pa.array([row[0] for row in rows], pa.int64()),
        "numerator": pa.array([row[1] for row in rows], pa.float64()),
        "denominator": pa.array([row[2] for row in rows], pa.float64()),
    }
    return pa.table({**columns, "note": pa.array(notes, pa.string())} if notes is not None else columns)


def _list_area_days(question: Question, inside: list[int]) -> dict[str, Any]:
    return {"scale": "day", "division__in": inside, "start__gte": question.start, "start__lt": question.end}


def _list_station_days(question: Question, inside: list[int]) -> dict[str, Any]:
    return {"scale": "day", "station__division__in": inside, "start__gte": question.start, "start__lt": question.end}


@computed(
    "environment.air_good_days",
    label=_("Good-air days"),
    unit="%",
    periods=["month", "quarter", "year"],
    target=">= 0.875",
    warn=">= 0.8",
    source="14th Five-Year Plan, box of main targets: share of good-air days in cities 87.5 %; warning step: local: environment bureau",
    about=_("Days with an index of at most 100 among the days that have an index. Days without one (NA) do not count on either side."),
    kind="environment.AirIndex",
    rows=_list_area_days,
)
def GOOD_DAYS(question: Question) -> pa.Table:
    """Count by area: aqi ≤ 100 (HJ 633-2026, table 1: excellent and good; the same in 2012, table 2) among days with an index."""
    found = _days(question).filter(division__isnull=False).values("division_id").annotate(top=Count("pk", filter=Q(aqi__lte=100)), bottom=Count("aqi"))
    return _table(list(found.values_list("division_id", "top", "bottom")))


@computed(
    "environment.air_pm25_mean",
    label=_("PM2.5 mean"),
    unit="ug/m3",
    periods=["month", "quarter", "year"],
    target="<= 30",
    warn="<= 35",
    source="GB 3095-2026, level 2, year, transition limit until 2030-12-31 (30); GB 3095-2012, table 1 (35). For months and quarters: local: environment bureau",
    about=_("Mean of the area's day means. A month needs 27 valid days (February 25), a year 324; until then the figure is provisional."),
    kind="environment.AirIndex",
    rows=_list_area_days,
)
def PM25(question: Question) -> pa.Table:
    """Sum of the unrounded day means of the area over their number; no value for an ended period with too few valid days (GB 3095-2026, table 4)."""
    found = _days(question).filter(division__isnull=False).values("division_id").annotate(top=Sum("pm25"), bottom=Count("pm25"))
    least, ended = _get_least_days(question), question.end <= question.now
    rows = [(d, top, n) for d, top, n in found.values_list("division_id", "top", "bottom")]
    notes = ["" if n >= least else f"{n} valid days of {least} needed (GB 3095-2026, table 4)" for _d, _top, n in rows]
    return _table([(d, None if ended and n < least else top, 0 if ended and n < least else n) for d, top, n in rows], notes)


def _get_least_days(question: Question) -> int:
    """Days a mean needs: 27 a month, 25 in February, 324 a year (GB 3095-2026, table 4; the same in 2012). Quarters: their months' sum (local: environment bureau)."""
    if question.period.unit == PeriodUnit.YEAR:
        return 324
    return sum(25 if month.first_on.month == 2 else 27 for month in question.period.list_parts(PeriodUnit.MONTH))


@computed(
    "environment.air_aqi",
    label=_("Air-quality index"),
    periods=["day"],
    target="<= 100",
    warn="<= 150",
    decimals=0,
    source="HJ 633-2026, table 1: up to 100 is good; warning step: local: environment bureau",
    about=_("The area's daily index from the mean concentrations of its assessment stations, by the edition in force on the day."),
    kind="environment.AirIndex",
    rows=_list_area_days,
)
def AQI(question: Question) -> pa.Table:
    """The stored index of the day itself; edition and primary pollutants in the note."""
    found = list(_days(question).filter(division__isnull=False).values_list("division_id", "aqi", "edition", "primary"))
    return _table([(d, aqi, None) for d, aqi, _e, _p in found], [f"{edition} {primary}".strip() for _d, _aqi, edition, primary in found])


@computed(
    "environment.air_data_capture",
    adds_up=True,
    label=_("Data capture"),
    unit="%",
    periods=["day", "month", "year"],
    target=">= 0.9",
    warn=">= 0.75",
    source="local: environment bureau (GB 3095-2026, table 4 needs 20 of 24 hours)",
    about=_("Valid hourly values among those due of all stations, all kinds, all pollutants of their programme."),
    kind="environment.AirIndex",
    rows=_list_station_days,
)
def CAPTURE(question: Question) -> pa.Table:
    """Sum valid and due hours by the station's division; today counts when it has ended."""
    found = _days(question).filter(station__division__isnull=False).values("station__division_id").annotate(top=Sum("valid_hours"), bottom=Sum("expected_hours"))
    return _table(list(found.values_list("station__division_id", "top", "bottom")))


@computed(
    "environment.air_stations_online",
    adds_up=True,
    label=_("Stations online"),
    unit="%",
    periods=["day"],
    target=">= 0.95",
    warn=">= 0.8",
    source="local: environment bureau; 5/6 of the hours as GB 3095-2026, table 4 asks of a day",
    about=_("Stations with valid readings in at least five of six hours of the day so far, among all in operation."),
    kind="environment.AirStation",
    rows=lambda question, inside: {"division__in": inside, "thing__isnull": False},
)
def ONLINE(question: Question) -> pa.Table:
    """One query for the hours of all stations, one for the stations. An hour is asked for one hour after it ended (HJ 633-2026, 5.2: at most an hour late)."""
    hours = _count_due_hours(question.start, min(question.end, question.now))
    if hours < 1:
        return _table([])
    found = AirIndex.objects.filter(scale=AirScale.HOUR, station__isnull=False, start__gte=question.start, start__lt=question.end).order_by()
    heard = dict(found.values("station_id").annotate(n=Count("pk")).values_list("station_id", "n"))
    stations = AirStation.objects.filter(Q(closed_on__isnull=True) | Q(closed_on__gt=question.first_on), thing__isnull=False, division__isnull=False)
    due = stations.filter(Q(opened_on__lte=question.first_on) | Q(opened_on__isnull=True)).values_list("pk", "division_id", "opened_on")
    return _table([(d, float(heard.get(pk, 0) * 6 >= hours * 5), 1.0) for pk, d, opened in due if opened is not None or pk in heard])


CASES_IN_TIME = share(
    "environment.air_cases_in_time",
    of=Case,
    where={"overdue": False},
    among={"kind": POLLUTION_CASE.name, "state": CaseState.CLOSED.value},
    at="closed_at",
    label=_("Pollution cases closed in time"),
    periods=["day", "month", "year"],
    target=">= 0.95",
    warn=">= 0.8",
    source="local: environment bureau",
    about=_("Cases closed within their limit among all that were closed in the period."),
)

EVENTS = count(
    "environment.air_pollution_events",
    of=CityEvent,
    where={"kind": POLLUTION_EVENT.kind, "historical": False},
    at="started_at",
    label=_("Air pollution events"),
    periods=["day", "month", "year"],
    better="low",
    about=_("Events that began in the period; those found in old data do not count."),
)


def _count_due_hours(start: datetime, end: datetime) -> int:
    late = 0 if (end - start).total_seconds() >= 86_400 else 1
    return int((end - start).total_seconds() // 3600) - late
