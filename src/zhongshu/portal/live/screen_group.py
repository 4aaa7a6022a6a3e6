"""Everybody who looks at one division with equal rights in one language: read once, compared with what was sent, written once."""

import time
from typing import Any

import numpy as np
from django.utils.translation import override
from numpy.typing import NDArray

from zhongshu.kernel.place.models import Division
from zhongshu.portal.screen.air import list_area_values
from zhongshu.portal.screen.readings import read_values
from zhongshu.portal.screen.shapes import get_outlines
from zhongshu.portal.screen.state import ScreenState, build_state
from zhongshu.portal.screen.stream import list_stream
from zhongshu.portal.screen.things import SpotSet, build_spots, format_spot
from zhongshu.portal.screen.viewer import Viewer

from .client import Client
from .events import diff_items, diff_stream, encode_event

__all__ = ["ScreenGroup"]

STREAM_KINDS = frozenset({"sense.Alarm", "work.Case", "sense.Threshold"})
REST_KINDS = frozenset({"sense.Thing", "sense.Stream", "sense.Property", "environment.AirStation", "kernel.Division", "brain.indicator", "environment.AirIndex"})
REST_S = 5.0
REST_SOONEST_S = 1.0


class ScreenGroup:
    """One screen, made in any thread, afterwards used by the hub's one thread only. Every event that must not be missed carries an id; equal ids mean equal states."""

    def __init__(self, name: str, viewer: Viewer, division: Division) -> None:
        self.name, self.viewer, self.division = name, viewer, division
        self.clients: set[Client] = set()
        self._number = 0
        self._state: ScreenState = build_state(viewer, division)
        self._areas = self._read_areas()
        self._shown: SpotSet = build_spots(viewer, self._state.place)
        self._values = self._format(self._shown, None)
        self._rest_at, self._rest_wanted = time.monotonic(), True  # what was written while this was read is looked for once more

    @property
    def id(self) -> str:
        """The id of the present state."""
        return f"{self.name}-{self._number}"

    def build_snapshot(self) -> list[bytes]:
        """Return the whole state as events; the last one carries the id."""
        state = self._state
        return [
            encode_event("headline", state.headline),
            encode_event("vitals", {"items": state.vitals}),
            encode_event("map", {"layer": "divisions", "changes": [{"uid": uid, "value": value} for uid, value in self._areas.items()]}),
            encode_event("map", {"layer": "things", "changes": list(self._values.values())}),
            encode_event("stream", {"op": "reset", "items": state.stream, "open_total": state.open_total}, self.id),
        ]

    def get_things_text(self) -> str:
        """Return the sentence about the things of this place."""
        return self._state.things_text

    def look(self, touched: set[str], changed: NDArray[np.int64]) -> list[bytes]:
        """Return what is urgent: `touched` are kinds of records that were written, `changed` ordinals of streams that have new values."""
        every = "*" in touched
        self._rest_wanted |= every or bool(touched & REST_KINDS)
        with override(self.viewer.language):
            made = self._look_stream() if every or touched & STREAM_KINDS else []
            return made + (self._look_readings(changed) if len(changed) else [])

    def compute_lateness(self) -> float:
        """Return for how many seconds the rest (headline, vital signs, areas, which things are shown) should have been looked at; not above 0: not yet."""
        return time.monotonic() - self._rest_at - (REST_SOONEST_S if self._rest_wanted else REST_S)

    def look_again(self) -> list[bytes]:
        """Return what is new of everything."""
        with override(self.viewer.language):
            return self._look_rest()

    def _say(self, name: str, data: Any) -> bytes:
        self._number += 1
        return encode_event(name, data, self.id)

    def _look_stream(self) -> list[bytes]:
        old = self._state
        stream, total = list_stream(self.viewer, old.place)
        events = diff_stream(old.stream, stream, total, total != old.open_total)
        self._state = ScreenState(old.place, old.headline, old.vitals, stream, total, old.things_text)
        return [self._say("stream", event) for event in events]

    def _look_rest(self) -> list[bytes]:
        self._rest_at, self._rest_wanted = time.monotonic(), False
        old, new = self._state, build_state(self.viewer, self.division)
        self._state = new
        made = [self._say("stream", e) for e in diff_stream(old.stream, new.stream, new.open_total, new.open_total != old.open_total)]
        if new.headline != old.headline:
            made.append(self._say("headline", new.headline))
        before = {vital["id"]: vital for vital in old.vitals}
        vitals = [vital for vital in new.vitals if before.get(vital["id"]) != vital]
        if vitals:
            made.append(self._say("vitals", {"items": vitals}))
        areas = self._read_areas()
        parts = [{"uid": uid, "value": value} for uid, value in areas.items() if value != self._areas.get(uid)]
        self._areas = areas
        if parts:
            made.append(self._say("map", {"layer": "divisions", "changes": parts}))
        self._shown = build_spots(self.viewer, new.place)
        return made + self._compare(self._format(self._shown, None))

    def _look_readings(self, changed: NDArray[np.int64]) -> list[bytes]:
        mine = set(np.intersect1d(self._shown.ordinals, changed).tolist())
        things = {s.thing for s in self._shown.streams if s.ordinal in mine}
        return self._compare({**self._values, **self._format(self._shown, things)}) if things else []

    def _compare(self, values: dict[str, dict[str, Any]]) -> list[bytes]:
        fresh = diff_items(self._values, values)
        self._values = values
        return [self._say("map", {"layer": "things", "changes": fresh})] if fresh else []

    def _format(self, shown: SpotSet, only: set[int] | None) -> dict[str, dict[str, Any]]:
        streams = [s for s in shown.streams if only is None or s.thing in only]
        measured = read_values(streams)
        spots = [spot for pk, spot in shown.spots.items() if only is None or pk in only]
        return {spot.uid: format_spot(spot, measured.get(spot.pk, []), self.viewer.language) for spot in spots}

    def _read_areas(self) -> dict[str, int | None]:
        if not self.viewer.station:
            return {}
        return list_area_values({child.uid: child.level for child in get_outlines(self.division.pk).children})
