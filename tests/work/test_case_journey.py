"""From an alarm to a closed case: one event, one case, a trail that tells who did what."""

import datetime as dt

import pytest

from zhongshu.brain.models import CityEvent, EventSignal
from zhongshu.kernel.event import Event
from zhongshu.kernel.event.models import OutboxEvent
from zhongshu.kernel.record import SYSTEM, change, list_history
from zhongshu.kernel.time import now
from zhongshu.security.audit import AuditEntry
from zhongshu.work.case import ActRefused, CaseConflict, do_act, find_case, list_acts, list_todo, open_case
from zhongshu.work.case.incoming import on_event_closed, on_event_opened
from zhongshu.work.models import Case, CaseStep, Responsibility

H = dt.timedelta(hours=1)
MIN = dt.timedelta(minutes=1)


def _raise(city, **more):
    fact = city.alarm(**more)
    city.tell("sense.alarm.raised", fact)
    return fact


def test_an_alarm_becomes_an_event_the_event_a_case_and_the_case_is_worked_and_closed(city, clock):
    fact = _raise(city)
    case, event, users = Case.objects.get(), CityEvent.objects.get(), city.users
    assert (case.case_no, case.organisation, case.division, case.title) == ("HJ-20261123-0001", city.bureau, city.town, "station one: PM2.5 over 75")
    assert case.due_at == case.opened_at + 8 * H and case.step_due_at == case.opened_at + 30 * MIN
    assert [r.case_no for r in list_todo(users["clerk"])] == [case.case_no] and list_todo(users["stranger"]) == ()

    clock.move(10 * MIN)
    do_act(case.uid.hex, "accept", users["clerk"])
    do_act(case.uid.hex, "assign", users["clerk"], "near by", assignee=str(users["worker"].uid))
    assert [r.state for r in list_todo(users["worker"])] == ["assigned"] and list_todo(users["clerk"]) == ()
    clock.move(20 * MIN)
    do_act(case.uid.hex, "start", users["worker"])
    clock.move(H)
    city.tell("sense.alarm.cleared", fact | {"cleared_at": (case.opened_at + H).isoformat(), "peak": 120.0})
    event.refresh()
    assert (event.state, event.ended_at) == ("closed", case.opened_at + H)
    assert Case.objects.get().state == "acting", "the case is closed by people, not by the event"

    do_act(case.uid.hex, "report", users["worker"], "the site is covered")
    assert [r.state for r in list_todo(users["checker"])] == ["checking"]
    clock.move(30 * MIN)
    closed = do_act(case.uid.hex, "pass", users["checker"], "seen on site")
    assert (closed.state, closed.closed_at, closed.overdue) == ("closed", now(), False)

    view = find_case(str(case.uid), users["checker"])
    assert [(t.act, t.by, t.state_to) for t in view.trail] == [
        ("open", "zhongshu", "opened"),
        ("accept", "clerk", "accepted"),
        ("assign", "clerk", "assigned"),
        ("start", "worker", "acting"),
        ("cleared", "zhongshu", "acting"),
        ("report", "worker", "checking"),
        ("pass", "checker", "closed"),
    ]
    assert sum(t.used_s for t in view.trail) == (closed.closed_at - closed.opened_at).total_seconds() == 7200
    assert view.event.signals[0].alarm == fact["alarm"] and view.event.signals[0].cleared_at == event.ended_at
    assert view.limits[0].left_s == 6 * 3600 and not view.limits[0].overdue

    written = AuditEntry.objects.filter(kind="work.Case", record_uid=str(case.uid)).values_list("verb", flat=True)
    assert sorted(written) == ["change"] * 6 + ["create"]
    assert len(list_history(closed)) == 7
    assert list(OutboxEvent.objects.filter(aggregate=str(case.uid)).order_by("id").values_list("name", flat=True)) == ["work.case.opened"] + ["work.case.changed"] * 5 + [
        "work.case.closed"
    ]
    assert list_acts(str(case.uid), users["chief"])[0].name == "note" and len(list_acts(str(case.uid), users["chief"])) == 1


def test_a_storm_of_five_hundred_alarms_of_one_subject_makes_one_event_and_one_case(city):
    facts = [city.alarm(level="orange" if n == 250 else "yellow", started_at=_at(n)) for n in range(500)]
    city.tell("sense.alarm.raised", *facts)
    event, case = CityEvent.objects.get(), Case.objects.get()
    assert (event.signals, EventSignal.objects.count(), event.level) == (500, 500, "orange")
    assert (case.level, [s.act for s in case.trail.order_by("number")]) == ("orange", ["open", "worse"])
    cleared = [fact | {"cleared_at": _at(900).isoformat(), "peak": 99.0} for fact in facts]
    city.tell("sense.alarm.cleared", *cleared[:-1])
    assert CityEvent.objects.get().state == "open"
    city.tell("sense.alarm.cleared", cleared[-1])
    assert CityEvent.objects.get().state == "closed"
    assert [s.act for s in case.trail.order_by("number")] == ["open", "worse", "cleared"]


def _at(minutes):
    return dt.datetime(2026, 11, 23, 1, 0, tzinfo=dt.UTC) + minutes * MIN


def test_a_redelivered_fact_changes_nothing(city):
    fact = _raise(city)
    city.tell("sense.alarm.raised", fact)
    row = OutboxEvent.objects.get(name="brain.event.opened")
    again = Event(str(row.uid), row.name, 1, row.aggregate, row.data, row.occurred_at)
    on_event_opened(again)
    assert (CityEvent.objects.get().signals, Case.objects.count(), CaseStep.objects.count()) == (1, 1, 1)
    city.tell("sense.alarm.cleared", fact | {"cleared_at": _at(5).isoformat()})
    city.tell("sense.alarm.cleared", fact | {"cleared_at": _at(9).isoformat()})
    row = OutboxEvent.objects.get(name="brain.event.closed")
    on_event_closed(Event(str(row.uid), row.name, 1, row.aggregate, row.data, row.occurred_at))
    assert CityEvent.objects.get().ended_at == _at(5)
    assert [s.act for s in Case.objects.get().trail.order_by("number")] == ["open", "cleared"]


def test_a_historical_alarm_makes_a_historical_event_and_no_case(city):
    _raise(city, historical=True, started_at=_at(-60 * 24 * 30))
    _raise(city, historical=True, started_at=_at(-60 * 24 * 30 + 60))
    _raise(city, historical=True, started_at=_at(-60 * 24 * 20))
    assert [(e.historical, e.signals) for e in CityEvent.objects.order_by("started_at")] == [(True, 2), (True, 1)]
    _raise(city)
    assert CityEvent.objects.filter(historical=False).count() == 1
    assert Case.objects.count() == 1


def test_alarms_that_no_rule_takes_make_no_event(city):
    _raise(city, level="blue")
    _raise(city, product="pump")
    assert CityEvent.objects.count() == 0


def test_an_event_that_begins_again_soon_is_the_same_event_and_opens_a_second_case_only_when_the_first_is_closed(city):
    first = _raise(city)
    city.tell("sense.alarm.cleared", first | {"cleared_at": _at(10).isoformat()})
    second = _raise(city, started_at=_at(60))
    assert (CityEvent.objects.get().state, CityEvent.objects.get().signals, Case.objects.count()) == ("open", 2, 1)
    city.tell("sense.alarm.cleared", second | {"cleared_at": _at(70).isoformat()})
    old = Case.objects.get()
    do_act(str(old.uid), "void", city.users["chief"], "a burning field outside the city")
    _raise(city, started_at=_at(120))
    assert CityEvent.objects.count() == 1
    assert [c.repeat_of for c in Case.objects.order_by("id")] == [None, old]
    assert Case.objects.order_by("id")[1].case_no == "HJ-20261123-0002"
    _raise(city, started_at=_at(60 * 24))
    assert CityEvent.objects.count() == 1, "the event is still going on"


def test_the_nearest_division_with_an_entry_names_the_responsible_organisation(city):
    with change(SYSTEM, "matrix"):
        Responsibility(division=city.division, case_kind="probe.air_case", organisation=city.government).save()
    _raise(city)
    assert Case.objects.get().organisation == city.government
    with change(SYSTEM, "matrix"):
        Responsibility(division=city.town, case_kind="probe.air_case", organisation=city.street).save()
    made = open_case("probe.air_case", "by hand", "blue", SYSTEM, "seen by a patrol", key="hand-1", division_id=city.town.pk)
    assert made.organisation == city.street
    outside = open_case("probe.air_case", "by hand", "blue", SYSTEM, "seen by a patrol", key="hand-2")
    assert outside.organisation == city.bureau
    assert open_case("probe.air_case", "by hand", "blue", SYSTEM, "again", key="hand-2").pk == outside.pk


def _to_checking(city, worker="worker"):
    _raise(city)
    uid = str(Case.objects.get().uid)
    do_act(uid, "accept", city.users["clerk"])
    do_act(uid, "assign", city.users["clerk"], assignee=str(city.users[worker].uid))
    do_act(uid, "start", city.users[worker])
    do_act(uid, "report", city.users[worker], "done")
    return uid


def test_who_worked_on_a_case_never_checks_it_even_in_a_later_round(city):
    uid = _to_checking(city, "mate")
    with pytest.raises(ActRefused, match="somebody else must check"):
        do_act(uid, "pass", city.users["mate"])
    assert list_todo(city.users["mate"]) == ()
    do_act(uid, "fail", city.users["checker"], "still dusty")
    case = Case.objects.get()
    assert (case.state, case.rework, case.assignee) == ("acting", 1, city.users["mate"])
    do_act(uid, "assign", city.users["clerk"], assignee=str(city.users["worker"].uid))
    do_act(uid, "start", city.users["worker"])
    do_act(uid, "report", city.users["worker"], "done again")
    with pytest.raises(ActRefused, match="somebody else must check"):
        do_act(uid, "pass", city.users["mate"])
    assert do_act(uid, "pass", city.users["checker"]).state == "closed"


def test_refusals_say_why(city):
    _raise(city)
    uid, users = str(Case.objects.get().uid), city.users
    for act, user, more, words in (
        ("pass", "checker", {}, "not possible: the case is opened"),
        ("accept", "checker", {}, "You may not do"),
        ("return", "clerk", {}, "needs a note"),
        ("dance", "clerk", {}, "There is no act"),
        ("accept", "stranger", {}, "may not see it"),
        ("extend", "chief", {"note": "rain", "limit": "soon"}, "Say by how much"),
    ):
        with pytest.raises(ActRefused, match=words):
            do_act(uid, act, users[user], **more)
    do_act(uid, "accept", users["clerk"])
    with pytest.raises(ActRefused, match="Say who"):
        do_act(uid, "assign", users["clerk"], assignee="nobody")
    with pytest.raises(ActRefused, match="stranger may not work"):
        do_act(uid, "assign", users["clerk"], assignee=str(users["stranger"].uid))
    with pytest.raises(ActRefused, match="no such case"):
        do_act("not-a-uid", "accept", users["clerk"])
    assert [s.act for s in CaseStep.objects.order_by("number")] == ["open", "accept"]


def test_two_people_who_act_at_once_conflict_and_are_told_who_was_first(city):
    _raise(city)
    case, users = Case.objects.get(), city.users
    seen = case.version
    do_act(str(case.uid), "accept", users["clerk"], version=seen)
    with pytest.raises(CaseConflict, match="clerk, Accept"):
        do_act(str(case.uid), "void", users["chief"], "twice reported", version=seen)
    assert Case.objects.get().state == "accepted" and CaseStep.objects.count() == 2


def test_a_returned_case_goes_to_another_organisation(city):
    _raise(city)
    uid, users = str(Case.objects.get().uid), city.users
    do_act(uid, "return", users["clerk"], "the road belongs to the street office")
    assert [r.state for r in list_todo(users["chief"])] == ["returned"]
    case = do_act(uid, "route", users["chief"], "agreed", organisation=str(city.street.uid))
    assert (case.state, case.organisation) == ("opened", city.street)
    assert find_case(uid, users["clerk"]) is None


def test_steps_are_never_changed(city):
    _raise(city)
    step = CaseStep.objects.get()
    with change(SYSTEM, "forge"):
        for write in (
            step.save,
            step.delete,
            CaseStep.objects.all().delete,
            lambda: CaseStep.objects.update(note="x"),
            lambda: CaseStep.objects.bulk_update([step], ["note"]),
        ):
            with pytest.raises(TypeError, match="never"):
                write()
