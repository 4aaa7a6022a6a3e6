"""Vital signs: which indicators stand on the wall, and how a value of one is printed."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from zhongshu.brain.indicator import Indicator, State, Value, count, list_series, share
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import Period, PeriodUnit, now
from zhongshu.kernel.units import get_symbol
from zhongshu.sense.observe.models import Alarm
from zhongshu.work.case.models import Case

__all__ = ["VITALS", "VitalSign", "list_vitals"]

MOST = 5
BANDS = {State.GOOD: "ok", State.WARN: "watch", State.BAD: "bad", State.NONE: "ok"}

ALARMS = count(
    "screen.alarms_raised",
    of=Alarm,
    where={"historical": False},
    at="started_at",
    periods=[PeriodUnit.DAY],
    better="low",
    label=gettext_lazy("Alarms raised"),
    about=gettext_lazy("Alarms that began on the day; alarms found in old data are left out."),
)
IN_TIME = share(
    "screen.cases_in_time",
    of=Case,
    where={"overdue": False},
    among={"state": "closed"},
    at="closed_at",
    periods=[PeriodUnit.MONTH],
    target=">= 0.95",
    warn=">= 0.85",
    label=gettext_lazy("Cases closed in time"),
    source="local: operation centre (rate of cases closed in time, as GB/T 30428.4 evaluates it)",
)


@dataclass(frozen=True)
class VitalSign:
    """One indicator on the wall: `unit` is the period shown, `history` how many periods the small line has. Packs may declare more in the registry's table `vital`."""

    indicator: str
    unit: PeriodUnit
    history: int
    order: int = 100


VITALS = (
    VitalSign("environment.air_pm25_mean", PeriodUnit.MONTH, 12, 10),
    VitalSign("environment.air_good_days", PeriodUnit.YEAR, 5, 20),
    VitalSign("environment.air_stations_online", PeriodUnit.DAY, 14, 30),
    VitalSign("screen.alarms_raised", PeriodUnit.DAY, 14, 40),
    VitalSign("screen.cases_in_time", PeriodUnit.MONTH, 12, 50),
)


def list_vitals(division: int) -> list[dict[str, Any]]:
    """Return the vital signs of a division (database id), as docs/design.md says; indicators of packs that are not installed are left out. Two queries each."""
    chosen = sorted([*VITALS, *registry.list("vital").values()], key=lambda sign: sign.order)
    known = [(sign, registry.find("indicator", sign.indicator)) for sign in chosen]
    return [_build_vital(sign, found, division) for sign, found in known if found is not None][:MOST]


def _build_vital(sign: VitalSign, indicator: Indicator, division: int) -> dict[str, Any]:
    last = Period.of(now(), sign.unit, settings.TIME_ZONE)
    series = list_series(sign.indicator, division, [last.shift(back) for back in range(1 - sign.history, 1)])
    value, before = series[-1], next((v for v in reversed(series[:-1]) if v.value is not None), None)
    band = "silent" if value.value is None else BANDS[value.state]
    shown = [indicator.get_shown(v.value) for v in series]
    return {
        "id": sign.indicator.replace(".", "-"),
        "label": str(indicator.label),
        "text": "–" if value.value is None else f"{shown[-1]:,.{indicator.decimals}f}",
        "unit": get_symbol(indicator.unit),
        "target": indicator.get_shown(indicator.target.limit) if indicator.target else None,
        "target_text": " · ".join(part for part in (_say_period(sign.unit), _say_target(indicator)) if part),
        **_build_trend(indicator, value, before),
        "band": band,
        "band_text": {"watch": _("watch"), "bad": _("off target"), "silent": _("no value")}.get(band, ""),
        "spark": [None if v is None else round(v, 3) for v in shown],
    }


def _build_trend(indicator: Indicator, value: Value, before: Value | None) -> dict[str, Any]:
    if value.value is None or before is None or before.value is None:
        return {"trend": "flat", "trend_good": None, "delta_text": ""}
    delta = (indicator.get_shown(value.value) or 0.0) - (indicator.get_shown(before.value) or 0.0)
    if round(delta, indicator.decimals) == 0:
        return {"trend": "flat", "trend_good": None, "delta_text": _("as before")}
    better = (delta > 0) == (indicator.better == "high")
    return {"trend": "up" if delta > 0 else "down", "trend_good": better, "delta_text": f"{delta:+,.{indicator.decimals}f}"}


def _say_period(unit: PeriodUnit) -> str:
    words = {PeriodUnit.DAY: _("today"), PeriodUnit.WEEK: _("this week"), PeriodUnit.MONTH: _("this month"), PeriodUnit.QUARTER: _("this quarter")}
    return words.get(unit, _("this year"))


def _say_target(indicator: Indicator) -> str:
    if indicator.target is None:
        return ""
    sign = {">=": "≥", "<=": "≤"}.get(indicator.target.op, indicator.target.op)
    return _("target %(target)s") % {"target": f"{sign} {indicator.get_shown(indicator.target.limit):g}"}
