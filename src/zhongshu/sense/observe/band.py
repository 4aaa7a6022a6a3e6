"""The band of each thing (normal, low, high, silent), kept on change so that lists and maps can filter and sort by it."""

import time
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import models

from zhongshu.kernel.home import House
from zhongshu.kernel.job import tick
from zhongshu.kernel.record import transaction
from zhongshu.sense.device.models import Band, Stream, Thing

from .dimension import StreamDimension
from .latest import NEVER, LatestReader
from .quality import Quality

__all__ = ["BandKeeper"]

EVERY_S = 3.0
CHUNK = 500
_CODES = np.array([Band.UNKNOWN, Band.OK, Band.LOW, Band.HIGH, Band.SILENT], dtype=object)
UNKNOWN, OK, LOW, HIGH, SILENT = range(5)
_SEVERITY = np.array([0, 2, 3, 4, 1])
"""Which band of several streams the thing gets: high before low before normal before silent before unknown; a thing is silent only when nothing of it speaks."""


class BandKeeper:
    """Compares latest values with limits as vectors, and writes only the things whose band changed."""

    def __init__(self, house: House) -> None:
        self._home = house.home
        self._streams = StreamDimension.load(house.home)
        self._latest = LatestReader(house.path("latest"))
        self._load()

    def _load(self) -> None:
        rows = np.array(list(Stream.objects.filter(active=True).values_list("ordinal", "thing_id", "property__silent_after_s").iterator(20_000)), np.int64).reshape(-1, 3)
        rows = rows[(rows[:, 0] < self._streams.size)]
        self._ordinals, self._silent_us = rows[:, 0], rows[:, 2] * 1_000_000
        self._things, self._place = np.unique(rows[:, 1], return_inverse=True)
        words = {word: code for code, word in enumerate(_CODES)}
        bands = dict(Thing.objects.values_list("id", "band").iterator(20_000))
        self._band = np.array([words.get(bands.get(int(thing), ""), UNKNOWN) for thing in self._things], np.int8)

    def keep(self, now_us: int) -> int:
        """Bring the bands up to date; returns how many things changed."""
        newer = self._streams.reload(self._home)
        if newer is not self._streams:
            self._streams = newer
            self._load()
        if not len(self._ordinals):
            return 0
        found = self._compute(now_us)
        severity = np.zeros(len(self._things), np.int64)
        np.maximum.at(severity, self._place, _SEVERITY[found])
        best = np.argsort(_SEVERITY)[severity].astype(np.int8)
        changed = np.flatnonzero(best != self._band)
        for code in np.unique(best[changed]):
            self._write(self._things[changed[best[changed] == code]].tolist(), str(_CODES[code]))
        self._band = best
        return len(changed)

    def _compute(self, now_us: int) -> np.ndarray:
        """Band code per stream, from its latest reading. Without any reading unknown; silent after the property's own time (never for readings on event)."""
        latest = self._latest.read(self._ordinals)
        limits = self._streams.thresholds
        band = np.full(len(self._ordinals), OK, np.int8)
        good = latest.quality == Quality.GOOD
        band[good & (latest.value <= limits.below[self._ordinals])] = LOW
        band[good & (latest.value >= limits.above[self._ordinals])] = HIGH
        never = latest.t == NEVER
        age = now_us - np.where(never, now_us, latest.t)
        band[(self._silent_us > 0) & (age > self._silent_us)] = SILENT
        band[never] = UNKNOWN
        return band

    @staticmethod
    def _write(things: list[int], band: str) -> None:
        # derived from readings, not changed by anybody: no version, no history, no trail, or each gust of wind would be in the audit
        for start in range(0, len(things), CHUNK):
            with transaction():
                models.QuerySet.update(Thing._base_manager.filter(pk__in=things[start : start + CHUNK]), band=band)


_keepers: dict[Path, BandKeeper] = {}


@tick("sense.band", EVERY_S)
def keep_bands() -> bool:
    """Keep `Thing.band`."""
    house: House = settings.HOUSE
    if house.home not in _keepers:
        _keepers[house.home] = BandKeeper(house)
    _keepers[house.home].keep(time.time_ns() // 1000)
    return False
