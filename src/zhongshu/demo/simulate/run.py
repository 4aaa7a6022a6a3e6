"""Playing a plan: every second, what fell due goes to the devices, and the devices send it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.demo.city.episode import Episode

from .concentrator import Concentrator
from .due import Due
from .plan import Plan, read_plan, read_streams
from .station import Counts, Station

__all__ = ["Simulator", "run_plan"]

TICK_S = 1.0
HOUR_US = 3_600_000_000
HOURLY_S = 3600
LONGEST_PAST_US = {"hourly": 3 * HOUR_US, "real_time": 0, "mqtt": 600_000_000}
"""How much of a time without simulator the devices send afterwards: stations the last hours (HJ 212-2017 knows sending again), sensors the last ten minutes."""

REAL_TIME, HOUR_DATA = "2011", "2061"


@dataclass
class _Names:
    """What is needed of each stream to send it, by stream number."""

    sender: list[str]
    wire: list[str]
    digits: list[int]


@dataclass
class Simulator:
    """All devices of one plan."""

    plan: Plan
    streams: pa.Table
    stations: dict[str, Station] = field(init=False)
    hubs: dict[str, Concentrator] = field(init=False)
    _reached: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        plan, streams = self.plan, self.streams
        self.station_counts, self.hub_counts = Counts(), Counts()
        episode = Episode(plan.episode_start_us, {int(number): height for number, height in plan.episode.items()})
        wired = pc.equal(pc.cast(streams["transport"], pa.string()), "tcp")
        hourly = pc.equal(streams["period_s"], HOURLY_S)
        self._due = {
            "hourly": Due(streams.filter(pc.and_(wired, hourly)), plan.seed, episode),
            "real_time": Due(streams.filter(pc.and_(wired, pc.invert(hourly))), plan.seed, episode),
            "mqtt": Due(streams.filter(pc.invert(wired)), plan.seed, episode),
        }
        self._names = _Names(streams["sender"].to_pylist(), streams["wire"].to_pylist(), streams["digits"].to_pylist())
        is_wired = dict(zip(self._names.sender, wired.to_pylist(), strict=True))
        rng = random.Random(plan.seed)  # noqa: S311 pauses between attempts
        self.stations = {
            name: Station(name, plan.secrets.get(name, ""), plan.offset_s, self.station_counts, random.Random(rng.random()))  # noqa: S311
            for name in sorted(n for n, w in is_wired.items() if w)
        }
        self.hubs = {
            name: Concentrator(name, plan.secrets.get(name, ""), plan.mqtt_url, plan.mqtt_topic, self.hub_counts)
            for name in sorted(n for n, w in is_wired.items() if not w)
        }

    def take(self, now_us: int) -> list[tuple[str, pa.Table]]:
        """Everything that fell due until `now_us` since the last call, by kind. An hourly mean falls due when its hour is over."""
        found = []
        for name, end in {"hourly": now_us - HOUR_US, "real_time": now_us, "mqtt": now_us}.items():
            start = self._reached.get(name)
            if start is None:
                known = self.plan.until_us.get("tcp" if name == "hourly" else "mqtt", 0)
                start = min(end, max(known, end - LONGEST_PAST_US[name]))
            table = self._due[name].take(start, end)
            self._reached[name] = max(start, end)
            if table.num_rows:
                found.append((name, table))
        return found

    def deliver(self, name: str, table: pa.Table) -> None:
        """Hand readings to the devices that send them."""
        rows = zip(table["stream"].to_pylist(), table["t"].to_pylist(), table["value"].to_pylist(), strict=True)
        if name == "mqtt":
            for sender, values in self._group_by_sender(rows).items():
                self.hubs[sender].put([(t, self._names.wire[n], value) for n, t, value in values])
            return
        uploads: dict[tuple[str, int], list[int]] = defaultdict(list)
        held: list[tuple[str, float | None, int]] = []
        for number, t, value in rows:
            uploads[self._names.sender[number], t].append(len(held))
            held.append((self._names.wire[number], value, self._names.digits[number]))
        for (sender, t), places in sorted(uploads.items(), key=lambda item: item[0][1]):
            self.stations[sender].put(HOUR_DATA if name == "hourly" else REAL_TIME, t, [held[p] for p in places])

    def _group_by_sender(self, rows: object) -> dict[str, list[tuple[int, int, float]]]:
        groups: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
        for number, t, value in rows:  # type: ignore[attr-defined]
            if value is not None and np.isfinite(value):
                groups[self._names.sender[number]].append((number, t, value))
        return groups

    async def run(self) -> None:
        """Play until cancelled."""
        tasks = [asyncio.create_task(station.run(self.plan.hj212_host, self.plan.hj212_port)) for station in self.stations.values()]
        for hub in self.hubs.values():
            hub.start()
        try:
            while True:
                began = time.monotonic()
                for name, table in await asyncio.to_thread(self.take, time.time_ns() // 1000):
                    self.deliver(name, table)
                self._write_status()
                await asyncio.sleep(max(0.05, TICK_S - (time.monotonic() - began)))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for hub in self.hubs.values():
                hub.stop()

    def _write_status(self) -> None:
        if self.plan.status:
            write_status(Path(self.plan.status), {"stations": asdict(self.station_counts), "concentrators": asdict(self.hub_counts)})


def write_status(path: Path, figures: dict[str, object]) -> None:
    """Replace the status file."""
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps({"at": time.time(), **figures}), encoding="ascii")
    scratch.replace(path)


async def run_plan(path: Path) -> None:
    """Read a plan and play it until cancelled."""
    await Simulator(read_plan(path), read_streams(path)).run()
