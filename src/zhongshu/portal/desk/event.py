"""What a city event shows beside its fields: the signals that make it, and the case that was opened for it."""

from typing import Any

from django.utils.translation import gettext as _

from zhongshu.brain.fuse import SignalView, find_event
from zhongshu.brain.fuse.models import CityEvent
from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.units import get_symbol
from zhongshu.portal.records.address import record_url
from zhongshu.portal.records.detail import Panel, add_panels
from zhongshu.portal.render import Cell, tone_of
from zhongshu.sense.device.models import ThresholdLevel
from zhongshu.sense.observe.models import Alarm
from zhongshu.work.case.models import Case

__all__ = ["build_signal_table", "event_panels"]

SHOWN = 20


@add_panels("brain.CityEvent")
def event_panels(record: CityEvent) -> list[Panel]:
    """The case that was opened, and the signals, newest first."""
    found = find_event(str(record.uid))
    signals = found.signals if found is not None else ()
    cases = Case.objects.filter(event_uid=str(record.uid)).select_related("organisation").order_by("-id")
    panels = [Panel(_("Case"), [_case_cell(case) for case in cases[:SHOWN]])] if cases else []
    return [*panels, Panel(_("What was measured"), table=build_signal_table(signals))]


def build_signal_table(signals: tuple[SignalView, ...]) -> dict[str, Any]:
    """Return signals as a table; each leads to its alarm."""
    keys = [s.alarm for s in signals[:SHOWN] if s.alarm]
    links = {str(a.uid): record_url(get_kind("sense.Alarm"), a) for a in Alarm.objects.filter(uid__in=keys)}
    labels = [_("What"), _("Level"), _("Value"), _("Limit"), _("Since"), _("Until")]
    columns = [{"label": label, "align": "end" if i in (2, 3) else ""} for i, label in enumerate(labels)]
    return {"columns": columns, "rows": [{"url": links.get(s.alarm, ""), "cells": _signal_cells(s, labels)} for s in signals[:SHOWN]]}


def _signal_cells(signal: SignalView, labels: list[str]) -> list[Cell]:
    over = Cell(_("still"), label=labels[5], badge="alert") if signal.cleared_at is None else Cell("", label=labels[5], at=signal.cleared_at)
    return [
        Cell(signal.title, label=labels[0]),
        Cell(str(dict(ThresholdLevel.choices).get(signal.level, signal.level)), label=labels[1], badge=tone_of(signal.level)),
        _number(signal.value, signal.unit, labels[2]),
        _number(signal.limit, signal.unit, labels[3]),
        Cell("", label=labels[4], at=signal.started_at),
        over,
    ]


def _number(value: float | None, unit: str, label: str) -> Cell:
    return Cell(f"{value:g}" if value is not None else "–", unit=get_symbol(unit), label=label, align="end")


def _case_cell(case: Case) -> Cell:
    return Cell(case.case_no, label=case.get_state_display(), url=record_url(get_kind("work.Case"), case), note=str(case.organisation or ""))
