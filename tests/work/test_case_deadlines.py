"""Limits: counted on their own clock, said once, told upwards once per level, stopped in suspension."""

import datetime as dt

import pytest

from zhongshu.kernel.event.models import OutboxEvent
from zhongshu.kernel.job import enqueue, run_next
from zhongshu.kernel.record import SYSTEM
from zhongshu.kernel.registry import RegistryError
from zhongshu.kernel.time import now
from zhongshu.work.case import ActRefused, CaseKind, check_deadlines, do_act, find_case, list_todo, open_case, parse_limit
from zhongshu.work.models import Case

H = dt.timedelta(hours=1)


def _open(city, kind="probe.air_case", key="k"):
    return open_case(kind, "dust", "yellow", SYSTEM, "dust on the road", key=key, division_id=city.town.pk)


def _acts(case):
    return [s.act for s in case.trail.order_by("number")]


def test_what_is_overdue_is_said_once_and_told_upwards_once_per_level(city, clock):
    case = _open(city)
    clock.move(dt.timedelta(minutes=30))
    assert check_deadlines(now()) == 0, "a limit is kept until its last moment"
    clock.move(dt.timedelta(seconds=1))
    assert (check_deadlines(now()), check_deadlines(now())) == (1, 0)
    assert case.refresh().step_overdue and not case.overdue
    clock.move(8 * H)
    assert check_deadlines(now()) == 2
    assert check_deadlines(now()) == 0
    case.refresh()
    assert (case.overdue, case.escalation, case.escalated_to) == (True, 1, city.government)
    clock.move(4 * H)
    assert (check_deadlines(now()), check_deadlines(now())) == (1, 0)
    clock.move(1000 * H)
    assert check_deadlines(now()) == 0
    assert _acts(case) == ["open", "step_overdue", "overdue", "escalate", "escalate"]
    told = OutboxEvent.objects.filter(name="work.case.overdue").order_by("id")
    assert [(o.data["escalation"], o.data["told"]) for o in told] == [(0, ""), (1, str(city.government.uid)), (2, str(city.government.uid))]


def test_the_job_is_declared_and_runs(city, clock):
    case = _open(city)
    clock.move(H)
    enqueue("work.case.deadlines")
    assert run_next()
    assert _acts(case) == ["open", "step_overdue"]


def test_a_closed_case_is_never_overdue_afterwards(city, clock):
    case = _open(city)
    do_act(str(case.uid), "void", city.users["chief"], "not dust, fog")
    clock.move(100 * H)
    assert check_deadlines(now()) == 0


def test_a_case_closed_late_is_overdue_even_when_the_job_did_not_run(city, clock):
    case = _open(city)
    clock.move(9 * H)
    closed = do_act(str(case.uid), "void", city.users["chief"], "found late")
    assert closed.overdue and closed.trail.get(act="void").late


def test_an_extension_keeps_the_old_limit_on_the_record_and_is_refused_when_it_comes_too_late(city, clock):
    case = _open(city)
    old = case.due_at
    made = do_act(str(case.uid), "extend", city.users["chief"], "parts must be ordered", limit="2 h")
    assert (made.due_at, made.first_due_at, made.state) == (old + 2 * H, old, "opened")
    step = made.trail.get(act="extend")
    assert (step.data["old_due_at"], step.note) == (old.isoformat(), "parts must be ordered")
    clock.move(10.5 * H)
    check_deadlines(now())
    with pytest.raises(ActRefused, match="limit is past"):
        do_act(str(case.uid), "extend", city.users["chief"], "again", limit="2 h")


def test_the_clock_stands_while_a_case_is_suspended(city, clock):
    case = _open(city)
    uid = str(case.uid)
    clock.move(H)
    do_act(uid, "accept", city.users["clerk"])
    do_act(uid, "suspend", city.users["chief"], "waits for the thaw")
    view = find_case(uid, city.users["chief"])
    assert (view.limits[0].due_at, view.limits[0].left_s, view.limits[0].overdue) == (None, 7 * 3600, False)
    clock.move(500 * H)
    assert check_deadlines(now()) == 0
    resumed = do_act(uid, "resume", city.users["chief"])
    assert (resumed.state, resumed.due_at) == ("accepted", now() + 7 * H)
    assert sum(s.used_s for s in resumed.trail.all()) == 3600


def test_working_days_leave_out_nights_and_weekends(city, clock):
    clock.set(dt.datetime(2026, 11, 27, 2, 0, tzinfo=dt.UTC))  # Friday 10:00
    case = _open(city, "probe.works")
    assert case.due_at == dt.datetime(2026, 12, 1, 2, 0, tzinfo=dt.UTC), "two working days: Tuesday 10:00"
    clock.move(72 * H)
    assert find_case(str(case.uid), city.users["chief"]).limits[0].left_s == 86_400


def test_the_most_urgent_comes_first(city, clock):
    late = _open(city, key="late")
    clock.move(9 * H)
    check_deadlines(now())
    fresh, works = _open(city, key="fresh"), _open(city, "probe.works", key="works")
    rows = list_todo(city.users["clerk"])
    assert [r.case_no for r in rows] == [late.case_no, fresh.case_no], "cases of other organisations are not theirs"
    assert rows[0].overdue and rows[0].left_s < 0 and rows[1].left_s == 1800
    assert works.organisation is None and Case.objects.count() == 3


def test_numbers_run_per_kind_and_civil_day(city, clock):
    first = [_open(city, key=str(n)).case_no for n in range(3)]
    works = _open(city, "probe.works").case_no
    clock.set(dt.datetime(2026, 11, 23, 16, 1, tzinfo=dt.UTC))  # after midnight in the city
    assert first == ["HJ-20261123-0001", "HJ-20261123-0002", "HJ-20261123-0003"]
    assert (works, _open(city, key="next").case_no) == ("GC-20261123-0001", "HJ-20261124-0001")


def test_declarations_with_a_slip_are_refused():
    for more, error, words in (
        ({"within": "soon"}, ValueError, "not a time limit"),
        ({"steps": {"dancing": "1 h"}}, ValueError, "not a state"),
        ({"prefix": "hj"}, ValueError, "capital letters"),
        ({"prefix": "HJ"}, RegistryError, "belongs to probe.air_case"),
    ):
        with pytest.raises(error, match=words):
            CaseKind("probe.slip", "slip", **{"prefix": "SL"} | more)
    assert parse_limit("30 min").amount == 0.5
