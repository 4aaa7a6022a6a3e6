"""Watching for the first live value."""

import threading
import time
from pathlib import Path

import numpy as np

from zhongshu.sense.observe import LatestReader, StreamDimension

__all__ = ["wait_for_live"]

LOOK_EVERY_S = 0.2


def wait_for_live(home: Path, since_us: int, stop: threading.Event, timeout_s: float = 600.0) -> int | None:
    """Return when (µs UTC) the first reading that arrived after `since_us` was seen among the latest values, or None when `stop` was set or the time is over."""
    reader, ordinals = LatestReader(home / "latest"), np.arange(StreamDimension.load(home).size)
    end = time.monotonic() + timeout_s
    while not stop.is_set() and time.monotonic() < end:
        if (reader.read(ordinals).arrived_at > since_us).any():
            return time.time_ns() // 1000
        stop.wait(LOOK_EVERY_S)
    return None
