"""The case machine under random acts, held against a plain table of what may follow what."""

import datetime as dt
import itertools
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import now, to_us
from zhongshu.work.case import ActRefused, CaseConflict, check_deadlines, do_act, find_case, list_acts, open_case
from zhongshu.work.models import Case, CaseStep

# (state before, act) → state after; "back" is the state before the suspension
TABLE = {
    **{(s, "note"): s for s in ("opened", "accepted", "assigned", "acting", "checking", "returned", "suspended", "closed", "void")},
    **{(s, "urge"): s for s in ("opened", "accepted", "assigned", "acting", "checking", "returned")},
    **{(s, "void"): "void" for s in ("opened", "accepted", "assigned", "acting", "checking", "returned", "suspended")},
    **{(s, "extend"): s for s in ("opened", "accepted", "assigned", "acting")},
    **{(s, "return"): "returned" for s in ("opened", "accepted", "assigned", "acting")},
    **{(s, "suspend"): "suspended" for s in ("accepted", "assigned", "acting")},
    **{(s, "assign"): "assigned" for s in ("accepted", "assigned", "acting")},
    ("suspended", "resume"): "back",
    ("opened", "accept"): "accepted",
    ("opened", "route"): "opened",
    ("returned", "route"): "opened",
    ("assigned", "start"): "acting",
    ("acting", "report"): "checking",
    ("checking", "pass"): "closed",
    ("checking", "fail"): "acting",
}
ACT_NAMES = sorted({act for _state, act in TABLE})
FORWARD = [("accept", "clerk"), ("assign", "clerk"), ("start", "worker"), ("report", "worker"), ("pass", "checker")]

acts = st.one_of(
    st.tuples(st.sampled_from(ACT_NAMES), st.sampled_from(["clerk", "worker", "mate", "checker", "chief", "stranger"])),
    st.sampled_from([*FORWARD, ("fail", "checker"), ("suspend", "chief"), ("resume", "chief"), ("void", "chief"), ("extend", "chief")]),
)
walks = st.lists(st.tuples(acts, st.integers(0, 3000), st.sampled_from(["worker", "mate"]), st.booleans()), max_size=14)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(walk=walks, forward=st.integers(0, 4), kind_name=st.sampled_from(["probe.air_case", "probe.works"]))
def test_no_walk_leaves_the_declared_states_and_each_act_is_one_step_and_the_clocks_add_up(city, clock, walk, forward, kind_name):
    case = open_case(kind_name, "walk", "yellow", SYSTEM, "a walk", key=str(uuid.uuid4()))
    with_org(case, city)
    uid, state, back, count, suspended, paused = str(case.uid), "opened", "", 1, [], None
    plan = [((act, who), 7, "worker", False) for act, who in FORWARD[:forward]] + walk
    for (act, who), minutes, assignee, tick in plan:
        clock.move(dt.timedelta(minutes=minutes))
        if tick:
            check_deadlines(now())
        user = city.users[who]
        offered = {a.name for a in list_acts(uid, user)}
        more = {"assignee": str(city.users[assignee].uid), "organisation": str(city.bureau.uid), "limit": "2 h"}
        try:
            do_act(uid, act, user, "because", **more)
        except ActRefused:
            assert act not in offered
        else:
            assert act in offered
            after = TABLE[(state, act)]
            count += 1
            if act == "suspend":
                back, paused = state, now()
            if state == "suspended" and after != "suspended":
                suspended.append((paused, now()))
            state = back if after == "back" else after
        found = Case.objects.get(uid=uid)
        assert found.state == state
        assert CaseStep.objects.filter(case=found).exclude(act__in=("step_overdue", "overdue", "escalate")).count() == count
    check_trail(uid, city, registry.get("case_kind", kind_name), suspended, paused if state == "suspended" else None)


def with_org(case, city):
    if case.organisation is None:
        with change(SYSTEM, "responsible"):
            case.organisation = city.bureau
            case.save()


def check_trail(uid, city, kind, suspended, paused):
    case = Case.objects.get(uid=uid)
    trail = find_case(uid, city.users["chief"]).trail
    assert [t.number for t in trail] == list(range(1, len(trail) + 1))
    for earlier, later in itertools.pairwise(trail):
        assert later.state_from == earlier.state_to, "each step begins where the one before ended"
    last = trail[-1].at
    if paused is not None:
        suspended = [*suspended, (paused, last)]

    def clock_s(a, b):
        return kind.calendar.elapsed([to_us(a)], [to_us(b)], kind.limit.unit)[0] / 1e6

    expected = clock_s(case.opened_at, last) - sum(clock_s(a, b) for a, b in suspended)
    assert abs(sum(t.used_s for t in trail) - expected) < 1e-3
    checked = [t for t in trail if t.act in ("pass", "fail")]
    workers = [{t.by for t in trail[:n] if t.act in ("start", "report")} for n, t in enumerate(trail) if t.act in ("pass", "fail")]
    assert all(t.by not in them for t, them in zip(checked, workers, strict=True))
    assert case.rework == sum(t.act == "fail" for t in trail)
    assert (case.closed_at is not None) == (case.state in ("closed", "void"))
    assert sum(t.act == "overdue" for t in trail) <= 1 and sum(t.act == "escalate" for t in trail) == case.escalation <= 2


def test_of_two_walks_over_one_version_only_one_goes_on(city):
    case = open_case("probe.air_case", "two hands", "yellow", SYSTEM, "two hands", key="two")
    version = case.version
    done = []
    for who, act in (("clerk", "accept"), ("chief", "accept"), ("chief", "void")):
        try:
            do_act(str(case.uid), act, city.users[who], "because", version=version)
            done.append(who)
        except CaseConflict as error:
            assert "clerk" in str(error)
    assert done == ["clerk"]
