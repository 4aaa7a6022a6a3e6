"""Thresholds over whole batches: hysteresis, duration, and one alarm per excursion, without a loop over rows."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from zhongshu.sense.observe.dimension import StreamDimension

__all__ = ["ALARMS", "State", "ThresholdCheck"]

NEVER = np.iinfo(np.int64).min

ALARMS = pa.schema(
    [
        ("key", pa.string()),
        ("stream", pa.int64()),
        ("threshold", pa.string()),
        ("state", pa.string()),
        ("started_at", pa.int64()),
        ("at", pa.int64()),
        ("value", pa.float64()),
        ("limit", pa.float64()),
        ("level", pa.int16()),
        ("historical", pa.bool_()),
    ]
)
"""A fact of kind `alarms`. `key` is `<stream>:<threshold>:<started_at>`, the same for `raised` and `cleared` of one excursion; times are UTC µs of measurement.
`value` is null when a threshold was taken away while its alarm stood."""


@dataclass(frozen=True)
class State:
    """Where one threshold of one stream stands: over its limit since `since` (µs, None when not), alarm `raised` or not yet (duration)."""

    stream: int
    threshold: str
    since: int | None
    raised: bool


class ThresholdCheck:
    """All thresholds with their states. A value over the limit switches on, one at or beyond `clear` switches off, in between nothing changes; after `for_s` on, an
    alarm is raised, once; switching off clears it."""

    def __init__(self, streams: StreamDimension, states: Iterable[State]) -> None:
        self.streams = streams
        limits = streams.thresholds
        self._since = np.full(len(limits.limit), NEVER, np.int64)
        self._raised = np.zeros(len(limits.limit), bool)
        self._active = np.zeros(streams.size, bool)
        self.orphans: list[State] = []
        """States whose threshold is no more; `clear_orphans` makes facts of the raised ones."""
        for state in states:
            place = self._find(state.stream, state.threshold)
            if place is None:
                self.orphans.append(state)
            elif state.since is not None:
                self._since[place], self._raised[place], self._active[state.stream] = state.since, state.raised, True

    def _find(self, stream: int, threshold: str) -> int | None:
        start = self.streams.thresholds.start
        if stream >= self.streams.size:
            return None
        ids = self.streams.thresholds.id[int(start[stream]) : int(start[stream + 1])].to_pylist()
        return int(start[stream]) + ids.index(threshold) if threshold in ids else None

    def clear_orphans(self, at_us: int) -> pa.Table:
        """Return `cleared` facts for standing alarms whose threshold was taken away."""
        rows = [
            {"key": f"{s.stream}:{s.threshold}:{s.since}", "stream": s.stream, "threshold": s.threshold, "state": "cleared", "started_at": s.since, "at": at_us}
            | {"value": None, "limit": None, "level": 0, "historical": False}
            for s in self.orphans
            if s.raised
        ]
        return pa.Table.from_pylist(rows, schema=ALARMS)

    def check(self, stream: np.ndarray, t: np.ndarray, value: np.ndarray, historical: np.ndarray) -> tuple[pa.Table, list[State]]:
        """Take valid readings sorted by (stream, t), each stream later than at the last call. Return alarm facts and the states that changed."""
        limits = self.streams.thresholds
        if not len(limits.limit) or not len(stream):
            return ALARMS.empty_table(), []
        hit = (value >= limits.above[stream]) | (value <= limits.below[stream]) | self._active[stream]
        if not hit.any():
            return ALARMS.empty_table(), []
        chosen = np.zeros(self.streams.size, bool)
        chosen[stream[hit]] = True
        rows = np.flatnonzero(chosen[stream])
        counts = limits.start[stream[rows] + 1] - limits.start[stream[rows]]
        row = np.repeat(rows, counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        threshold = limits.start[stream[row]] + within
        order = np.argsort(threshold, kind="stable")
        row, threshold = row[order], threshold[order]
        return self._walk(threshold, stream[row], t[row], value[row], historical[row])

    def _walk(self, j: np.ndarray, stream: np.ndarray, t: np.ndarray, value: np.ndarray, historical: np.ndarray) -> tuple[pa.Table, list[State]]:
        limits, n = self.streams.thresholds, len(j)
        here = np.arange(n)
        opens = np.concatenate([[True], np.diff(j) != 0])
        head = np.maximum.accumulate(np.where(opens, here, 0))
        over, off = _compare(limits.op[j], value, limits.limit[j], limits.clear[j])
        decided = np.maximum.accumulate(np.where(over | off, here, -1))
        was_on = self._since[j] != NEVER
        on = np.where(decided >= head, over[decided], was_on)
        on_before = np.where(opens, was_on, np.concatenate([[False], on[:-1]]))
        # each run of "on" began at its switching row, or before this batch
        begin = np.maximum.accumulate(np.where(on & ~on_before, here, -1))
        carried = begin < head
        since = np.where(carried, self._since[j], t[np.maximum(begin, 0)])
        due = on & ((t - since >= limits.for_us[j]) | (carried & self._raised[j]))
        due_before = np.where(opens, self._raised[j], np.concatenate([[False], due[:-1]]))
        raised = due & ~(due_before & on_before)
        cleared = ~on & on_before & due_before
        since_before = np.where(opens, self._since[j], np.concatenate([[NEVER], since[:-1]]))
        last = np.flatnonzero(np.concatenate([opens[1:], [True]]))
        states = self._keep(j[last], stream[last], on[last], since[last], due[last])
        event = np.flatnonzero(raised | cleared)
        return _build_alarms(limits.id, j, stream, t, value, limits, historical, event, raised, np.where(cleared, since_before, since)), states

    def _keep(self, j: np.ndarray, stream: np.ndarray, on: np.ndarray, since: np.ndarray, due: np.ndarray) -> list[State]:
        new = np.where(on, since, NEVER)
        changed = (new != self._since[j]) | ((due & on) != self._raised[j])
        self._since[j], self._raised[j] = new, due & on
        start = self.streams.thresholds.start
        for one in np.unique(stream):
            self._active[one] = bool((self._since[start[one] : start[one + 1]] != NEVER).any())
        names = self.streams.thresholds.id.take(pa.array(j[changed])).to_pylist()
        rows = zip(stream[changed].tolist(), names, new[changed].tolist(), (due & on)[changed].tolist(), strict=True)
        return [State(s, name, None if at == NEVER else at, raised) for s, name, at, raised in rows]


def _compare(op: np.ndarray, value: np.ndarray, limit: np.ndarray, clear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    over = np.select([op == 0, op == 1, op == 2], [value > limit, value >= limit, value < limit], value <= limit)
    return over, ~over & np.where(op < 2, value <= clear, value >= clear)


def _build_alarms(
    names: pa.Array,
    j: np.ndarray,
    stream: np.ndarray,
    t: np.ndarray,
    value: np.ndarray,
    limits: object,
    historical: np.ndarray,
    event: np.ndarray,
    raised: np.ndarray,
    since: np.ndarray,
) -> pa.Table:
    ids = names.take(pa.array(j[event])).to_pylist()
    begun = since[event].tolist()
    columns = [
        [f"{s}:{name}:{at}" for s, name, at in zip(stream[event].tolist(), ids, begun, strict=True)],
        stream[event],
        ids,
        np.where(raised[event], "raised", "cleared").tolist(),
        begun,
        t[event],
        value[event],
        limits.limit[j[event]],  # type: ignore[attr-defined]
        limits.level[j[event]],  # type: ignore[attr-defined]
        historical[event],
    ]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, ALARMS, strict=True)], schema=ALARMS)
