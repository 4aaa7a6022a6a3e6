"""A dust episode at one station: what makes a fresh demonstration show an alarm, an event and a case within minutes.

It lies over what `behaviour` says and is a pure function of its own figures, so that history, simulators and tests agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Episode"]

_RISE_S, _HOLD_S, _FALL_S = 600.0, 3 * 3600.0, 3600.0


@dataclass(frozen=True)
class Episode:
    """Dust from `start_us` (µs UTC): ``streams`` maps stream numbers to what is added at its height, in the stream's unit.

    It rises within ten minutes, stays for three hours and is over an hour later (``local: demo city``).
    """

    start_us: int
    streams: dict[int, float]

    @property
    def end_us(self) -> int:
        """The first moment without any of it."""
        return self.start_us + int((_HOLD_S + _FALL_S) * 1e6)

    def compute(self, stream: NDArray[np.int64], t: NDArray[np.int64]) -> NDArray[np.float64]:
        """What is to be added to readings of ``stream`` at ``t`` (µs), of the same shape."""
        if not self.streams:
            return np.zeros(len(t))
        number = np.array(sorted(self.streams), dtype=np.int64)
        height = np.array([self.streams[int(n)] for n in number])
        place = np.clip(np.searchsorted(number, stream), 0, len(number) - 1)
        since = (t - self.start_us) / 1e6
        shape = np.clip(np.minimum(0.6 + 0.4 * since / _RISE_S, (_HOLD_S + _FALL_S - since) / _FALL_S), 0, 1) * (since >= 0)
        return np.asarray(np.where(number[place] == stream, height[place], 0.0) * shape)

    def apply(self, readings: pa.Table) -> pa.Table:
        """Readings ``(stream, t, value, …)`` with numbers for streams, the dust added; missing values stay missing."""
        added = self.compute(readings["stream"].to_numpy(), readings["t"].to_numpy())
        if not added.any():
            return readings
        value = readings["value"].to_numpy()
        return readings.set_column(readings.column_names.index("value"), "value", pa.array(np.round(value + added, 1), from_pandas=True))
