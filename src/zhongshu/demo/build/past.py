"""What became of the past: alarms, events and cases made by the rooms themselves, in the order of time, with the clock set back and the city's people acting."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.kernel.event import deliver_due
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.time import freeze, now, now_us, to_datetime
from zhongshu.packs.environment.air import POLLUTION_CASE
from zhongshu.security.identity import User, get_actor
from zhongshu.sense.observe import Quality, StreamDimension
from zhongshu.sense.observe.facts import take_facts
from zhongshu.sense.pipeline.facts import Facts
from zhongshu.sense.pipeline.threshold import ALARMS, State, ThresholdCheck
from zhongshu.work.case import do_act, open_case
from zhongshu.work.case.models import Case

__all__ = ["PastFacts", "play_past"]

HOUR_US = 3_600_000_000
MOST_ALARMS, MOST_OTHERS = 90, 60
"""How many alarms of the streams that always count, and of others, become records; the newest do."""

RECENT_H = 48
"""Of other devices only alarms of the last two days become records; a city that was there before would have closed the older ones long ago."""

Step = tuple[str, float]
"""Act, and hours after the opening of the case."""

COURSES: tuple[tuple[Step, ...], ...] = (
    (("accept", 0.2), ("assign", 0.6), ("start", 1.1), ("report", 5.5), ("pass", 7.0)),
    (("accept", 0.1), ("assign", 0.4), ("start", 0.9), ("report", 3.0), ("pass", 4.2)),
    (("accept", 0.3), ("assign", 0.8), ("start", 1.6), ("report", 9.0), ("fail", 10.0), ("report", 16.0), ("pass", 18.5)),
    (("accept", 0.7), ("assign", 2.5), ("start", 5.0), ("report", 23.0), ("pass", 27.0)),
)
NOTES = {
    "report": ("施工工地已覆盖裸土并洒水降尘", "已约谈企业并完成整改", "道路已机扫湿扫,浓度回落", "排查周边,未见持续排放源"),
    "fail": ("现场照片不清,请补充处置情况",),
}
BY_HAND = (
    ("市民反映露天焚烧", 30.0, 5),
    ("道路积尘", 20.0, 4),
    ("市民反映企业异味", 11.0, 4),
    ("巡查发现裸土未覆盖", 6.0, 3),
    ("市民反映餐饮油烟扰民", 3.5, 2),
    ("巡查发现渣土车未覆盖", 1.3, 1),
    ("市民反映建筑工地夜间扬尘", 0.4, 0),
)
"""Cases a duty officer opened: title, hours ago, and how many acts of a course were done since."""


class PastFacts:
    """Looks for exceeded limits in the history while it is written, with the pipeline's own check, so that the pipeline goes on where the past ended."""

    def __init__(self, home: Path) -> None:
        self._streams = StreamDimension.load(home)
        self._limits = ThresholdCheck(self._streams, [])
        self._found: list[pa.Table] = []
        self._states: dict[tuple[int, str], State] = {}

    def check(self, readings: pa.Table) -> pa.Table:
        """Take readings, each stream's in the order of time, and return them with values outside their plausible range flagged, as the pipeline does."""
        stream, t, quality = (readings[name].to_numpy() for name in ("stream", "t", "quality"))
        value = readings["value"].to_numpy()
        outside = (quality == Quality.GOOD) & ((value < self._streams.low[stream]) | (value > self._streams.high[stream]))
        good = (quality == Quality.GOOD) & ~outside
        facts, states = self._limits.check(stream[good], t[good], value[good], np.zeros(int(good.sum()), bool))
        self._found.append(facts)
        self._states.update(((s.stream, s.threshold), s) for s in states)
        flagged = np.where(outside, np.uint8(Quality.OUT_OF_RANGE), quality)
        return readings.set_column(readings.column_names.index("quality"), "quality", pa.array(flagged))

    def list_states(self) -> list[State]:
        """Return the limits that are exceeded at the end."""
        return [state for state in self._states.values() if state.since is not None]

    def choose(self, always: set[int], end_us: int) -> pa.Table:
        """Return the facts that become records, ordered by time: the newest alarms of the streams `always`; of others those that still stand, then recent ones."""
        facts = pa.concat_tables([ALARMS.empty_table(), *self._found])
        raised = facts.filter(pc.equal(facts["state"], "raised"))
        cleared = set(facts.filter(pc.equal(facts["state"], "cleared"))["key"].to_pylist())
        rows = sorted(zip(raised["at"].to_pylist(), raised["stream"].to_pylist(), raised["key"].to_pylist(), strict=True), reverse=True)
        recent = end_us - RECENT_H * HOUR_US
        first = [key for _, stream, key in rows if stream in always][:MOST_ALARMS]
        others = [(key in cleared, -at, key) for at, stream, key in rows if stream not in always and (at >= recent or key not in cleared)]
        kept = {*first, *(key for _, _, key in sorted(others)[:MOST_OTHERS])}
        return facts.filter(pc.is_in(facts["key"], pa.array(sorted(kept), pa.string()))).sort_by([("at", "ascending"), ("key", "ascending")])


def play_past(home: Path, past: PastFacts, always: set[int], seed: int, tell: Callable[[float], None]) -> dict[str, int]:
    """Turn facts into alarms, events and cases as the worker would have, and let people act on the cases; returns how many of each there are.

    `always` are streams (ordinals) whose alarms count however old they are. The clock of this process stands at the moment that is being played.
    """
    end = now_us()
    facts = Facts(home / "log" / "facts.sqlite3")
    play = _Play(home, facts, random.Random(seed), end)  # noqa: S311 which course a case takes
    chosen = past.choose(always, end)
    try:
        hours = list(_group_by_hour(chosen))
        for done, (hour, part) in enumerate(hours):
            play.act_until(hour)
            play.take(hour, part)
            tell((done + 1) / (len(hours) + 1))
        play.act_until(end)
        play.open_by_hand()
        facts.commit({}, ALARMS.empty_table(), past.list_states(), [], end)
    finally:
        facts.close()
    return {"alarms": len(set(chosen["key"].to_pylist())), "cases": Case.objects.count()}


def _group_by_hour(facts: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Facts by the hour in which they were found: the one after the measured one, because means are known at its end."""
    hours = (facts["at"].to_numpy() // HOUR_US + 1) * HOUR_US
    for hour in np.unique(hours).tolist():
        yield hour, facts.filter(pa.array(hours == hour))


class _Play:
    def __init__(self, home: Path, facts: Facts, rng: random.Random, end_us: int) -> None:
        self._path, self._facts, self._rng, self._end = home / "log" / "facts.sqlite3", facts, rng, end_us
        self._agenda: list[tuple[int, int, str, str]] = []
        self._number = itertools.count()
        self._known = 0
        people = User.objects.select_related("organisation", "post").filter(post__code__contains="environment")
        self._people = {user.post.code: user for user in people if user.post is not None}

    def take(self, hour: int, facts: pa.Table) -> None:
        """Let the alarms of one hour come in, with everything that follows from them."""
        with freeze(to_datetime(min(hour, self._end))):
            self._facts.commit({}, facts, [], [], hour)
            while take_facts(self._path):
                pass
            while deliver_due():
                pass
        for case in Case.objects.filter(pk__gt=self._known).order_by("pk"):
            self._known = case.pk
            self._plan(case, COURSES[self._rng.choices(range(len(COURSES)), (5, 4, 2, 1))[0]])

    def _plan(self, case: Case, course: tuple[Step, ...]) -> None:
        slow = self._rng.uniform(0.7, 1.2)
        opened = int(case.opened_at.timestamp() * 1e6)
        for act, hours in course:
            heapq.heappush(self._agenda, (opened + int(hours * slow * HOUR_US), next(self._number), str(case.uid), act))

    def act_until(self, moment: int) -> None:
        """Do what people did before `moment`, in order."""
        while self._agenda and self._agenda[0][0] < min(moment, self._end):
            at, _, uid, act = heapq.heappop(self._agenda)
            with freeze(to_datetime(at)):
                self._act(uid, act)

    def _act(self, uid: str, act: str) -> None:
        code = Case.objects.values_list("organisation__code", flat=True).get(uid=uid)
        officer, checker = self._people[f"{code}-officer"], self._people[f"{code}-checker"]
        notes = NOTES.get(act)
        do_act(
            uid,
            act,
            checker if act in ("pass", "fail") else officer,
            self._rng.choice(notes) if notes else "",
            assignee=str(officer.uid) if act == "assign" else None,
        )

    def open_by_hand(self) -> None:
        """A few cases that people told of, left in different states."""
        places = list(Division.objects.filter(level="village").order_by("code"))
        duty = User.objects.get(post__code="dept-operation-duty")
        for number, (title, hours, acts) in enumerate(BY_HAND):
            place = self._rng.choice(places)
            at = to_datetime(self._end) - timedelta(hours=hours)
            with freeze(at):
                case = open_case(
                    POLLUTION_CASE.name, title, "yellow" if number % 3 else "blue", get_actor(duty), title, key=f"demo/{number}",
                    division_id=place.pk, lon=place.lon, lat=place.lat, address=place.name,
                )  # fmt: skip
            for act, after in COURSES[0][:acts]:
                moment = at + timedelta(hours=min(after, hours * 0.9))
                if moment < now():
                    with freeze(moment):
                        self._act(str(case.uid), act)
        while deliver_due():
            pass
