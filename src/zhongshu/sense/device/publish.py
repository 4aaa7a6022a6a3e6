"""Telling the data path what the records say: dimension files, the id directory and who may connect, after each change."""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.conf import settings
from django.db.models import Max

from zhongshu.kernel.home import House
from zhongshu.kernel.job import tick
from zhongshu.kernel.place.models import Division
from zhongshu.security.classify import DataClass
from zhongshu.security.identity.credential import load_credentials
from zhongshu.security.identity.models import Organisation
from zhongshu.security.identity.token_models import Credential
from zhongshu.sense.gateway.sources import SourceSpec, write_sources
from zhongshu.sense.observe.dimension import STREAM_SCHEMA, publish_dimension, publish_streams

from .models import Connection, Product, Property, Stream, Thing, Threshold, ThresholdLevel, ThresholdOp

__all__ = ["Publisher", "build_division_table", "build_stream_table", "build_thing_table", "publish_all"]

LOOK_EVERY_S = 1.0
QUIET_S = 1.5
LONGEST_WAIT_S = 8.0
FILE = "published.json"
LEVELS = {ThresholdLevel.BLUE: 1, ThresholdLevel.YELLOW: 2, ThresholdLevel.ORANGE: 3, ThresholdLevel.RED: 4}
"""`level` of a threshold in the stream dimension: 1 blue to 4 red."""

OPS = {ThresholdOp.ABOVE: ">", ThresholdOp.BELOW: "<"}
_STREAM_KINDS = (Product, Property, Thing, Stream, Threshold, Division, Organisation)
_SMALL_KINDS = (Property, Threshold, Connection, Credential)
log = logging.getLogger(__name__)

Mark = list[int]


def _read_mark(*models: Any) -> Mark:
    """Return a number per kind that grows with every write: its last history row, an index look-up. Small kinds are counted too."""
    grown = [model.history_model._default_manager.aggregate(last=Max("history_id"))["last"] or 0 for model in models]
    return grown + [model.objects.count() for model in models if model in _SMALL_KINDS]


def build_stream_table() -> pa.Table:
    """Return all active streams as rows of `STREAM_SCHEMA`, thresholds resolved.

    A stream's own threshold takes the place of its property's with the same op and level.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("ordinal", "external_id", "thing_uid", "unit", "division_left", "organisation")}
    keys: list[tuple[int, int]] = []
    own = set(Threshold.objects.filter(stream__isnull=False, active=True).values_list("stream_id", flat=True))
    fields = ("ordinal", "external_id", "thing__uid", "unit", "thing__division__left", "thing__organisation__left", "id", "property_id")
    for row in Stream.objects.filter(active=True).order_by("ordinal").values_list(*fields).iterator(20_000):
        for column, value in zip(columns.values(), row, strict=False):
            column.append(value)
        keys.append((row[7], row[6] if row[6] in own else 0))
    columns["thing_uid"] = list(map(str, columns["thing_uid"]))
    table = pa.table({name: pa.array(values, STREAM_SCHEMA.field(name).type) for name, values in columns.items()})
    return _add_property_columns(table, keys)


def _add_property_columns(table: pa.Table, keys: list[tuple[int, int]]) -> pa.Table:
    distinct = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    properties = {row.pk: row for row in Property.objects.all()}
    limits = _list_thresholds()
    take = pa.array([distinct[key] for key in keys], pa.int64())

    def column(name: str, values: list[Any]) -> pa.Array:
        return pa.array(values, STREAM_SCHEMA.field(name).type).take(take)

    found = [properties[key[0]] for key in distinct]
    table = table.append_column("property", column("property", [p.code for p in found]))
    table = table.append_column("period_s", column("period_s", [p.period_s or None for p in found]))
    table = table.append_column("low", column("low", [p.low for p in found]))
    table = table.append_column("high", column("high", [p.high for p in found]))
    table = table.append_column("thresholds", column("thresholds", [list(_resolve(limits, *key)) for key in distinct]))
    return table.append_column("class_level", pa.repeat(pa.scalar(int(DataClass.INTERNAL), pa.int8()), table.num_rows))


def _list_thresholds() -> dict[tuple[int, int], list[Threshold]]:
    found: dict[tuple[int, int], list[Threshold]] = {}
    for threshold in Threshold.objects.filter(active=True).order_by("id"):
        found.setdefault((threshold.property_id, threshold.stream_id or 0), []).append(threshold)
    return found


def _resolve(limits: dict[tuple[int, int], list[Threshold]], prop: int, stream: int) -> Iterator[dict[str, Any]]:
    chosen = limits.get((prop, 0), [])
    if stream:
        own = limits.get((prop, stream), [])
        replaced = {(t.op, t.level) for t in own}
        chosen = [t for t in chosen if (t.op, t.level) not in replaced] + own
    for t in chosen:
        op, level = OPS[ThresholdOp(t.op)], LEVELS[ThresholdLevel(t.level)]
        yield {"id": str(t.uid), "op": op, "limit": t.limit, "clear": t.clear, "for_s": float(t.for_s), "level": level}


def build_thing_table() -> pa.Table:
    """Return all things: `uid`, `external_id`, `name`, `product`, `state`, `lon`, `lat`, `division_left`, `organisation` (left number)."""
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("uid", "external_id", "name", "product", "state")),
            ("lon", pa.float64()),
            ("lat", pa.float64()),
            ("division_left", pa.int32()),
            ("organisation", pa.int64()),
        ]
    )
    fields = ("uid", "external_id", "name", "product__code", "state", "lon", "lat", "division__left", "organisation__left")
    rows = [(str(row[0]), *row[1:]) for row in Thing.objects.order_by("id").values_list(*fields).iterator(20_000)]
    return _build(schema, rows)


def build_division_table() -> pa.Table:
    """Return all divisions: `uid`, `code`, `name`, `level`, `left`, `right`, `parent` (uid), `area_km2`, `population`."""
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("uid", "code", "name", "level")),
            *((name, pa.int32()) for name in ("left", "right")),
            ("parent", pa.string()),
            ("area_km2", pa.float64()),
            ("population", pa.int64()),
        ]
    )
    fields = ("uid", "code", "name", "level", "left", "right", "parent__uid", "area_km2", "population")
    rows = [(str(r[0]), *r[1:6], str(r[6]) if r[6] else None, *r[7:]) for r in Division.objects.order_by("id").values_list(*fields).iterator(20_000)]
    return _build(schema, rows)


def _build(schema: pa.Schema, rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(list(values), f.type) for values, f in zip(columns, schema, strict=True)], schema=schema)


def list_sources() -> list[SourceSpec]:
    """Return every connection as the gateway needs it, with the hash of its credential where it has one."""
    secrets = load_credentials()
    closed = set(Credential.objects.values_list("source", flat=True)) - set(secrets)
    return [
        SourceSpec(source, str(uid), protocol, profile, secrets.get(source, ""), active and source not in closed)
        for source, uid, protocol, profile, active in Connection.objects.values_list("source", "uid", "protocol", "profile", "active").iterator(20_000)
    ]


def publish_all(house: House) -> None:
    """Publish everything now, whatever changed."""
    Publisher(house).publish(streams=True, sources=True)


class Publisher:
    """Notices changes by the growth of the history tables and publishes once they have been quiet for a moment. Who may connect is published at once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._file = house.path("dim") / FILE
        self._done = self._read()
        self._seen: Mark | None = None
        self._since = self._first = 0.0

    def look(self, now: float) -> bool:
        """Publish what is due at `now` (monotonic seconds); returns whether something was."""
        sources = _read_mark(Connection, Credential)
        streams = _read_mark(*_STREAM_KINDS)
        if sources != self._done.get("sources"):
            self.publish(sources=True)
        if streams == self._done.get("streams"):
            self._seen = None
            return False
        if self._seen is None:
            self._first = now
        if streams != self._seen:
            self._seen, self._since = streams, now
        if now - self._since < QUIET_S and now - self._first < LONGEST_WAIT_S:
            return False
        self.publish(streams=True)
        self._seen = None
        return True

    def publish(self, *, streams: bool = False, sources: bool = False) -> None:
        """Write the files; the mark is taken before reading, so a change in between is published again."""
        home = self._house.home
        if sources:
            mark = _read_mark(Connection, Credential)
            write_sources(home / "dim", int(time.time() * 1000), list_sources())
            self._note("sources", mark)
        if streams:
            mark = _read_mark(*_STREAM_KINDS)
            publish_dimension("division", build_division_table(), home)
            publish_dimension("thing", build_thing_table(), home)
            generation = publish_streams(build_stream_table(), home)
            self._note("streams", mark)
            log.info("streams published, generation %s", generation)

    def _note(self, what: str, mark: Mark) -> None:
        self._done[what] = mark
        scratch = self._file.with_suffix(".new")
        scratch.write_text(json.dumps(self._done), encoding="ascii")
        scratch.replace(self._file)

    def _read(self) -> dict[str, Mark]:
        if not (self._file.parent / "CURRENT.json").exists():
            return {}
        try:
            found: dict[str, Mark] = json.loads(self._file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return {}
        return found


_publishers: dict[Path, Publisher] = {}


@tick("sense.publish", LOOK_EVERY_S)
def publish_changes() -> bool:
    """Keep the dimension files and the connection file in line with the records."""
    house: House = settings.HOUSE
    publisher = _publishers.setdefault(house.home, Publisher(house))
    publisher.look(time.monotonic())
    return False
