"""Feeds: what a pack expects to be measured, declared as code, kept as products, properties and thresholds."""

import re
from dataclasses import dataclass
from typing import Any

from zhongshu.kernel.record import Actor, change
from zhongshu.kernel.registry import registry

from .models import Product, Property, Threshold, ThresholdOp

__all__ = ["Feed", "Limit", "Measure", "sync_feeds"]

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Limit:
    """When a measure is out of bounds: `above` or `below` the limit, for at least `for_s` seconds, cleared at `clear`; `source` is the standard and clause."""

    limit: float
    clear: float
    level: str
    title: str
    source: str
    op: str = "above"
    for_s: int = 0
    title_en: str = ""


@dataclass(frozen=True)
class Measure:
    """One property of a feed: `low` and `high` bound what is plausible at all."""

    code: str
    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    decimals: int = 1
    headline: bool = False
    name_en: str = ""
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class Feed:
    """A product template: what a kind of device measures and how often. Declaring it registers it."""

    code: str
    name: str
    every: str
    measures: tuple[Measure, ...]
    name_en: str = ""
    icon: str = "access-point"
    silent_after: str = ""

    def __post_init__(self) -> None:
        registry.add("feed", self.code, self)

    @property
    def period_s(self) -> int:
        """Seconds between readings."""
        return _seconds(self.every)

    @property
    def silent_after_s(self) -> int:
        """Seconds without a reading after which the device counts as silent; three intervals unless said."""
        return _seconds(self.silent_after) if self.silent_after else 3 * self.period_s

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return f"{self.every};{';'.join(f'{m.code}:{m.unit}' for m in self.measures)}"


def _seconds(pace: str) -> int:
    parts = re.fullmatch(r"(\d+) (s|min|h|d)", pace)
    if parts is None:
        raise ValueError(f"{pace!r} is not a pace such as '15 min'")
    return int(parts[1]) * UNITS[parts[2]]


def sync_feeds(by: Actor) -> int:
    """Bring products, properties and shipped thresholds in line with the declared feeds; returns how many records were written.

    What people changed on the page (limits, activity) is kept; only missing thresholds are added.
    """
    written = 0
    with change(by, "feeds shipped with this version"):
        for feed in registry.list("feed").values():
            product, made = _ensure(Product, {"code": feed.code}, {"name": feed.name, "name_en": feed.name_en, "icon": feed.icon})
            written += made
            for measure in feed.measures:
                written += _sync_measure(feed, product, measure)
    return written


def _sync_measure(feed: Feed, product: Product, measure: Measure) -> int:
    values = {
        "name": measure.name,
        "name_en": measure.name_en,
        "unit": measure.unit,
        "period_s": feed.period_s,
        "silent_after_s": feed.silent_after_s,
        "low": measure.low,
        "high": measure.high,
        "decimals": measure.decimals,
        "headline": measure.headline,
    }
    prop, made = _ensure(Property, {"product": product, "code": measure.code}, values)
    written = int(made)
    known = set(prop.thresholds.filter(stream=None).values_list("title", flat=True))
    for limit in measure.limits:
        if limit.title not in known:
            Threshold(
                property=prop,
                op=ThresholdOp(limit.op),
                limit=limit.limit,
                clear=limit.clear,
                for_s=limit.for_s,
                level=limit.level,
                title=limit.title,
                title_en=limit.title_en,
                source=limit.source,
            ).save()
            written += 1
    return written


def _ensure(model: Any, identity: dict[str, Any], values: dict[str, Any]) -> tuple[Any, bool]:
    found = model.objects.filter(**identity).first()
    if found is None:
        found = model(**identity, **values)
    elif all(getattr(found, name) == value for name, value in values.items()):
        return found, False
    for name, value in values.items():
        setattr(found, name, value)
    found.save()
    return found, True
