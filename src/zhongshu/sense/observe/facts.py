"""From what the pipeline found to alarms that people work with: read once each, in one transaction with the offset."""

import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.conf import settings

from zhongshu.kernel import faults
from zhongshu.kernel.event import Offset, publish
from zhongshu.kernel.home import House
from zhongshu.kernel.job import tick
from zhongshu.kernel.log import LogEntry, LogReader
from zhongshu.kernel.record import Actor, change
from zhongshu.sense.device.models import Stream, Threshold

from .events import CLEARED, RAISED
from .models import Alarm, AlarmState

__all__ = ["CONSUMER", "take_facts"]

CONSUMER = "sense.facts"
ENTRIES = 50
FACTS = 500
"""Facts taken in one transaction, about; a flood of alarms must not hold the write lock for seconds."""

KEPT = 10_000
"""Entries that stay in the facts log after they were taken, to look at."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PIPELINE = Actor("system", "pipeline")
log = logging.getLogger(__name__)


@tick("sense.facts", 0.2)
def take_new_facts() -> bool:
    """Take the facts that came since the last time."""
    house: House = settings.HOUSE
    return take_facts(house.path("log", "facts.sqlite3")) > 0


def take_facts(path: Path) -> int:
    """Make alarms of the facts after our offset and return how many log entries were taken. May be killed at any line."""
    if not path.exists():
        return 0
    row = Offset.objects.filter(consumer=CONSUMER).first()
    after = row.position if row else 0
    reader = LogReader(path)
    try:
        entries = _cut(reader.read(after, max_bytes=1 << 20, max_entries=ENTRIES))
        if not entries:
            return 0
        with change(_PIPELINE, "limits exceeded or met again"):
            offset, _ = Offset.objects.select_for_update().get_or_create(consumer=CONSUMER)
            for entry in entries:
                if entry.seq > offset.position and entry.kind == "alarms":
                    _take_alarms(pa.ipc.open_stream(io.BytesIO(entry.body)).read_all().to_pylist())
            offset.position = max(offset.position, entries[-1].seq)
            offset.save()
            faults.point("worker.transaction")
        reader.trim(entries[-1].seq - KEPT)
    finally:
        reader.close()
    return len(entries)


def _cut(entries: list[LogEntry]) -> list[LogEntry]:
    size = 0
    for place, entry in enumerate(entries, 1):
        size += len(entry.body)
        if size > FACTS * 100:
            return entries[:place]
    return entries


def _take_alarms(facts: Sequence[dict[str, Any]]) -> None:
    ordinals = {fact["stream"] for fact in facts}
    streams = {s.ordinal: s for s in Stream.objects.filter(ordinal__in=ordinals).select_related("thing__division", "thing__product", "property")}
    thresholds = {str(t.uid): t for t in Threshold.objects.filter(uid__in={fact["threshold"] for fact in facts})}
    known = {alarm.key: alarm for alarm in Alarm.objects.filter(key__in={fact["key"] for fact in facts})}
    for fact in facts:
        stream, alarm = streams.get(fact["stream"]), known.get(fact["key"])
        if stream is None:
            log.warning("a fact is about stream %s, which is not in the records", fact["stream"])
        elif fact["state"] == "raised" and alarm is None:
            known[fact["key"]] = _raise_alarm(fact, stream, thresholds.get(fact["threshold"]))
        elif fact["state"] == "cleared" and alarm is not None and alarm.state == AlarmState.RAISED:
            _clear_alarm(fact, alarm, stream)


def _raise_alarm(fact: dict[str, Any], stream: Stream, threshold: Threshold | None) -> Alarm:
    thing = stream.thing
    alarm = Alarm(
        key=fact["key"],
        title=threshold.title if threshold else stream.property.name,
        thing=thing,
        stream=stream,
        threshold=threshold,
        level=threshold.level if threshold else "yellow",
        value=fact["value"],
        peak=fact["value"],
        limit=fact["limit"],
        unit=stream.unit,
        started_at=_moment(fact["started_at"]),
        raised_at=_moment(fact["at"]),
        historical=fact["historical"],
        lon=thing.lon,
        lat=thing.lat,
        division=thing.division,
        organisation_id=thing.organisation_id,
    )
    alarm.save()
    publish(RAISED.name, str(alarm.uid), _describe(alarm, stream))
    return alarm


def _clear_alarm(fact: dict[str, Any], alarm: Alarm, stream: Stream) -> None:
    alarm.state = AlarmState.CLEARED
    alarm.cleared_at = _moment(fact["at"])
    if fact.get("peak") is not None:
        alarm.peak = fact["peak"]
    alarm.save()
    publish(CLEARED.name, str(alarm.uid), {**_describe(alarm, stream), "cleared_at": alarm.cleared_at.isoformat(), "peak": alarm.peak})


def _describe(alarm: Alarm, stream: Stream) -> dict[str, Any]:
    thing = stream.thing
    return {
        "alarm": str(alarm.uid),
        "thing": str(thing.uid),
        "stream": stream.external_id,
        "product": thing.product.code,
        "property": stream.property.code,
        "level": str(alarm.level),
        "title": alarm.title,
        "value": alarm.value,
        "limit": alarm.limit,
        "unit": alarm.unit,
        "started_at": alarm.started_at.isoformat(),
        "division": str(thing.division.uid) if thing.division else "",
        "historical": alarm.historical,
    }


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
