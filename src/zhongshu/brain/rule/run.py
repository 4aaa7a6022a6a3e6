"""Running rules over windows: what is due, what arrived late, what is flagged."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import to_us

from .declare import LEVELS, Rule
from .source import Arrivals, Span, WindowSource
from .window import Flags, StreamTable, Window

__all__ = ["Evaluation", "Plan", "RuleHit", "evaluate_rule", "plan_windows", "try_rule"]

BLOCK_US = 24 * 3600 * 1_000_000
"""How much of the lake is read at once, µs of phenomenon time."""

WINDOWS = 2000
"""How many windows one run evaluates at most; the rest waits for the next."""


@dataclass(frozen=True)
class RuleHit:
    """One flag of a rule on one stream of a thing: an event as it is raised, or would have been. Times in µs UTC."""

    rule: str
    key: str
    raises: str
    stream: int
    thing: str
    measure: str
    window_start: int
    window_end: int
    start: int
    value: float
    level: str


@dataclass(frozen=True)
class Evaluation:
    """One evaluated window: its flags, and the things that had readings in it."""

    start: int
    end: int
    hits: tuple[RuleHit, ...]
    heard: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """Which windows (starts, µs) a run evaluates: `new` ones that became complete and `late` ones that must be looked at again; what is left for the next run."""

    new: tuple[int, ...]
    late: tuple[int, ...]
    done_to: int
    again: tuple[Span, ...]


def plan_windows(rule: Rule, done_to: int, again: Iterable[Span], arrivals: Arrivals) -> Plan:
    """Plan a run. `done_to` 0 (a rule that never ran) begins with the last complete window: a new rule says nothing about the past, `try_rule` does.

    Late are windows that were evaluated and overlap a span of new arrivals or one that was left over (`again`).
    """
    step, length = rule.step_us, rule.window_us
    complete_to = arrivals.complete_to
    if done_to == 0:
        done_to = _floor(complete_to - length, step) + length - step
    first = _floor(done_to - length, step) + step
    new = tuple(start for start in range(first, complete_to - length + 1, step)[:WINDOWS] if start >= 0)
    late: list[int] = []
    rest: list[Span] = []
    for low, high in _merge([*again, *arrivals.spans]):
        starts = [s for s in range(_floor(low - length, step) + step, high + 1, step) if s >= 0 and s + length <= done_to]
        room = WINDOWS - len(new) - len(late)
        late += starts[: max(room, 0)]
        if len(starts) > max(room, 0):
            rest.append((max(low, starts[max(room, 0)] + length - 1), high))
    return Plan(new, tuple(sorted(set(late))), new[-1] + length if new else done_to, tuple(rest))


def evaluate_rule(rule: Rule, source: WindowSource, starts: Iterable[int]) -> Iterator[Evaluation]:
    """Evaluate a rule on windows that begin at `starts` (ascending, µs). The lake is read in blocks, not once per window."""
    streams = source.list_streams(rule.feed.code, rule.measures)
    block: _Block | None = None
    for start in starts:
        end = start + rule.window_us
        if block is None or not block.start <= start <= end <= block.end:
            block = _Block(source, streams, start, max(end, start + BLOCK_US))
        window = block.cut(start, end)
        flags = rule.evaluate(window, *(using.read(start, end) for using in rule.using))
        yield Evaluation(start, end, _hits_of(rule, window, flags), frozenset(window.streams.tolist()))


def try_rule(name: str, start: object, end: object, source: WindowSource) -> tuple[RuleHit, ...]:
    """Return what a rule would have raised on the windows that lie within `start` to `end` (aware datetimes or µs UTC): the test bench. Nothing is written.

    Raises `RegistryError` for an unknown rule, `TypeError` where the rule does not answer with flags, `ValueError` where it flags what it was not given.
    """
    rule: Rule = registry.get("rule", name)
    low, high = (at if isinstance(at, int) else to_us(at) for at in (start, end))  # type: ignore[arg-type]
    starts = range(-(-low // rule.step_us) * rule.step_us, high - rule.window_us + 1, rule.step_us)
    return tuple(hit for evaluation in evaluate_rule(rule, source, starts) for hit in evaluation.hits)


class _Block:
    """Readings of a longer span, sorted by time once, from which windows are cut."""

    def __init__(self, source: WindowSource, streams: StreamTable, start: int, end: int) -> None:
        self.start, self.end, self._streams = start, end, streams
        readings = source.read(streams.ordinal, start, end)
        self._readings = readings.take(np.argsort(readings["t"].to_numpy(), kind="stable"))
        self._t: NDArray[np.int64] = self._readings["t"].to_numpy()

    def cut(self, start: int, end: int) -> Window:
        low, high = np.searchsorted(self._t, [start, end])
        return Window.build(start, end, self._readings.slice(int(low), int(high - low)), self._streams)


def _hits_of(rule: Rule, window: Window, flags: Flags) -> tuple[RuleHit, ...]:
    if not isinstance(flags, Flags):
        raise TypeError(f"rule {rule.name} answered with {type(flags).__name__}, not Flags")
    at = window.known.find(flags.subject)
    wrong = set(flags.level.tolist()) - {"", *LEVELS}
    if wrong:
        raise ValueError(f"rule {rule.name} flagged with the level {sorted(wrong)[0]!r}")
    rows = zip(flags.subject.tolist(), at.tolist(), flags.start.tolist(), flags.value.tolist(), flags.level.tolist(), strict=True)
    return tuple(
        RuleHit(
            rule=rule.name,
            key=rule.key(subject, window.start),
            raises=rule.raises,
            stream=subject,
            thing=str(window.known.thing[place]),
            measure=str(window.known.measure[place]),
            window_start=window.start,
            window_end=window.end,
            start=since,
            value=value,
            level=level or rule.level,
        )
        for subject, place, since, value, level in rows
    )


def _floor(at: int, step: int) -> int:
    return at // step * step


def _merge(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for low, high in sorted((int(low), int(high)) for low, high in spans):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged
