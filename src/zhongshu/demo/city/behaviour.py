"""What the devices say: readings as a pure function of (seed, stream, moment), so that history and live agree.

Nothing is drawn from a running generator. Every random number is a hash of seed, stream and time slot, so any stretch
of time can be made again, in any order, on any machine. All devices share one weather and one course of pollution
episodes; a station's pollutants therefore move together: PM10 above PM2.5, ozone against nitrogen dioxide, everything
up in calm air. The numbers are invented and only plausible (``local: demo city``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["READINGS_SCHEMA", "FaultShares", "build_history", "iter_history", "list_faults"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
U64 = NDArray[np.uint64]

READINGS_SCHEMA = pa.schema(
    [
        ("stream", pa.dictionary(pa.int32(), pa.string())),
        ("t", pa.int64()),
        ("sub", pa.uint8()),
        ("value", pa.float64()),
        ("quality", pa.uint8()),
    ]
)
"""The intake schema of ``docs/house.md``: external stream id, µs UTC at the start of the interval, value, quality."""

_GOOD, _NO_COMMUNICATION = 0, 16
_HOUR = 3600.0
_BLOCK_S = 10 * 86_400
_ZONE_S = 8 * 3600  # the demo city keeps UTC+8


@dataclass(frozen=True, slots=True)
class FaultShares:
    """Shares of all readings that are missing in an outage, missing singly, stuck, or drifting."""

    outage: float = 0.008
    missing: float = 0.004
    stuck: float = 0.006
    drift: float = 0.010


_WINDOWS = {"outage": (1, 11), "stuck": (6, 18), "drift": (72, 168)}  # shortest and longest duration, hours
_SALT = {"outage": 101, "missing": 102, "stuck": 103, "drift": 104}


def _mix(*parts: int | U64 | Ints) -> U64:
    """Hash of integers, broadcast together (SplitMix64 finaliser; Steele, Lea and Flood 2014)."""
    state: Any = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        for part in parts:
            z = (np.asarray(part).astype(np.uint64) + state) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = z ^ (z >> np.uint64(31))
    return np.asarray(state)


def _uniform(*parts: int | U64 | Ints) -> Floats:
    return np.asarray((_mix(*parts) >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _noise(*parts: int | U64 | Ints) -> Floats:
    """Nearly normal, mean 0, deviation 1, from the four 16-bit quarters of one hash (sum of uniforms)."""
    h = _mix(*parts)
    mask = np.uint64(0xFFFF)
    total = sum((h >> np.uint64(16 * i) & mask).astype(np.float32) for i in range(4))
    return np.asarray((total / np.float32(65536.0) - np.float32(2.0)) * np.float32(np.sqrt(3.0)), dtype=np.float64)


def _wander(t: Floats, hours: float, *key: int | U64 | Ints) -> Floats:
    """Smooth random course between -1 and 1 with a new level every ``hours``; keys broadcast against ``t`` (s)."""
    at = t / (hours * _HOUR)
    knot = np.floor(at).astype(np.int64)
    f = at - knot
    f = f * f * (3 - 2 * f)
    a, b = _uniform(*key, knot), _uniform(*key, knot + 1)
    return np.asarray((a + (b - a) * f) * 2 - 1)


@dataclass(frozen=True)
class _Air:
    """The city's weather and pollution at moments ``t`` (s UTC), each ``(time,)``."""

    hour: Floats
    season: Floats
    temperature: Floats
    humidity: Floats
    wind: Floats
    wind_from: Floats
    pressure: Floats
    rain: Floats
    sun: Floats
    episode: Floats
    rush: Floats


def _compute_air(seed: int, t: Floats) -> _Air:
    local = t + _ZONE_S
    hour = local / _HOUR % 24
    season = np.cos((local / 86_400 - 15) / 365.25 * 2 * np.pi)  # 1 in mid January, -1 in mid July
    front = _wander(t, 60, seed, 1)
    cloud = np.clip(0.5 + 0.6 * _wander(t, 30, seed, 2), 0, 1)
    day = np.clip(np.sin((hour - 5.6 - 0.4 * season) / (12.8 - 1.6 * season) * np.pi), 0, None) * ((hour > 5) & (hour < 20))
    sun = day * (1 - 0.65 * cloud)
    temperature = 17.5 - 11.5 * season + 4.5 * front + 4.2 * np.cos((hour - 15) / 24 * 2 * np.pi) * (1 - 0.5 * cloud)
    wet = np.clip(_wander(t, 26, seed, 3) - 0.45, 0, None) * (cloud > 0.45)
    wind = np.clip(2.2 + 1.6 * _wander(t, 14, seed, 4) + 0.8 * np.sin((hour - 9) / 24 * 2 * np.pi) - 0.4 * season, 0.2, None)
    block = np.floor(t / (6 * 86_400))
    episode = np.zeros_like(t)
    for shift in (0, -1):
        number = (block + shift).astype(np.int64)
        strong = np.where(_uniform(seed, 5, number) < 0.45, 0.6 + 1.5 * _uniform(seed, 6, number), 0.0)
        centre = (number + 0.25 + 0.5 * _uniform(seed, 7, number)) * 6 * 86_400
        width = (0.5 + 0.7 * _uniform(seed, 8, number)) * 86_400
        episode = np.maximum(episode, strong * np.exp(-(((t - centre) / width) ** 2)))
    rush = np.exp(-(((hour - 8) / 1.6) ** 2)) + 0.9 * np.exp(-(((hour - 18.7) / 2.0) ** 2))
    return _Air(hour, season, temperature, np.clip(72 + 16 * _wander(t, 20, seed, 9) - 1.3 * (temperature - 17) * day + 25 * (wet > 0), 18, 100),
                wind, (150 + 170 * _wander(t, 40, seed, 10)) % 360, 101.0 + 0.9 * season + 0.7 * front, wet * 6, sun, episode, rush)  # fmt: skip


@dataclass(frozen=True)
class _Site:
    """What a model may know of its streams: arrays ``(stream, 1)``; ``key`` is the device, shared by its properties."""

    seed: int
    key: Ints
    stream: Ints
    density: Floats
    roadside: Floats
    t: Floats
    air: _Air
    slot: Ints


def _pm25(s: _Site) -> Floats:
    calm = 1.25 / (0.55 + 0.32 * s.air.wind)
    city = (23 + 15 * s.air.season) * np.exp(s.air.episode) * calm * np.exp(-0.25 * s.air.rain)
    near = (0.72 + 0.35 * s.density + 0.12 * s.roadside) * (1 + 0.10 * s.air.rush * s.density) + 0.10 * _wander(s.t, 9, s.seed, 20, s.key)
    return np.asarray(city * np.clip(near, 0.3, None))


def _noisy(value: Floats, s: _Site, share: float) -> Floats:
    return np.asarray(value * (1 + share * _noise(s.seed, 50, s.stream, s.slot)))


def _pm10(s: _Site) -> Floats:
    dust = 14 + 16 * np.clip(s.air.wind - 3, 0, None) + 9 * s.air.rush * s.density
    return np.asarray(_noisy(_pm25(s), s, 0.04) * 1.22 + dust * np.clip(1 - 0.3 * s.air.rain, 0.1, 1) * (1 + 0.25 * np.abs(_noise(s.seed, 51, s.stream, s.slot))))


def _no2_base(s: _Site) -> Floats:
    return np.asarray((9 + 14 * s.density + 16 * s.roadside + 4 * s.air.season) * (0.55 + 0.9 * s.air.rush) * np.exp(0.35 * s.air.episode)
                      * 1.6 / (0.6 + 0.5 * s.air.wind) * (1 - 0.35 * s.air.sun) + 3 * _wander(s.t, 6, s.seed, 21, s.key) + 4)  # fmt: skip


def _o3(s: _Site) -> Floats:
    warm = np.clip((s.air.temperature - 4) / 20, 0.1, 1.7)
    made = 135 * s.air.sun**0.8 * warm * (1 + 0.25 * s.air.episode)
    return np.asarray(np.clip(_noisy(42 + made - 0.7 * _no2_base(s) * (1 - s.air.sun) - 12 * s.roadside, s, 0.05), 2, None))


def _noise_level(s: _Site) -> Floats:
    awake = 1 / (1 + np.exp(-(s.air.hour - 6.2) * 1.8)) * (1 / (1 + np.exp((s.air.hour - 22.5) * 1.4)))
    event = np.where(_uniform(s.seed, 23, s.stream, s.slot) < 0.004, 14.0, 0.0)
    return np.asarray(41 + 6 * s.density + (9 + 4 * s.density) * awake + 3 * s.air.rush * s.density + 1.6 * _noise(s.seed, 50, s.stream, s.slot)
                      + 3 * _wander(s.t, 200, s.seed, 22, s.key) + event)  # fmt: skip


def _level(s: _Site) -> Floats:
    flood = np.clip(_wander(s.t, 90, s.seed, 24) - 0.3, 0, None)
    return np.asarray(2.4 + 0.5 * s.density - 0.5 * s.air.season + 3.2 * flood + 0.1 * _wander(s.t, 12, s.seed, 25, s.key) + 0.012 * _noise(s.seed, 50, s.stream, s.slot))


def _tilt(s: _Site) -> Floats:
    week = np.floor(s.t / (7 * 86_400)).astype(np.int64)
    moved = _uniform(s.seed, 26, s.key, week) < 0.002
    inside = (s.t / (7 * 86_400)) % 1
    start = 0.8 * _uniform(s.seed, 27, s.key, week)
    open_ = moved & (inside > start) & (inside < start + 0.06)
    rest = 1.2 * _uniform(s.seed, 28, s.key) + 0.15 * np.abs(_noise(s.seed, 50, s.stream, s.slot))
    return np.asarray(np.where(open_, 35 + 40 * _uniform(s.seed, 29, s.key, week), rest))


def _smoke(s: _Site) -> Floats:
    burst = np.where(_uniform(s.seed, 30, s.stream, s.slot) < 0.0001, 9 + 8 * _uniform(s.seed, 31, s.stream, s.slot), 0.0)
    return np.asarray(np.abs(0.3 + 0.15 * _noise(s.seed, 50, s.stream, s.slot)) + burst)


_MODELS: dict[str, Callable[[_Site], Floats]] = {
    "pm25": lambda s: np.clip(_noisy(_pm25(s), s, 0.05), 1, None),
    "pm10": _pm10,
    "so2": lambda s: np.clip(_noisy(4 + 2.5 * s.density + 0.05 * _pm25(s), s, 0.12), 1, None),
    "no2": lambda s: np.clip(_noisy(_no2_base(s), s, 0.07), 2, None),
    "co": lambda s: np.clip(_noisy(0.25 + 0.008 * _pm25(s) + 0.12 * s.air.rush * (s.density + s.roadside), s, 0.08), 0.1, None),
    "o3": _o3,
    "temperature": lambda s: s.air.temperature + 1.2 * s.density + 0.25 * _noise(s.seed, 50, s.stream, s.slot),
    "humidity": lambda s: np.clip(s.air.humidity + 1.5 * _noise(s.seed, 50, s.stream, s.slot), 5, 100),
    "pressure": lambda s: s.air.pressure + 0.02 * _noise(s.seed, 50, s.stream, s.slot),
    "wind": lambda s: np.clip(s.air.wind * (1.15 - 0.35 * s.density) + 0.4 * _noise(s.seed, 50, s.stream, s.slot), 0, None),
    "wind_from": lambda s: (s.air.wind_from + 14 * _noise(s.seed, 50, s.stream, s.slot)) % 360,
    "rain": lambda s: np.where(s.air.rain > 0.3, np.clip(s.air.rain * (1 + 0.5 * _noise(s.seed, 50, s.stream, s.slot)) / 3, 0, None), 0.0),
    "noise": _noise_level,
    "level": _level,
    "tilt": _tilt,
    "battery": lambda s: 3.62 - 0.45 * ((s.t / 86_400 + 1500 * _uniform(s.seed, 32, s.key)) % 1500 / 1500) + 0.01 * _noise(s.seed, 50, s.stream, s.slot),
    "smoke": _smoke,
}  # fmt: skip


def _list_windows(seed: int, kind: str, share: float, keys: Ints, blocks: Ints) -> tuple[Floats, Floats]:
    """Fault windows ``(stream, block)`` in s UTC, inside their ten-day block; NaN where there is none."""
    lo, hi = _WINDOWS[kind]
    chance = share * (_BLOCK_S / _HOUR) / ((lo + hi) / 2)
    salt, key, block = _SALT[kind], keys[:, None], blocks[None, :]
    length = (lo + (hi - lo) * _uniform(seed, salt, 1, key, block)) * _HOUR
    start = block * float(_BLOCK_S) + _uniform(seed, salt, 2, key, block) * (_BLOCK_S - length)
    none = _uniform(seed, salt, key, block) >= chance
    return np.where(none, np.nan, start), np.where(none, np.nan, start + length)


def list_faults(streams: pa.Table, start_us: int, end_us: int, seed: int, shares: FaultShares | None = None) -> pa.Table:
    """The truth about faults: ``(stream, kind, from_us, until_us)`` for outage, stuck and drift windows that touch the
    time. Outages belong to the device: all its streams have them together. Single missing readings are not listed.
    """
    shares = shares or FaultShares()
    blocks = np.arange(start_us // 1_000_000 // _BLOCK_S, (end_us - 1) // 1_000_000 // _BLOCK_S + 1)
    number, thing = streams["stream"].to_numpy(), streams["thing"].to_numpy()
    tables = []
    for kind in _WINDOWS:
        keys = thing if kind == "outage" else number
        lo, hi = _list_windows(seed, kind, getattr(shares, kind), keys, blocks)
        row, col = np.nonzero((hi * 1e6 > start_us) & (lo * 1e6 < end_us))
        tables.append(
            pa.table(
                {
                    "stream": number[row],
                    "kind": pa.array([kind] * len(row), pa.string()),
                    "from_us": (lo[row, col] * 1e6).astype(np.int64),
                    "until_us": (hi[row, col] * 1e6).astype(np.int64),
                }
            )
        )
    return pa.concat_tables(tables)


def iter_history(streams: pa.Table, start_us: int, end_us: int, seed: int, shares: FaultShares | None = None, rows: int = 2_000_000) -> Iterator[pa.RecordBatch]:
    """Readings with start_us <= t < end_us as batches of :data:`READINGS_SCHEMA`, a span of time and a period at a
    time, each ordered by stream and time. About ``rows`` readings a batch.

    A device on MQTT sends nothing in a gap; a station on HJ 212 has the row with null and quality 16. Stuck and
    drifting values carry quality 0: finding them is the product's work.
    """
    shares = shares or FaultShares()
    for period, model in sorted(set(zip(streams["period_s"].to_pylist(), streams["model"].to_pylist(), strict=True))):
        chosen = streams.filter(pc.and_(pc.equal(streams["period_s"], period), pc.equal(pc.cast(streams["model"], pa.string()), model)))
        names = chosen["external_id"].combine_chunks()
        for lo in range(0, chosen.num_rows, 20_000):
            part = chosen.slice(lo, 20_000)
            span = max(1, rows // part.num_rows) * period * 1_000_000
            at = start_us // (period * 1_000_000) * period * 1_000_000
            while at < end_us:
                yield from _make_batch(part, names.slice(lo, 20_000), model, period, (max(at, start_us), min(at + span, end_us)), seed, shares)
                at += span


def _make_batch(part: pa.Table, names: pa.Array, model: str, period: int, span_us: tuple[int, int], seed: int, shares: FaultShares) -> Iterator[pa.RecordBatch]:
    """Readings of streams of one model and period in a span of time; empty spans yield nothing."""
    period_us = period * 1_000_000
    slot = np.arange((span_us[0] - period_us) // period_us, (span_us[1] - 1) // period_us + 1, dtype=np.int64)
    phase = part["phase_s"].to_numpy().astype(np.int64)[:, None] * 1_000_000
    t = slot[None, :] * period_us + phase
    stream, thing = part["stream"].to_numpy(), part["thing"].to_numpy()
    value = _compute_values(part, model, slot, period, seed)
    kept = (t >= span_us[0]) & (t < span_us[1])
    seconds = t / 1e6
    blocks = np.arange(int(slot[0]) * period // _BLOCK_S, (int(slot[-1]) + 1) * period // _BLOCK_S + 1)
    for lo, hi in _each_window(seed, "drift", shares.drift, stream, blocks):
        value = np.where((seconds >= lo) & (seconds < hi), _drift(value, (seconds - lo) / _HOUR), value)
    for lo, hi in _each_window(seed, "stuck", shares.stuck, stream, blocks):
        rows = np.flatnonzero(np.isfinite(lo[:, 0]))
        if len(rows):
            value[rows] = _hold(part.take(rows), model, value[rows], seconds[rows], (lo[rows], hi[rows]), period, seed)
    value = np.round(value, int(part["digits"][0].as_py()))
    gone = _uniform(seed, _SALT["missing"], stream[:, None], slot[None, :]) < shares.missing
    for lo, hi in _each_window(seed, "outage", shares.outage, thing, blocks):
        gone |= (seconds >= lo) & (seconds < hi)
    wired = part["transport"][0].as_py() == "tcp"
    kept &= gone <= wired
    row, col = np.nonzero(kept)
    if not len(row):
        return
    missing = gone[row, col]
    yield pa.record_batch(
        [
            pa.DictionaryArray.from_arrays(pa.array(row, pa.int32()), names),
            pa.array(t[row, col]),
            pa.array(np.zeros(len(row), np.uint8)),
            pa.array(value[row, col], mask=missing),
            pa.array(np.where(missing, _NO_COMMUNICATION, _GOOD).astype(np.uint8)),
        ],
        schema=READINGS_SCHEMA,
    )


def _compute_values(part: pa.Table, model: str, slot: Ints, period: int, seed: int) -> Floats:
    """Undisturbed values ``(stream, slot)``. Within a period all streams see the weather of the slot's start."""
    t = slot.astype(float) * period

    def tall(name: str) -> NDArray[np.generic]:
        return np.asarray(part[name].to_numpy(zero_copy_only=False) if isinstance(part[name], pa.Array) else part[name].to_numpy())[:, None]

    site = _Site(seed, tall("thing").astype(np.int64), tall("stream").astype(np.int64), tall("density").astype(float),
                 tall("roadside").astype(float), t[None, :], _compute_air(seed, t), slot[None, :])  # fmt: skip
    return np.broadcast_to(_MODELS[model](site), (part.num_rows, len(slot))).astype(float)


def _each_window(seed: int, kind: str, share: float, keys: Ints, blocks: Ints) -> Iterator[tuple[Floats, Floats]]:
    lo, hi = _list_windows(seed, kind, share, keys, blocks)
    for b in range(len(blocks)):
        if np.isfinite(lo[:, b]).any():
            yield lo[:, b : b + 1], hi[:, b : b + 1]


def _drift(value: Floats, hours: Floats) -> Floats:
    """A drifting sensor gains 0.4 % of its reading and a little offset every hour."""
    return np.asarray(value * (1 + 0.004 * hours) + 0.01 * hours)


def _hold(part: pa.Table, model: str, value: Floats, seconds: Floats, window: tuple[Floats, Floats], period: int, seed: int) -> Floats:
    """A stuck sensor repeats what it last said before the window, wherever the batch begins."""
    first = np.floor(window[0][:, 0] / period).astype(np.int64)
    slots, place = np.unique(first, return_inverse=True)
    held = _compute_values(part, model, slots, period, seed)[np.arange(len(first)), place]
    return np.where((seconds >= window[0]) & (seconds < window[1]), held[:, None], value)


def build_history(streams: pa.Table, start_us: int, end_us: int, seed: int, shares: FaultShares | None = None) -> pa.Table:
    """All of :func:`iter_history` as one table; for many streams or long times take the batches instead."""
    table = pa.Table.from_batches(list(iter_history(streams, start_us, end_us, seed, shares)), READINGS_SCHEMA)
    return table.unify_dictionaries()
