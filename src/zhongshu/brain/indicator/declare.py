"""How packs declare indicators: `INTACT = share("fire.hydrant_intact", of=Hydrant, where={"state": "in_service"}, target=">= 0.98", source="…")`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

import pyarrow as pa

from zhongshu.kernel.record import Record
from zhongshu.kernel.time import PeriodUnit

from .spec import Bound, ComputedSource, Indicator, Question, RecordSource

__all__ = ["computed", "count", "mean", "percentile", "rate", "share", "total"]

Kind = type[Record]
Where = Mapping[str, Any]


class Options(TypedDict, total=False):
    """What every declaration may say besides what it counts; see `Indicator`."""

    label: Any
    unit: str
    periods: Sequence[str]
    target: str
    warn: str
    better: str
    weight: float
    decimals: int
    source: str
    as_then: bool
    version: int
    about: Any


def share(name: str, of: Kind, where: Where, among: Where | None = None, at: str = "", division: str = "division", **options: Unpack[Options]) -> Indicator:
    """Declare the fraction (0 to 1, unit %) of the records `among` which are also `where`."""
    options.setdefault("unit", "%")
    return _build(name, RecordSource(of, "share", where, among or {}, at=at, division=division), options)


def count(name: str, of: Kind, where: Where | None = None, at: str = "", division: str = "division", **options: Unpack[Options]) -> Indicator:
    """Declare how many records there are: none is a real 0."""
    options.setdefault("decimals", 0)
    return _build(name, RecordSource(of, "count", where or {}, at=at, division=division), options)


def total(name: str, of: Kind, value: str, where: Where | None = None, at: str = "", division: str = "division", **options: Unpack[Options]) -> Indicator:
    """Declare the sum of a field."""
    return _build(name, RecordSource(of, "total", where or {}, value=value, at=at, division=division), options)


def mean(name: str, of: Kind, value: str, where: Where | None = None, at: str = "", division: str = "division", **options: Unpack[Options]) -> Indicator:
    """Declare the mean of a field over the records that have it; no record, no value."""
    return _build(name, RecordSource(of, "mean", where or {}, value=value, at=at, division=division), options)


def rate(
    name: str,
    of: Kind,
    where: Where | None = None,
    over: Kind | None = None,
    among: Where | None = None,
    per: float = 10_000,
    at: str = "",
    division: str = "division",
    **options: Unpack[Options],
) -> Indicator:
    """Declare the number of records per `per` records of `over` (those `among`), or per `per` inhabitants of the division (its own figure, not a sum)."""
    return _build(name, RecordSource(of, "rate", where or {}, among or {}, at=at, division=division, over=over, per=per), options)


def percentile(name: str, of: Kind, value: str, q: float, where: Where | None = None, at: str = "", division: str = "division", **options: Unpack[Options]) -> Indicator:
    """Declare the `q` (0 to 1) quantile of a field, interpolated linearly between neighbours.

    The numerator stored is the quantile, the denominator the number of records.
    A quantile cannot be split: where only a share of a division moved to another, its past records stay with the division they were in.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"indicator {name}: q is a share between 0 and 1, not {q}")
    return _build(name, RecordSource(of, "percentile", where or {}, value=value, at=at, division=division, q=q), options)


def computed(
    name: str,
    adds_up: bool = False,
    kind: str = "",
    rows: Callable[[Question, list[int]], dict[str, Any]] | None = None,
    **options: Unpack[Options],
) -> Callable[[Callable[[Question], pa.Table]], Indicator]:
    """Declare the decorated function as the source of an indicator; see `ComputedSource` for what it returns."""

    def declare(compute: Callable[[Question], pa.Table]) -> Indicator:
        return _build(name, ComputedSource(compute, adds_up, kind, rows), options)

    return declare


def _build(name: str, counts: RecordSource | ComputedSource, options: Options) -> Indicator:
    values: dict[str, Any] = {"label": name, **options}
    for bound in ("target", "warn"):
        if values.get(bound):
            values[bound] = Bound.parse(values[bound])
    if "better" not in values and isinstance(values.get("target"), Bound):
        values["better"] = "high" if values["target"].op.startswith(">") else "low"
    values["periods"] = tuple(PeriodUnit(unit) for unit in values.get("periods", ("month",)))
    return Indicator(name=name, counts=counts, **values)
