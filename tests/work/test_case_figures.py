"""Figures about cases: recomputed by hand from the trail."""

import datetime as dt

import pytest

from zhongshu.brain.indicator import compute_indicator, get_value
from zhongshu.kernel.record import SYSTEM
from zhongshu.kernel.time import Period, PeriodUnit, now
from zhongshu.work.case import CASES, case_table, do_act, open_case
from zhongshu.work.models import CaseStep

H = dt.timedelta(hours=1)


def _work(city, clock, key, hours, fail=False):
    """Open a case and close it after this many hours."""
    case = open_case("probe.air_case", key, "yellow", SYSTEM, "dust", key=key, division_id=city.town.pk)
    uid, users = str(case.uid), city.users
    do_act(uid, "accept", users["clerk"])
    do_act(uid, "assign", users["clerk"], assignee=str(users["worker"].uid))
    do_act(uid, "start", users["worker"])
    clock.move(hours * H)
    do_act(uid, "report", users["worker"], "done")
    if fail:
        do_act(uid, "fail", users["checker"], "look again")
        do_act(uid, "report", users["worker"], "done")
    do_act(uid, "pass", users["checker"])
    return case


def test_the_table_says_what_the_trail_says(city, clock):
    start = now()
    good = _work(city, clock, "good", 1)
    late = _work(city, clock, "late", 9, fail=True)
    open_case("probe.air_case", "open", "red", SYSTEM, "dust", key="open")
    table = case_table("probe.air_case", start, now() + H)
    assert table.schema == CASES and table["case_no"].to_pylist() == [good.case_no, late.case_no]
    assert table["on_time"].to_pylist() == [True, False] and table["rework"].to_pylist() == [0, 1]
    assert table["used_s"].to_pylist() == [3600.0, 9 * 3600.0] == table["acting_s"].to_pylist()
    assert table["late_steps"].to_pylist() == [0, 1] == [CaseStep.objects.filter(case=c, late=True).count() for c in (good, late)]
    everything = case_table("", start, now() + H, by="opened_at")
    assert everything["on_time"].to_pylist() == [True, False, None] and everything["division"].to_pylist() == [city.town.pk, city.town.pk, None]
    assert case_table("probe.works", start, now()).num_rows == 0
    with pytest.raises(ValueError, match="closed_at"):
        case_table("", start, now(), by="colour")


def test_the_share_closed_on_time_counts_by_hand(city, clock):
    day = Period.of(now(), PeriodUnit.DAY, "Asia/Shanghai")
    _work(city, clock, "a", 1)
    _work(city, clock, "b", 0.5)
    open_case("probe.air_case", "missed", "yellow", SYSTEM, "dust", key="missed", division_id=city.town.pk)
    dismissed = open_case("probe.air_case", "void", "yellow", SYSTEM, "dust", key="void", division_id=city.town.pk)
    do_act(str(dismissed.uid), "void", city.users["chief"], "not dust")
    _work(city, clock, "late", 8.5)
    compute_indicator("work.case_closed_on_time", None, day)
    for division in (city.town, city.division):
        value = get_value("work.case_closed_on_time", division.pk, day)
        assert (value.numerator, value.denominator, value.value, value.state) == (2.0, 4.0, 0.5, "bad")
    before = Period.of(now() - 48 * H, PeriodUnit.DAY, "Asia/Shanghai")
    compute_indicator("work.case_closed_on_time", None, before)
    assert get_value("work.case_closed_on_time", city.town.pk, before).value is None
