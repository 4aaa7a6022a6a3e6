"""The stream beside the map: alarms that still hold and cases that are not closed, newest first."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import get_kind
from zhongshu.kernel.registry import registry
from zhongshu.sense.device.models import ThresholdLevel
from zhongshu.sense.observe.models import Alarm, AlarmState
from zhongshu.work.case import CaseState
from zhongshu.work.case.machine import ENDED
from zhongshu.work.case.models import Case

from .place import Place, name_of
from .viewer import Viewer

__all__ = ["MOST_ITEMS", "count_alarms", "list_stream"]

MOST_ITEMS = 40


def list_stream(viewer: Viewer, place: Place) -> tuple[list[dict[str, Any]], int]:
    """Return the items (as docs/design.md says, newest first) and how many are open altogether. Alarms found in old data are left out."""
    alarms = Alarm.objects.filter(viewer.alarm.q(get_kind("sense.Alarm")), place.inside(), state=AlarmState.RAISED, historical=False)
    cases = Case.objects.filter(viewer.case.q(get_kind("work.Case")), place.inside()).exclude(state__in=list(ENDED))
    total = alarms.count() + cases.count()
    newest = list(alarms.select_related("division", "thing", "threshold").order_by("-started_at", "-pk")[:MOST_ITEMS])
    opened = list(cases.select_related("division").order_by("-opened_at", "-pk")[:MOST_ITEMS])
    items = [_build_alarm(a, viewer.language) for a in newest] + [_build_case(c, viewer.language) for c in opened]
    return sorted(items, key=lambda item: item["at"], reverse=True)[:MOST_ITEMS], total


def count_alarms(viewer: Viewer, place: Place) -> list[int]:
    """Return the left numbers of the divisions of all alarms that hold in a place, one entry per alarm."""
    found = Alarm.objects.filter(viewer.alarm.q(get_kind("sense.Alarm")), place.inside(), state=AlarmState.RAISED, historical=False)
    return [int(left) for left in found.values_list("division__left", flat=True)]


def _build_alarm(alarm: Alarm, language: str) -> dict[str, Any]:
    title = alarm.threshold.title_en if language == "en" and alarm.threshold and alarm.threshold.title_en else alarm.title
    return {
        "id": f"alarm-{alarm.uid}",
        "level": str(alarm.level),
        "level_label": _level_label(alarm.level),
        "kind_label": _("alarm"),
        "title": f"{alarm.thing.name} · {title}",
        "place": name_of(alarm.division, language) if alarm.division else "",
        "state": "",
        "at": alarm.started_at,
        "url": reverse("record", args=["sense-alarm", alarm.uid]),
    }


def _build_case(case: Case, language: str) -> dict[str, Any]:
    kind = registry.find("case_kind", case.kind)
    label = str(kind.label) if kind else case.kind
    return {
        "id": f"case-{case.uid}",
        "level": str(case.level),
        "level_label": _level_label(case.level),
        "kind_label": label,
        "title": case.title,
        "place": " ".join(part for part in (name_of(case.division, language) if case.division else "", case.case_no) if part),
        "state": _("overdue") if case.overdue else str(CaseState(case.state).label),
        "at": case.opened_at,
        "url": reverse("case", args=[case.uid]),
    }


_WORDS: Mapping[str, Any] = dict(ThresholdLevel.choices)


def _level_label(level: str) -> str:
    return str(_WORDS.get(level, level))
