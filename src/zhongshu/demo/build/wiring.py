"""How the devices of the city reach us: stations on TCP of their own, everything else through concentrators on MQTT."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.demo.city import City

__all__ = ["REAL_TIME_S", "Wiring", "build_wiring"]

REAL_TIME_S = 60
"""How often stations send real-time values (HJ 212-2017, command 2011), s; the standard's own example asks for 30."""

POLLUTANTS = ("a34004", "a34002", "a21026", "a21004", "a21005", "a05024")
SMALLEST_GROUP, MOST_GROUPS = 200, 60


@dataclass(frozen=True)
class Wiring:
    """All streams of the city as they are on the wire.

    `streams` has the columns of `City.streams`, whose `external_id` is the name on the wire, and `sender` (the connection's name) and `wire` (property as sent). Stream
    numbers are row numbers. The first `hourly` rows are those of the city; behind them come the stations' real-time values, which have no history. `sources` are
    (name, protocol, thing number or -1 for a concentrator).
    """

    streams: pa.Table
    hourly: int
    sources: list[tuple[str, str, int]]


def build_wiring(city: City) -> Wiring:
    """Group the devices on MQTT by county, up to `SMALLEST_GROUP` to a concentrator and more in large cities; about `MOST_GROUPS` at most. Add real-time streams."""
    hub, names = _group_things(city.things)
    things = city.things.combine_chunks()
    streams = pa.concat_tables([city.streams, _build_real_time(city.streams)], promote_options="permissive").combine_chunks()
    client = things["client"].combine_chunks()
    wired = pc.equal(pc.cast(things["transport"], pa.string()), "tcp").combine_chunks()
    sender = pc.if_else(wired, client, pa.array(names).take(pa.array(hub)))
    thing = streams["thing"].combine_chunks()
    is_wired, sender, prop = wired.take(thing), sender.take(thing), pc.cast(streams["property"], pa.string()).combine_chunks()
    wire = pc.if_else(is_wired, prop, pc.binary_join_element_wise(client.take(thing), prop, "."))
    protocol = pc.if_else(is_wired, "hj212:", "mqtt:")
    external = pc.binary_join_element_wise(pc.binary_join_element_wise(protocol, sender, ""), wire, "/")
    streams = streams.set_column(streams.column_names.index("external_id"), "external_id", external)
    streams = streams.append_column("sender", sender).append_column("wire", wire)
    stations = np.flatnonzero(wired.to_numpy(zero_copy_only=False))
    sources = [(name, "hj212", int(n)) for n, name in zip(stations, client.take(pa.array(stations)).to_pylist(), strict=True)]
    sources += [(name, "mqtt", -1) for name in names]
    return Wiring(streams, city.streams.num_rows, sources)


def _group_things(things: pa.Table) -> tuple[np.ndarray, list[str]]:
    county = pc.utf8_slice_codeunits(pc.cast(things["cell_code"], pa.string()), 4, 6).combine_chunks().dictionary_encode()
    code = county.indices.to_numpy()
    size = max(SMALLEST_GROUP, len(things) // MOST_GROUPS)
    order = np.argsort(code, kind="stable")
    first = np.searchsorted(code[order], np.arange(len(county.dictionary)))
    within = np.empty(len(code), np.int64)
    within[order] = np.arange(len(code)) - first[code[order]]
    pairs, hub = np.unique(np.stack([code, within // size]), axis=1, return_inverse=True)
    words = county.dictionary.to_pylist()
    return hub.ravel(), [f"zs-hub-{words[c]}-{n + 1:02d}" for c, n in pairs.T.tolist()]


def _build_real_time(streams: pa.Table) -> pa.Table:
    prop = pc.cast(streams["property"], pa.string())
    chosen = streams.filter(pc.is_in(prop, pa.array([f"{code}-Avg" for code in POLLUTANTS])))
    count = chosen.num_rows
    thing = chosen["thing"].to_numpy()
    nothing = {name: pa.nulls(count, streams.schema.field(name).type) for name in ("op", "limit", "clear", "for_s")}
    columns = {
        **{name: chosen[name] for name in streams.column_names},
        **nothing,
        "stream": pa.array(np.arange(count) + streams.num_rows),
        "property": pc.replace_substring(pc.cast(chosen["property"], pa.string()), "-Avg", "-Rtd").combine_chunks().dictionary_encode(),
        "period_s": pa.array(np.full(count, REAL_TIME_S), pa.int32()),
        "phase_s": pa.array(thing * 7 % REAL_TIME_S, pa.int32()),
    }
    return pa.table({name: columns[name] for name in streams.column_names})
