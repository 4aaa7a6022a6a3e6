"""The whole of one screen at one moment: what the page prints, and what live streams compare with."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from zhongshu.kernel.place.models import Division

from .air import build_headline
from .place import Place, build_place, find_root, list_path
from .stream import list_stream
from .things import count_things
from .viewer import Viewer
from .vitals import list_vitals

__all__ = ["ScreenState", "build_state", "say_things"]


@dataclass(frozen=True)
class ScreenState:
    """Ready to show, in the viewer's language; `stream` newest first."""

    place: Place
    headline: dict[str, Any]
    vitals: list[dict[str, Any]]
    stream: list[dict[str, Any]]
    open_total: int
    things_text: str


def build_state(viewer: Viewer, division: Division) -> ScreenState:
    """Read everything the screen shows of a division."""
    place, root = build_place(division, viewer.language), find_root(viewer.division)
    with override(viewer.language):
        stream, total = list_stream(viewer, place)
        headline = build_headline(list_path(division, root or division))
        return ScreenState(place, headline, list_vitals(division.pk), stream, total, say_things(viewer, place))


def say_things(viewer: Viewer, place: Place) -> str:
    """Return the sentence about the things of a place."""
    every, silent, out = count_things(viewer, place)
    parts = [_("%(count)s things") % {"count": f"{every:,}"}]
    if out:
        parts.append(_("%(count)s out of bounds") % {"count": f"{out:,}"})
    if silent:
        parts.append(_("%(count)s silent") % {"count": f"{silent:,}"})
    return " · ".join(parts)
