"""What the things of a map measure now: latest values by thing, printed."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from zhongshu.kernel.units import get_symbol
from zhongshu.sense.device.models import Stream
from zhongshu.sense.observe import LatestReader, Quality

__all__ = ["Measured", "StreamInfo", "format_measured", "get_reader", "list_streams", "read_values"]

MOST_ROWS = 12
_local = threading.local()


@dataclass(frozen=True)
class StreamInfo:
    """One stream as the map prints it."""

    ordinal: int
    thing: int
    name: str
    name_en: str
    unit: str
    decimals: int
    headline: bool


@dataclass(frozen=True)
class Measured:
    """Latest value of one stream: `value` None where there is none or it does not count; `t` µs UTC, None where nothing was ever measured."""

    info: StreamInfo
    value: float | None
    t: int | None


def get_reader() -> LatestReader:
    """Return this thread's reader of the latest file."""
    if not hasattr(_local, "reader"):
        _local.reader = LatestReader(settings.HOUSE.path("latest"))
    return _local.reader  # type: ignore[no-any-return]


def list_streams(things: Iterable[int]) -> list[StreamInfo]:
    """Return the active streams of some things (database ids), those shown first in front."""
    rows = Stream.objects.filter(thing__in=list(things), active=True).order_by("-property__headline", "property_id")
    columns = ("ordinal", "thing_id", "property__name", "property__name_en", "unit", "property__unit", "property__decimals", "property__headline")
    return [StreamInfo(o, t, name, en, unit or own, decimals, headline) for o, t, name, en, unit, own, decimals, headline in rows.values_list(*columns)]


def read_values(streams: Iterable[StreamInfo]) -> dict[int, list[Measured]]:
    """Return thing → its latest values, in the order of `streams`."""
    wanted = list(streams)
    latest = get_reader().read(np.array([s.ordinal for s in wanted], np.int64))
    never: NDArray[np.bool_] = latest.t == np.iinfo(np.int64).min
    good = (latest.quality == Quality.GOOD) & ~np.isnan(latest.value) & ~never
    found: dict[int, list[Measured]] = defaultdict(list)
    for place, info in enumerate(wanted):
        value = float(latest.value[place]) if good[place] else None
        found[info.thing].append(Measured(info, value, None if never[place] else int(latest.t[place])))
    return dict(found)


def format_measured(measured: Mapping[int, list[Measured]] | list[Measured], language: str) -> list[list[str]]:
    """Return rows [label, text] of one thing's values; what does not count is told in words."""
    values = measured if isinstance(measured, list) else [m for group in measured.values() for m in group]
    return [[_label(m.info, language), _text(m)] for m in values[:MOST_ROWS]]


def _label(info: StreamInfo, language: str) -> str:
    return info.name_en if language == "en" and info.name_en else info.name


def _text(measured: Measured) -> str:
    if measured.t is None:
        return _("no reading yet")
    if measured.value is None:
        return _("not valid")
    return f"{measured.value:.{measured.info.decimals}f} {get_symbol(measured.info.unit)}".strip()
