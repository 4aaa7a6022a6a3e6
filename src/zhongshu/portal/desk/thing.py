"""What a thing and a stream show beside their fields: latest values, charts, raw frames."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import Http404, HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.time import now
from zhongshu.kernel.units import get_symbol
from zhongshu.portal.records.detail import Panel, add_panels
from zhongshu.portal.records.query import get_rows
from zhongshu.portal.render import Cell
from zhongshu.security.access import check_verb
from zhongshu.sense.device.models import Stream, Thing, Threshold
from zhongshu.sense.observe.facade import LatestValue, get_series, get_thing_view
from zhongshu.sense.observe.quality import Quality

__all__ = ["stream_panels", "stream_series", "thing_panels"]

DAY = timedelta(days=1)
LONGEST = timedelta(days=400)
CHARTS = 3
POINTS = 1500


@add_panels("sense.Thing")
def thing_panels(record: Thing) -> list[Panel]:
    """Latest values of all properties, and charts of the first of them."""
    view = get_thing_view(str(record.uid))
    labels = [_("What"), _("Value"), _("Quality"), _("Measured")]
    streams = dict(Stream.objects.filter(thing=record).values_list("external_id", "uid"))
    rows = [{"url": _stream_url(streams.get(value.stream)), "cells": _value_cells(value, labels)} for value in view.values]
    if not rows:
        return []
    columns = [{"label": label, "align": "end" if i == 1 else ""} for i, label in enumerate(labels)]
    panels = [Panel(_("Readings"), table={"columns": columns, "rows": rows})]
    shown = [value for value in view.values if value.stream in streams][:CHARTS]
    panels += [Panel(f"{_name(value)} · {_('24 hours')}", chart={"src": _series_url(streams[value.stream], DAY)}) for value in shown]
    return panels


@add_panels("sense.Stream")
def stream_panels(record: Stream) -> list[Panel]:
    """A day and a month of the stream."""
    return [
        Panel(_("24 hours"), chart={"src": _series_url(record.uid, DAY)}),
        Panel(_("30 days, hourly"), chart={"src": _series_url(record.uid, 30 * DAY)}),
    ]


def stream_series(request: HttpRequest, uid: UUID) -> JsonResponse:
    """Answer a stream's points as chart JSON; `from`, `until` (RFC 3339) or `hours`; long windows come from hourly roll-ups."""
    kind = get_kind("sense.Stream")
    scope = check_verb(request.user, kind, "view")
    stream = get_rows(kind, scope).select_related("property").filter(uid=uid).first()
    if stream is None:
        raise Http404(_("There is no such stream, or your rights do not reach it."))
    start, end = _window(request)
    span = end - start
    step = 0 if span <= 2 * DAY else 3600
    if step and span / timedelta(hours=1) > POINTS:
        step = 86400
    series = get_series(stream.external_id, start, end, step)
    points = [[p.t.isoformat(), p.value, 0 if p.n_valid or p.value is not None else int(Quality.MISSING)] for p in series.points]
    limits = [
        {"value": t.limit, "label": t.title_en if get_language() == "en" and t.title_en else t.title, "level": t.level}
        for t in Threshold.objects.filter(property=stream.property, active=True)
        if t.stream_id in (None, stream.pk)
    ]
    prop = stream.property
    name = prop.name_en if get_language() == "en" and prop.name_en else prop.name
    return JsonResponse({"unit": get_symbol(series.unit), "kind": "line", "series": [{"name": name, "points": points}], "limits": limits})


def _window(request: HttpRequest) -> tuple[datetime, datetime]:
    try:
        end = datetime.fromisoformat(request.GET["until"]) if "until" in request.GET else now()
        start = datetime.fromisoformat(request.GET["from"]) if "from" in request.GET else end - timedelta(hours=float(request.GET.get("hours", "24")))
    except ValueError as error:
        raise Http404(_("from and until must be times such as 2026-11-21T08:00:00+08:00.")) from error
    if start.tzinfo is None or end.tzinfo is None or not start < end or end - start > LONGEST:
        raise Http404(_("from and until must have a zone, in this order, at most 400 days apart."))
    return start, end


def _stream_url(uid: Any) -> str:
    return reverse("record", args=["sense-stream", uid]) if uid is not None else ""


def _series_url(uid: Any, span: timedelta) -> str:
    return f"{reverse('stream-series', args=[uid])}?hours={quote(f'{span / timedelta(hours=1):g}')}"


def _name(value: LatestValue) -> str:
    return value.name_en if get_language() == "en" and value.name_en else value.name


def _value_cells(value: LatestValue, labels: list[str]) -> list[Cell]:
    text = "–" if value.value is None else f"{value.value:.{value.decimals}f}"
    return [
        Cell(_name(value), label=labels[0], note=value.property),
        Cell(text, unit=get_symbol(value.unit), label=labels[1], align="end"),
        _quality_cell(value, labels[2]),
        Cell("", at=value.t, label=labels[3]) if value.t else Cell("–", label=labels[3]),
    ]


def _quality_cell(value: LatestValue, label: str) -> Cell:
    if value.t is None:
        return Cell(_("no reading yet"), label=label, badge="silent")
    if value.is_valid:
        return Cell(_("valid"), label=label, badge="ok")
    words = {
        Quality.OUT_OF_RANGE: _("out of plausible range"),
        Quality.STUCK: _("stuck"),
        Quality.SPIKE: _("spike"),
        Quality.STOPPED: _("stopped"),
        Quality.MAINTENANCE: _("under maintenance"),
        Quality.SET_BY_HAND: _("set by hand"),
        Quality.FAULT: _("device fault"),
        Quality.CALIBRATION: _("calibration"),
        Quality.OVER_RANGE: _("over range"),
        Quality.NO_COMMUNICATION: _("no communication"),
        Quality.MISSING: _("missing"),
    }
    return Cell(words.get(value.quality, str(int(value.quality))), label=label, badge="warn")
