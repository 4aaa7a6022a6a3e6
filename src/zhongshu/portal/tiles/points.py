"""The points of a kind as arrays in memory: read once, then kept up with what is written."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.apps import apps
from numpy.typing import NDArray

from zhongshu.ability.geo import LayerSpec, PointLayer
from zhongshu.kernel.derive import KindSpec, get_kind
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import Record, get_generation, list_written_since
from zhongshu.security.access import Scope, list_paths
from zhongshu.security.classify import get_class
from zhongshu.security.identity import Organisation

__all__ = ["PointTable", "Points", "get_points"]

LOOK_S = 0.5
REST = 10  # a look that took long is followed by a rest ten times as long
MOST_SINGLY = 5000
NARROWED = 16
UID = np.dtype("V16")


@dataclass(frozen=True)
class Points:
    """One generation of a table: arrays by row; `layer` is in the order of the map. `division` and `organisation` are left numbers, 0 where a record has none."""

    generation: int
    pk: NDArray[np.int64]
    uid: NDArray[Any]
    title: NDArray[np.object_]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    band: NDArray[np.uint8]
    division: NDArray[np.int64]
    organisation: NDArray[np.int64]
    level: int
    layer: PointLayer

    def mask(self, scope: Scope) -> NDArray[np.bool_]:
        """Return which rows a scope admits."""
        return scope.mask(self.division, self.organisation, np.full(len(self.pk), self.level, np.int8))

    def format_uids(self, rows: NDArray[Any]) -> list[str]:
        """Return the identities of some rows as text."""
        return [str(UUID(bytes=value.tobytes())) for value in self.uid[rows]]


class PointTable:
    """The points of one kind. `get()` gives the present generation; it looks for writes at most twice a second
    (seldomer where that is much work) and reads only what was written."""

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self._kind: KindSpec = get_kind(spec.kind)
        self._model: type[Record] = apps.get_model(spec.kind)
        self._lock = threading.Lock()
        self._points: Points | None = None
        self._looked, self._pause = 0.0, LOOK_S
        self._seen: tuple[Any, ...] = ()
        self._narrowed: OrderedDict[tuple[Scope, int], PointLayer] = OrderedDict()

    def get(self) -> Points:
        """Return the points as of now."""
        with self._lock:
            if self._points is None or time.monotonic() - self._looked >= self._pause:
                began = time.monotonic()
                self._look()
                self._looked = time.monotonic()
                self._pause = max(LOOK_S, REST * (self._looked - began))
            assert self._points is not None
            return self._points

    def narrow(self, points: Points, scope: Scope) -> PointLayer:
        """Return the layer of the rows a scope admits; the last ones are kept."""
        key = (scope, points.generation)
        with self._lock:
            if key in self._narrowed:
                self._narrowed.move_to_end(key)
                return self._narrowed[key]
        mask = points.mask(scope)
        layer = points.layer if mask.all() else points.layer.narrow(mask)
        with self._lock:
            self._narrowed[key] = layer
            for old in [k for k in self._narrowed if k[1] < points.generation]:
                del self._narrowed[old]
            while len(self._narrowed) > NARROWED:
                self._narrowed.popitem(last=False)
        return layer

    def _look(self) -> None:
        trees = (get_generation(Division), get_generation(Organisation))
        mine = get_generation(self._model)
        if self._points is not None and self._seen == (trees, mine):
            return
        same_trees = self._points is not None and self._seen[0] == trees
        written = list_written_since(self._model, self._seen[1], MOST_SINGLY) if same_trees and self._seen[1][1] == mine[1] else None
        if written is None or self._points is None:
            self._points = self._build(self._read())
        else:
            self._points = self._renew(self._points, written)
        self._seen = (trees, mine)

    def _read(self, pks: list[int] | None = None) -> dict[str, NDArray[Any]]:
        division, organisation = list_paths(self._kind)
        names = ["pk", "uid", "lon", "lat", *(name for name in (self.spec.title, self.spec.marker, division, organisation) if name)]
        found = self._model._default_manager.order_by("pk")
        rows = list((found if pks is None else found.filter(pk__in=pks)).values_list(*names))
        columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
        codes = {code: band for band, code in enumerate(self.spec.codes)}
        count = len(rows)
        return {
            "pk": np.array(columns["pk"], np.int64),
            "uid": np.frombuffer(b"".join(uid.bytes for uid in columns["uid"]), UID),
            "title": np.array([str(t) for t in columns[self.spec.title]] if self.spec.title else [""] * count, object),
            "lon": np.array([np.nan if v is None else v for v in columns["lon"]], float),
            "lat": np.array([np.nan if v is None else v for v in columns["lat"]], float),
            "band": np.array([codes.get(v, 0) for v in columns[self.spec.marker]] if self.spec.marker else np.zeros(count), np.uint8),
            "division": np.array([v or 0 for v in columns[division]] if division else np.zeros(count), np.int64),
            "organisation": np.array([v or 0 for v in columns[organisation]] if organisation else np.zeros(count), np.int64),
        }

    def _build(self, columns: dict[str, NDArray[Any]]) -> Points:
        layer = PointLayer(columns["lon"], columns["lat"], columns["band"], len(self.spec.codes))
        return Points(self._next(), **columns, level=get_class(self._kind.level), layer=layer)

    def _renew(self, old: Points, written: list[int]) -> Points:
        """Put the written rows into the arrays; only where one moved is the order of the map made again."""
        fresh = self._read(written)
        at = np.searchsorted(old.pk, fresh["pk"])
        if len(at) and (at.max() >= len(old.pk) or not np.array_equal(old.pk[at], fresh["pk"])):
            return self._build(self._read())
        columns = {name: getattr(old, name).copy() for name in fresh}
        for name, values in fresh.items():
            columns[name][at] = values
        moved = not all(np.array_equal(fresh[name], getattr(old, name)[at], equal_nan=True) for name in ("lon", "lat"))
        if moved:
            return self._build(columns)
        layer = old.layer.narrow(np.ones(len(old.pk), bool))
        layer.set_bands(columns["band"])
        return Points(self._next(), **columns, level=old.level, layer=layer)

    def _next(self) -> int:
        return self._points.generation + 1 if self._points else 1


_tables: dict[str, PointTable] = {}
_guard = threading.Lock()


def get_points(spec: LayerSpec) -> PointTable:
    """Return the table of a layer, one per process."""
    with _guard:
        if spec.name not in _tables:
            _tables[spec.name] = PointTable(spec)
        return _tables[spec.name]
