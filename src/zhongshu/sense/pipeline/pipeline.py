"""One step of the pipeline: take entries from all log partitions, and bring them to facts, latest values and the lake exactly once.

The order makes it safe to be killed anywhere: facts (with threshold states and offsets, one transaction) → quarantine (with offsets) → latest values → the
side tables of the lake → `observation` with the offsets of all partitions → sync → trim. A start continues from the offsets in `observation`; what had gone
further skips the rows it holds by its own offset, and rows of `observation` itself are found again by identity.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from zhongshu.kernel.lake import Lake
from zhongshu.kernel.log import LogEntry, LogReader
from zhongshu.sense.observe.dimension import StreamDimension
from zhongshu.sense.observe.latest import LatestWriter
from zhongshu.sense.observe.quality import Quality
from zhongshu.sense.pipeline.batch import Decoded, Rows, decode_entries
from zhongshu.sense.pipeline.count import Counts
from zhongshu.sense.pipeline.facts import Facts
from zhongshu.sense.pipeline.identity import Identified, identify
from zhongshu.sense.pipeline.quarantine import Quarantine
from zhongshu.sense.pipeline.threshold import ThresholdCheck

__all__ = ["Pipeline", "PipelineSettings", "now_us"]

_KEPT_APART = {"facts", "quarantine"}
_REASONS = ("unknown_stream", "future", "before_stream")
_NOTES_EVERY = 200
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class PipelineSettings:
    """Where the data lie and how the pipeline behaves. `partitions` None means every log in `home/log`.

    `max_bytes` of log bodies per step (about 500,000 readings in batches of 1,000), `max_wait_s` between steps when little comes in. `future_us`: how far ahead of
    its arrival a reading may be (local: clocks of devices, 5 min). `late_days`: rows of older civil days go to `late`. `historical_us`: alarms on older data are
    historical (HOUSE.md: 48 h).
    """

    home: Path
    zone: str = "Asia/Shanghai"
    partitions: tuple[str, ...] | None = None
    max_bytes: int = 8 << 20
    max_wait_s: float = 0.5
    future_us: int = 300_000_000
    late_days: int = 3
    historical_us: int = 2 * _DAY_US
    quarantine_bytes: int = 1 << 30


def now_us() -> int:
    """Return the wall clock in UTC µs."""
    return time.time_ns() // 1000


class Pipeline:
    """The one pipeline of an installation: the only writer of latest values and (with the worker's maintenance) of the lake's observation tables."""

    def __init__(self, settings: PipelineSettings, clock: Callable[[], int] = now_us) -> None:
        self.settings, self._clock = settings, clock
        home = settings.home
        self.lake = Lake(home / "lake", settings.zone)
        self.facts = Facts(home / "log" / "facts.sqlite3")
        self.quarantine = Quarantine(home / "log" / "quarantine.sqlite3", settings.quarantine_bytes)
        self.latest = LatestWriter(home / "latest", self._rebuild_latest)
        self.streams = StreamDimension.load(home)
        self.thresholds = ThresholdCheck(self.streams, self.facts.list_states())
        self.counts = Counts(clock())
        self._readers: dict[str, LogReader] = {}
        self._offsets: dict[str, int] = {}
        self._steps = 0

    def _rebuild_latest(self, writer: LatestWriter) -> None:
        with self.lake.connect(("observation",)) as connection:
            rows = connection.sql(
                "SELECT stream, max(t) AS t, arg_max({'v': value}, t).v AS value, arg_max(quality, t) AS quality FROM observation GROUP BY stream ORDER BY stream"
            ).to_arrow_table()
        t = rows.column("t").to_numpy()
        value = rows.column("value").fill_null(np.nan).to_numpy()
        writer.update(rows.column("stream").to_numpy(), t, value, rows.column("quality").to_numpy(), t)

    def _list_partitions(self) -> list[str]:
        if self.settings.partitions is not None:
            return list(self.settings.partitions)
        return sorted(path.stem for path in (self.settings.home / "log").glob("*.sqlite3") if path.stem not in _KEPT_APART)

    def _take(self) -> list[tuple[str, list[LogEntry]]]:
        taken = []
        partitions = self._list_partitions()
        for name in partitions:
            if name not in self._readers:
                self._readers[name] = LogReader(self.settings.home / "log" / f"{name}.sqlite3")
                self._offsets[name] = self.lake.version(f"log:{name}") or 0
            entries = self._readers[name].read(self._offsets[name], self.settings.max_bytes // max(len(partitions), 1))
            if entries:
                taken.append((name, entries))
        return taken

    def step(self) -> int:
        """Bring what waits in the logs forward, at most `max_bytes`; return how many entries that were (0: nothing waited)."""
        self._reload()
        taken = self._take()
        if not taken:
            return 0
        apps = [f"log:{name}" for name, _ in taken]
        offsets = {app: entries[-1].seq for app, (_, entries) in zip(apps, taken, strict=True)}
        decoded = decode_entries([(log, entry) for log, (_, entries) in enumerate(taken) for entry in entries], self.streams)
        good, bad, reasons = self._check(decoded.rows)
        found = identify(good, self.latest.get_seen(good.stream), self.lake)
        self._find_facts(found, apps, offsets, taken)
        self._quarantine(decoded, bad, reasons, apps, offsets)
        self._update_latest(found)
        self._write_lake(found, decoded, apps, offsets)
        self.lake.sync()
        for name, entries in taken:
            self._offsets[name] = entries[-1].seq
            self._readers[name].trim(entries[-1].seq)
        self._count(found, decoded, bad, reasons)
        self._steps += 1
        if self._steps % _NOTES_EVERY == 0:
            self.write_notes()
        return sum(len(entries) for _, entries in taken)

    def _reload(self) -> None:
        newer = self.streams.reload(self.settings.home)
        if newer is self.streams:
            return
        self.streams = newer
        self.thresholds = ThresholdCheck(newer, self.facts.list_states())
        if self.thresholds.orphans:
            gone = [type(state)(state.stream, state.threshold, None, False) for state in self.thresholds.orphans]
            self.facts.commit({}, self.thresholds.clear_orphans(self._clock()), gone, [], self._clock())

    def _check(self, rows: Rows) -> tuple[Rows, Rows, np.ndarray]:
        """Return the rows that go on (out of plausible range flagged), those that do not, and why (index into `_REASONS`)."""
        place = np.maximum(rows.stream, 0)
        unknown = (rows.stream < 0) | ~self._known(rows.stream)
        future = rows.t > rows.received_at + self.settings.future_us
        early = ~unknown & (rows.t < self.streams.not_before[place]) if self.streams.size else np.zeros(len(rows), bool)
        reason = np.select([unknown, future, early], [0, 1, 2], -1)
        bad = reason >= 0
        good = rows.take(~bad) if bad.any() else rows
        if len(good):
            outside = (good.quality == Quality.GOOD) & ((good.value < self.streams.low[good.stream]) | (good.value > self.streams.high[good.stream]))
            good.quality[outside] = Quality.OUT_OF_RANGE
            self.counts.out_of_range += int(outside.sum())
        return good, rows.take(bad), reason[bad]

    def _known(self, stream: np.ndarray) -> np.ndarray:
        known = self.streams.known
        return known[np.clip(stream, 0, len(known) - 1)] & (stream < len(known)) if len(known) else np.zeros(len(stream), bool)

    @staticmethod
    def _after(rows: Rows, limits: list[int]) -> np.ndarray:
        """Return which rows lie beyond the offset (per log number) that somebody already has."""
        return rows.offset > np.array(limits, np.int64)[rows.log]

    def _find_facts(self, found: Identified, apps: list[str], offsets: Mapping[str, int], taken: list[tuple[str, list[LogEntry]]]) -> None:
        rows = found.rows
        chosen = found.new & (rows.quality == Quality.GOOD) & (rows.sub == 0) & self._after(rows, [self.facts.get_offset(app) for app in apps])
        chosen &= rows.t > self.latest.get_seen(rows.stream)
        fresh = rows.take(chosen)
        alarms, states = self.thresholds.check(fresh.stream, fresh.t, fresh.value, fresh.received_at - fresh.t > self.settings.historical_us)
        counts = np.bincount(rows.log, minlength=len(apps)) if len(rows) else np.zeros(len(apps), int)
        notes = [(app, offsets[app], taken[log][1][-1].received_at_us, int(counts[log])) for log, app in enumerate(apps) if self.facts.get_offset(app) < offsets[app]]
        self.facts.commit(offsets, alarms, states, notes, self._clock())
        self.counts.alarms += int(alarms.num_rows)

    def _quarantine(self, decoded: Decoded, bad: Rows, reasons: np.ndarray, apps: list[str], offsets: Mapping[str, int]) -> None:
        if len(bad):
            fresh = self._after(bad, [self.quarantine.get_offset(app) for app in apps])
            if fresh.any():
                self.quarantine.keep(bad.take(fresh), decoded.names, reasons[fresh], _REASONS, offsets, self._clock())

    def _update_latest(self, found: Identified) -> None:
        rows = found.rows.take((found.new | found.correction) & (found.rows.sub == 0))
        if len(rows):
            last = np.concatenate([rows.stream[1:] != rows.stream[:-1], [True]])
            rows = rows.take(last)
            self.latest.update(rows.stream, rows.t, rows.value, rows.quality, rows.received_at)

    def _write_lake(self, found: Identified, decoded: Decoded, apps: list[str], offsets: Mapping[str, int]) -> None:
        rows = found.rows
        late = self._is_late(rows) & found.new
        self._write_rest("late", rows, late, found, apps, offsets)
        self._write_rest("correction", rows, found.correction & _last_of_entry(rows), found, apps, offsets)
        self._write_texts(decoded, apps, offsets)
        self._write_frames(decoded, apps, offsets)
        self.counts.late += int(late.sum())
        self.lake.append("observation", _to_table(rows.take(found.new & ~late)), offsets)

    def _is_late(self, rows: Rows) -> np.ndarray:
        day = self.lake.days.compute(rows.t)
        return day < self.lake.days.compute(rows.received_at) - self.settings.late_days

    def _write_rest(self, table: str, rows: Rows, chosen: np.ndarray, found: Identified, apps: list[str], offsets: Mapping[str, int]) -> None:
        if not chosen.any():
            return
        place = np.flatnonzero(chosen)
        place = place[self._after(rows.take(place), [self.lake.version(app, table) or 0 for app in apps])]
        if not len(place):
            return
        part = rows.take(place)
        data = _to_table(part)
        if table == "correction":
            data = data.append_column("first", pa.array(found.first[place], from_pandas=True)).append_column("first_quality", pa.array(found.first_quality[place]))
            data = data.append_column("app", pa.array(apps).take(pa.array(part.log))).append_column("offset", pa.array(part.offset))
            data = data.append_column("recorded_at", pa.array(part.received_at))
        self.lake.append(table, data, self._ahead(table, offsets))

    def _ahead(self, table: str, offsets: Mapping[str, int]) -> dict[str, int]:
        """Return the offsets that are news to a table: one that went further before a kill must not be set back."""
        return {app: offset for app, offset in offsets.items() if offset > (self.lake.version(app, table) or 0)}

    def _write_texts(self, decoded: Decoded, apps: list[str], offsets: Mapping[str, int]) -> None:
        tables = []
        for log, entry, table in decoded.texts:
            if entry.seq <= (self.lake.version(apps[log], "observation_other") or 0):
                continue
            ids = table.column("stream").cast(pa.string())
            stream = self.streams.find(ids)
            keep = self._known(stream) & (stream >= 0) & (table.column("t").to_numpy() <= entry.received_at_us + self.settings.future_us)
            self.counts.quarantined["text_refused"] += int((~keep).sum())
            rest = table.drop_columns(["stream"]).append_column("stream", pa.array(stream))
            rest = rest.append_column("app", pa.array([apps[log]] * len(rest), pa.string())).append_column("offset", pa.array(np.full(len(rest), entry.seq)))
            tables.append(rest.filter(pa.array(keep)))
        if tables:
            data = pa.concat_tables(tables)
            self.lake.append(
                "observation_other", data.set_column(data.column_names.index("sub"), "sub", data.column("sub").fill_null(0)), self._ahead("observation_other", offsets)
            )
            self.counts.texts += data.num_rows

    def _write_frames(self, decoded: Decoded, apps: list[str], offsets: Mapping[str, int]) -> None:
        tables = [table for log, entry, table in decoded.frames if entry.seq > (self.lake.version(apps[log], "frame") or 0)]
        if not tables:
            return
        frames = pa.concat_tables(tables)
        self.lake.append("frame", frames, self._ahead("frame", offsets))
        self.counts.frames += frames.num_rows
        refused = frames.filter(pa.compute.equal(frames.column("state"), 2)).group_by(["connection", "reason"]).aggregate([([], "count_all")])
        for row in refused.to_pylist():
            self.counts.add_refused(row["connection"] or "", row["reason"] or "", row["count_all"])

    def _count(self, found: Identified, decoded: Decoded, bad: Rows, reasons: np.ndarray) -> None:
        counts = self.counts
        counts.batches += 1
        counts.rows += len(found.rows) + len(bad)
        counts.new += int(found.new.sum())
        counts.corrections += int(found.correction.sum())
        counts.duplicates += int((~found.new & ~found.correction).sum())
        counts.unreadable += len(decoded.unreadable)
        for _, _, reason in decoded.unreadable:
            counts.quarantined[f"unreadable: {reason[:60]}"] += 1
        for code, count in enumerate(np.bincount(reasons, minlength=len(_REASONS))):
            if count:
                counts.quarantined[_REASONS[code]] += int(count)

    def write_notes(self) -> None:
        """Move the batch notes (arrival and offset per batch) from the facts file to the lake."""
        held = self.lake.version("notes", "batch") or 0
        last, notes = self.facts.list_notes(held)
        if notes:
            app, offset, arrived_at, rows = zip(*notes, strict=True)
            self.lake.append("batch", pa.table({"app": app, "offset": offset, "arrived_at": arrived_at, "rows": rows}), {"notes": last})
            self.lake.sync()
        self.facts.trim_notes(last)

    def write_counts(self) -> None:
        """Replace `run/pipeline.json`."""
        waiting = {name: reader.figures() for name, reader in self._readers.items()}
        oldest = min((f.oldest_at_us for f in waiting.values() if f.oldest_at_us is not None), default=None)
        now = self._clock()
        self.counts.write(
            self.settings.home / "run" / "pipeline.json",
            at_us=now,
            backlog_entries=sum(f.entries for f in waiting.values()),
            backlog_bytes=sum(f.bytes for f in waiting.values()),
            delay_s=0.0 if oldest is None else max(0.0, (now - oldest) / 1e6),
        )

    def close(self) -> None:
        """Close files and mark latest values clean."""
        self.write_counts()
        self.latest.close()
        self.facts.close()
        self.quarantine.close()
        for reader in self._readers.values():
            reader.close()
        self.lake.close()


def _last_of_entry(rows: Rows) -> np.ndarray:
    """Of several values for one identity in one log entry the last counts: an offset can correct a value once."""
    if not len(rows):
        return np.empty(0, bool)
    changed = (np.diff(rows.stream) != 0) | (np.diff(rows.t) != 0) | (np.diff(rows.sub) != 0) | (np.diff(rows.log) != 0) | (np.diff(rows.offset) != 0)
    return np.concatenate([changed, [True]])


def _to_table(rows: Rows) -> pa.Table:
    value = pa.array(rows.value, from_pandas=True)
    return pa.table({"stream": rows.stream, "t": rows.t, "sub": rows.sub, "value": value, "quality": rows.quality})
