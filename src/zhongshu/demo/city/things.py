"""Devices of the demonstration city and their streams: what they measure, where, how often, how they connect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from ...kernel.place import PolygonIndex
from .land import Land, compute_river, to_lonlat, warp

__all__ = ["KINDS", "Kind", "Property", "build_streams", "build_things", "check_size"]


@dataclass(frozen=True, slots=True)
class Property:
    """One observed property of a kind. ``code`` is the wire name, ``model`` the behaviour that makes its values.

    ``limit`` with ``clear`` and ``for_s`` is a threshold (``op`` gt or lt); its source is in ``source``.
    """

    code: str
    model: str
    unit: str
    low: float
    high: float
    digits: int
    op: str = ""
    limit: float = float("nan")
    clear: float = float("nan")
    for_s: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device: share of all devices, transport, sending period and properties."""

    code: str
    name_zh: str
    name_en: str
    share: float
    transport: str
    period_s: int
    owner: str
    properties: tuple[Property, ...]


_LOCAL = "local: demo city"
_AIR = "GB 3095-2026, 1-hour or 24-hour limits, second class"
KINDS: tuple[Kind, ...] = (
    Kind("air", "空气质量监测站", "Air quality station", 0.02, "tcp", 3600, "dept-environment", (
        Property("a34004", "pm25", "ug/m3", 0, 1000, 0, "gt", 150, 115, 0, _LOCAL),
        Property("a34002", "pm10", "ug/m3", 0, 2000, 0, "gt", 350, 250, 0, _LOCAL),
        Property("a21026", "so2", "ug/m3", 0, 2000, 0, "gt", 500, 450, 0, "GB 3095-2012, table 1, 1 hour"),
        Property("a21004", "no2", "ug/m3", 0, 1000, 0, "gt", 200, 180, 0, "GB 3095-2012, table 1, 1 hour"),
        Property("a21005", "co", "mg/m3", 0, 100, 1, "gt", 10, 9, 0, "GB 3095-2012, table 1, 1 hour"),
        Property("a05024", "o3", "ug/m3", 0, 1000, 0, "gt", 200, 180, 0, "GB 3095-2012, table 1, 1 hour"),
        Property("a01001", "temperature", "Cel", -40, 60, 1),
        Property("a01002", "humidity", "%", 0, 100, 0),
        Property("a01006", "pressure", "kPa", 50, 110, 2),
        Property("a01007", "wind", "m/s", 0, 60, 1),
        Property("a01008", "wind_from", "deg", 0, 360, 0),
    )),
    Kind("micro", "微型颗粒物站", "Particle micro-station", 0.20, "mqtt", 300, "dept-environment", (
        Property("pm25", "pm25", "ug/m3", 0, 1000, 0, "gt", 150, 115, 1800, _LOCAL),
        Property("pm10", "pm10", "ug/m3", 0, 2000, 0, "gt", 350, 250, 1800, _LOCAL),
    )),
    Kind("noise", "噪声监测仪", "Noise meter", 0.18, "mqtt", 300, "dept-environment", (
        Property("laeq", "noise", "dB(A)", 20, 130, 1, "gt", 75, 70, 900, _LOCAL),
    )),
    Kind("level", "水位计", "Water level gauge", 0.08, "mqtt", 600, "dept-water", (
        Property("level", "level", "m", -1, 15, 2, "gt", 5.0, 4.7, 1200, _LOCAL),
    )),
    Kind("manhole", "井盖监测终端", "Manhole sensor", 0.30, "mqtt", 1800, "dept-city", (
        Property("tilt", "tilt", "deg", 0, 180, 1, "gt", 15, 10, 0, _LOCAL),
        Property("battery", "battery", "V", 0, 5, 2, "lt", 3.0, 3.1, 0, _LOCAL),
    )),
    Kind("smoke", "独立式感烟探测器", "Smoke detector", 0.17, "mqtt", 3600, "dept-fire", (
        Property("obscuration", "smoke", "%[obs]", 0, 100, 2, "gt", 8, 5, 0, _LOCAL),
        Property("battery", "battery", "V", 0, 5, 2, "lt", 3.0, 3.1, 0, _LOCAL),
    )),
    Kind("weather", "自动气象站", "Weather station", 0.05, "mqtt", 600, "dept-weather", (
        Property("temperature", "temperature", "Cel", -40, 60, 1, "gt", 37, 36, 0, _LOCAL),
        Property("humidity", "humidity", "%", 0, 100, 0),
        Property("wind", "wind", "m/s", 0, 60, 1, "gt", 17.2, 15, 600, "Beaufort force 8, 17.2 m/s (GB/T 28591-2012)"),
        Property("rain", "rain", "mm", 0, 60, 1, "gt", 8, 5, 0, _LOCAL),
    )),
)  # fmt: skip

_AIR_KINDS = ("assessment", "control", "roadside", "township")


def _count_kinds(things: int) -> NDArray[np.int64]:
    counts = np.array([int(things * k.share) for k in KINDS])
    counts[0] = min(max(counts[0], 12), 600)
    counts[4] += things - counts.sum()
    return counts


def check_size(things: int) -> None:
    """Raise ``ValueError`` when the city cannot hold so many or so few things."""
    if not 100 <= things <= 1_000_000:
        raise ValueError(f"The city takes 100 to 1,000,000 things, not {things}.")


def build_things(seed: int, land: Land, cell_codes: NDArray[np.object_], things: int) -> pa.Table:
    """Devices as ``(thing, external_id, kind, subkind, name_zh, name_en, lon, lat, cell, cell_code, density, transport,
    client, topic, organisation_code, installed_on)``, in order of kind; exactly ``things`` rows (at least 100).

    ``external_id`` is ``hj212:<MN>`` for stations on TCP and ``mqtt:<client>`` for the rest; ``topic`` is null on TCP.
    """
    check_size(things)
    rng = np.random.default_rng([seed, 31])
    counts = _count_kinds(things)
    kind = np.repeat(np.arange(len(KINDS)), counts)
    xy = np.concatenate([_place(rng, land, KINDS[k].code, n) for k, n in enumerate(counts)])
    lonlat = to_lonlat(xy)
    cell = PolygonIndex(land.polygons).locate(lonlat[:, 0], lonlat[:, 1])
    lost = np.flatnonzero(cell < 0)
    cell[lost] = shapely.STRtree(land.polygons).nearest(shapely.points(lonlat[lost])) if len(lost) else 0
    lonlat[lost] = shapely.get_coordinates(shapely.point_on_surface(land.polygons[cell[lost]]))
    spacing = land.spacing[cell]
    density = np.clip(260.0 / spacing, 0.1, 1.0)
    subkind = np.full(len(kind), -1, dtype=np.int64)
    air = np.flatnonzero(kind == 0)
    subkind[air] = np.where(spacing[air] > 900, 3, np.where(np.arange(len(air)) % 9 == 8, 2, 0))
    subkind[air[np.argmax(np.hypot(*land.centre[cell[air]].T))]] = 1
    ordinal = np.arange(len(kind), dtype=np.int64)
    return pa.table(
        {
            "thing": ordinal,
            **_identity(kind, ordinal, counts, land, cell),
            "kind": _choose([k.code for k in KINDS], kind),
            "subkind": pa.DictionaryArray.from_arrays(pa.array(subkind, pa.int32(), mask=subkind < 0), pa.array(_AIR_KINDS)),
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
            "cell": pa.array(cell, pa.int32()),
            "cell_code": pa.array(cell_codes).take(pa.array(cell)),
            "density": pa.array(density, pa.float32()),
            "transport": _choose([k.transport for k in KINDS], kind),
            "organisation_code": _choose([k.owner for k in KINDS], kind),
            "installed_on": pa.array(np.datetime64("2023-01-01") + rng.integers(0, 900, len(kind)).astype("timedelta64[D]")),
        }
    )


def _choose(words: list[str], index: NDArray[np.int64]) -> pa.Array:
    """A dictionary column; words may repeat."""
    unique = list(dict.fromkeys(words))
    return pa.DictionaryArray.from_arrays(pa.array([unique.index(w) for w in words], pa.int32()).take(pa.array(index)), pa.array(unique))


def _identity(kind: NDArray[np.int64], ordinal: NDArray[np.int64], counts: NDArray[np.int64], land: Land, cell: NDArray[np.int64]) -> dict[str, pa.Array]:
    """External ids, client ids, topics and names: text made by Arrow, a column at a time."""
    serial = pc.utf8_lpad(pc.cast(pa.array(ordinal + 1), pa.string()), 7, "0")
    code = pc.cast(_choose([k.code for k in KINDS], kind), pa.string())
    air = pa.array(kind == 0)
    machine = pc.binary_join_element_wise("990100ZS", pc.utf8_lpad(serial, 16, "0"), "")  # 24 characters, HJ 212-2017
    client = pc.binary_join_element_wise("zs", code, serial, "-")
    county = _choose(["02", "03", "04", "21", "22", "81"], land.county[cell])
    topic = pc.binary_join_element_wise("zs/9901", pc.cast(county, pa.string()), "/", code, "/", serial, "")
    within = ordinal - np.repeat(np.cumsum(counts) - counts, counts) + 1
    number = pc.cast(pa.array(within), pa.string())
    return {
        "external_id": pc.if_else(air, pc.binary_join_element_wise("hj212", machine, ":"), pc.binary_join_element_wise("mqtt", client, ":")),
        "client": pc.if_else(air, machine, client),
        "topic": pc.if_else(air, pa.scalar(None, pa.string()), topic),
        "name_zh": pc.binary_join_element_wise(pc.cast(_choose([k.name_zh for k in KINDS], kind), pa.string()), number, "号", ""),
        "name_en": pc.binary_join_element_wise(pc.cast(_choose([k.name_en for k in KINDS], kind), pa.string()), number, " "),
    }


def _place(rng: np.random.Generator, land: Land, kind: str, n: int) -> NDArray[np.float64]:
    """Places in metres: gauges along the river, everything else in cells, denser where the city is denser."""
    if kind == "level":
        x = rng.uniform(-36_000, 36_000, n)
        bank = np.where(rng.random(n) < 0.5, 140.0, -140.0)
        return warp(np.column_stack([x, compute_river(x) + bank]))
    if kind == "air":
        return _place_stations(rng, land, n)
    weight = np.where(land.spacing <= 450, 1.0, 0.35) if kind != "weather" else shapely.area(land.metres) ** 0.7
    cell = rng.choice(len(land.polygons), n, p=weight / weight.sum())
    reach = np.sqrt(shapely.area(land.metres))[cell] * 0.44
    return land.centre[cell] + rng.uniform(-1, 1, (n, 2)) * reach[:, None]


def _place_stations(rng: np.random.Generator, land: Land, n: int) -> NDArray[np.float64]:
    """Two thirds of the stations in the built-up city, the rest in the towns: county seats first, then all others."""
    urban = np.flatnonzero(land.spacing <= 450)
    built = rng.choice(urban, n - n // 3, replace=n > len(urban))
    rank = np.arange(len(land.town_county)) - np.searchsorted(land.town_county, land.town_county)
    towns = land.town_seat[np.lexsort((-land.town_county, rank))[np.arange(n // 3) % len(rank)]]
    cell = np.concatenate([built, towns])
    return land.centre[cell] + rng.uniform(-40, 40, (n, 2))


def build_streams(seed: int, things: pa.Table) -> pa.Table:
    """One row a thing and property: ``(stream, external_id, thing, property, model, unit, period_s, phase_s, low, high,
    digits, op, limit, clear, for_s, source, density, roadside, lon, lat)``; thresholds are null where there is none.

    ``external_id`` is ``<thing>/<property>``, for HJ 212 stations ``<thing>/<code>-Avg``. ``phase_s`` spreads sending
    over the period; hourly stations send on the hour (phase 0).
    """
    kind = pc.index_in(pc.cast(things["kind"], pa.string()), pa.array([k.code for k in KINDS])).combine_chunks().to_numpy()
    thing, owner_kind, slot = _expand(kind)
    rows = [(k, p) for k in KINDS for p in k.properties]
    base = np.cumsum([0] + [len(k.properties) for k in KINDS])[owner_kind] + slot
    order = np.lexsort((slot, thing))
    thing, base = thing[order], base[order]
    at = pa.array(base)
    suffix = pa.array(["/" + p.code + ("-Avg" if k.transport == "tcp" else "") for k, p in rows]).take(at)
    rng = np.random.default_rng([seed, 41])
    period = np.array([k.period_s for k, _ in rows])[base]
    spread = (rng.random(len(things)) * np.array([k.period_s for k in KINDS])[kind]).astype(np.int64)
    spread[kind == 0] = 0
    limit = np.array([p.limit for _, p in rows])
    none = np.isnan(limit)[base]
    take = pa.array(thing)

    def column(values: list[object]) -> pa.Array:
        array = pa.array(values)
        return (array.dictionary_encode() if pa.types.is_string(array.type) else array).take(at)

    return pa.table(
        {
            "stream": np.arange(len(thing), dtype=np.int64),
            "external_id": pc.binary_join_element_wise(things["external_id"].combine_chunks().take(take), suffix, ""),
            "thing": thing,
            "property": column([p.code + ("-Avg" if k.transport == "tcp" else "") for k, p in rows]),
            "model": column([p.model for _, p in rows]),
            "unit": column([p.unit for _, p in rows]),
            "period_s": pa.array(period, pa.int32()),
            "phase_s": pa.array(spread[thing], pa.int32()),
            "low": column([p.low for _, p in rows]),
            "high": column([p.high for _, p in rows]),
            "digits": pa.array(np.array([p.digits for _, p in rows])[base], pa.int8()),
            "op": pc.if_else(pa.array(none), pa.scalar(None, pa.string()), pc.cast(column([p.op for _, p in rows]), pa.string())),
            "limit": pa.array(limit[base], mask=none),
            "clear": pa.array(np.array([p.clear for _, p in rows])[base], mask=none),
            "for_s": pa.array(np.array([p.for_s for _, p in rows])[base], pa.int32(), mask=none),
            "source": column([p.source for _, p in rows]),
            "transport": column([k.transport for k, _ in rows]),
            "density": things["density"].combine_chunks().take(take),
            "roadside": pc.fill_null(pc.equal(pc.cast(things["subkind"], pa.string()), "roadside"), False).combine_chunks().take(take),
            "lon": things["lon"].combine_chunks().take(take),
            "lat": things["lat"].combine_chunks().take(take),
        }
    )


def _expand(kind: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    sizes = np.array([len(k.properties) for k in KINDS])[kind]
    thing = np.repeat(np.arange(len(kind)), sizes)
    slot = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return thing, kind[thing], slot
