"""The clock, periods and working time: by hand and by property."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.kernel.time import (
    COVERED_YEARS,
    LimitUnit,
    OpenSpan,
    Period,
    PeriodUnit,
    Suspension,
    WorkingCalendar,
    civil_day,
    compute_ordinals,
    freeze,
    is_china_working_day,
    now,
    to_civil_us,
    to_us,
)

ZONE = ZoneInfo("Asia/Shanghai")
OFFICE = WorkingCalendar()
MOMENTS = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2026, 12, 20)).map(lambda d: d.replace(tzinfo=ZONE))  # noqa: DTZ001
HOURS = st.floats(0, 300)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)


def test_the_clock_stands_still_and_moves_when_told():
    with freeze(at("2026-03-01T00:00")) as clock:
        assert now() == now() == at("2026-03-01T00:00")
        clock.move(dt.timedelta(minutes=5))
        with freeze(at("2020-01-01T00:00")):
            assert now().year == 2019
        assert now() == at("2026-03-01T00:05")
    assert now() != at("2026-03-01T00:05")


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        to_us(dt.datetime(2026, 1, 1))  # noqa: DTZ001


ANY_TIME = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2090, 1, 1))  # noqa: DTZ001


@given(st.lists(ANY_TIME, min_size=1, max_size=20), st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Asia/Urumqi", "America/St_Johns"]))
def test_civil_days_agree_with_the_zone_database(moments, zone):
    moments = [m.replace(tzinfo=dt.UTC) for m in moments]
    days = civil_day([to_us(m) for m in moments], zone)
    assert [d.item() for d in days] == [m.astimezone(ZoneInfo(zone)).date() for m in moments]


def test_the_moment_of_changing_clocks_is_met_to_the_microsecond_also_after_2037():
    for text in ("2026-03-29T01:00", "2038-03-28T01:00", "2040-10-28T01:00"):
        turn = to_us(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC))
        before, after = np.diff(to_civil_us([turn - 1, turn, turn + 3_600_000_000], "Europe/Berlin"))
        assert (before == 3_600_000_001) != (before == 1 - 3_600_000_000) and after == 3_600_000_000


def test_absurd_times_do_not_break_the_civil_day():
    days = civil_day([-(2**62), 0, 2**62], "Asia/Shanghai")
    assert len(days) == 3 and str(days[1]) == "1970-01-01"


@given(MOMENTS, st.sampled_from(list(PeriodUnit)), st.integers(-50, 50))
def test_a_moment_lies_in_its_period_and_periods_follow_each_other(moment, unit, n):
    period = Period.of(moment, unit, "Asia/Shanghai")
    assert period.start_us("Asia/Shanghai") <= to_us(moment) < period.end_us("Asia/Shanghai")
    assert Period.parse(str(period)) == period
    assert period.shift(n).shift(-n) == period
    assert period.shift(1).start_us("Asia/Shanghai") == period.end_us("Asia/Shanghai")
    assert compute_ordinals([to_us(moment)], unit, "Asia/Shanghai")[0] == period.ordinal


def test_periods_are_written_as_people_write_them():
    moment = at("2026-11-21T14:05")
    assert [str(Period.of(moment, unit, "Asia/Shanghai")) for unit in PeriodUnit] == [
        "2026-11-21T14", "2026-11-21", "2026-W47", "2026-11", "2026-Q4", "2026",
    ]  # fmt: skip
    assert [str(p) for p in Period.parse("2026-Q1").list_parts(PeriodUnit.MONTH)] == ["2026-01", "2026-02", "2026-03"]
    assert len(Period.parse("2026-02").list_parts(PeriodUnit.HOUR)) == 28 * 24
    for wrong in ["2026-13", "2026-W60", "2026-Q5", "21.11.2026", "2026-02-30", "2026-11-21T24"]:
        with pytest.raises(ValueError, match=r"no (period|month|week|day|hour|quarter)"):
            Period.parse(wrong)


def test_an_autumn_hour_that_comes_twice_is_one_period_of_two_hours():
    hour = Period.parse("2026-10-25T02")
    assert hour.end_us("Europe/Berlin") - hour.start_us("Europe/Berlin") == 2 * 3600 * 1_000_000


def test_national_day_2026_is_free_and_the_saturday_after_is_worked():
    assert not OFFICE.is_open(at("2026-10-01T10:00"))
    assert OFFICE.is_open(at("2026-10-10T10:00"))  # Saturday, moved working day
    assert OFFICE.working_seconds(at("2026-09-30T17:00"), at("2026-10-08T09:00")) == 3600


@pytest.mark.parametrize(
    ("start", "amount", "unit", "due"),
    [  # counted on the 2026 calendar: 1-7 October free, 10 October (Saturday) worked
        ("2026-11-20T16:30", 4, LimitUnit.WORKING_HOURS, "2026-11-23T11:30"),
        ("2026-11-20T16:30", 4, LimitUnit.URGENT_HOURS, "2026-11-20T20:30"),
        ("2026-11-20T16:30", 4, LimitUnit.CALENDAR_HOURS, "2026-11-20T20:30"),
        ("2026-09-30T10:00", 2, LimitUnit.WORKING_DAYS, "2026-10-09T10:00"),
        ("2026-10-09T10:00", 1, LimitUnit.WORKING_DAYS, "2026-10-10T10:00"),
        ("2026-11-21T03:00", 1, LimitUnit.WORKING_DAYS, "2026-11-23T17:30"),
        ("2026-11-20T14:00", 3.5, LimitUnit.WORKING_HOURS, "2026-11-20T17:30"),
    ],
)
def test_deadlines_by_hand(start, amount, unit, due):
    assert OFFICE.deadline(at(start), amount, unit).at == at(due)


def test_a_24_hour_organisation_counts_every_hour_and_every_day():
    always = WorkingCalendar(always_open=True)
    assert always.deadline(at("2026-10-01T03:00"), 5, LimitUnit.WORKING_HOURS).at == at("2026-10-01T08:00")
    assert always.deadline(at("2026-10-01T03:00"), 2, LimitUnit.WORKING_DAYS).at == at("2026-10-03T03:00")


def test_an_organisation_overrides_single_days():
    closed = WorkingCalendar(overrides={dt.date(2026, 11, 23): ()})
    assert closed.deadline(at("2026-11-20T16:30"), 4, LimitUnit.WORKING_HOURS).at == at("2026-11-24T11:30")
    night = WorkingCalendar(overrides={dt.date(2026, 11, 21): (OpenSpan(dt.time(20), dt.time(0)),)})
    assert night.working_seconds(at("2026-11-21T00:00"), at("2026-11-22T00:00")) == 4 * 3600


def test_years_without_a_notice_count_weekdays_and_say_so():
    year = COVERED_YEARS[1] + 1
    assert is_china_working_day(dt.date(year, 1, 1)) is None
    later = OFFICE.deadline(dt.datetime(year, 6, 1, 10, tzinfo=ZONE), 1, LimitUnit.WORKING_DAYS)
    assert later.assumed and later.at is not None
    assert not OFFICE.deadline(at("2026-06-01T10:00"), 1, LimitUnit.WORKING_DAYS).assumed
    assert not OFFICE.deadline(dt.datetime(year, 6, 1, tzinfo=ZONE), 1, LimitUnit.URGENT_HOURS).assumed


def test_a_suspension_stops_the_clock():
    pause = Suspension(at("2026-11-23T09:00"), at("2026-11-25T09:00"))
    assert OFFICE.deadline(at("2026-11-20T16:30"), 4, LimitUnit.WORKING_HOURS, [pause]).at == at("2026-11-25T11:30")
    assert OFFICE.working_seconds(at("2026-11-20T16:30"), at("2026-11-25T11:30"), [pause]) == 4 * 3600
    still = Suspension(at("2026-11-23T09:00"))
    assert OFFICE.deadline(at("2026-11-20T16:30"), 4, LimitUnit.WORKING_HOURS, [still]).at is None
    assert OFFICE.deadline(at("2026-11-20T16:30"), 1, LimitUnit.WORKING_HOURS, [still]).at == at("2026-11-20T17:30")


@settings(max_examples=200)
@given(MOMENTS, MOMENTS, MOMENTS)
def test_working_time_is_additive_and_monotone(a, b, c):
    total = OFFICE.working_seconds(a, b) + OFFICE.working_seconds(b, c)
    assert total == pytest.approx(OFFICE.working_seconds(a, c), abs=1e-3)
    lo, hi = min(a, b), max(a, b)
    assert 0 <= OFFICE.working_seconds(lo, hi) <= (hi - lo).total_seconds() + 1e-3


@settings(max_examples=200)
@given(MOMENTS, HOURS, HOURS, st.sampled_from(list(LimitUnit)))
def test_a_deadline_is_the_inverse_of_elapsed_time_and_grows_with_the_amount(start, amount, more, unit):
    due = OFFICE.deadline(start, amount, unit).at
    assert due >= start
    used = OFFICE.elapsed([to_us(start)], [to_us(due)], unit)[0]
    scale = 86_400e6 if unit == LimitUnit.WORKING_DAYS else 3_600e6
    assert used == pytest.approx(amount * scale, abs=1000)
    assert OFFICE.deadline(start, amount + more, unit).at >= due


@settings(max_examples=100)
@given(MOMENTS, HOURS, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), max_size=4))
def test_suspended_time_is_never_counted(start, amount, pauses):
    spans = [Suspension(start + dt.timedelta(hours=a), start + dt.timedelta(hours=a + n)) for a, n in pauses]
    due = OFFICE.deadline(start, amount, LimitUnit.WORKING_HOURS, spans).at
    assert OFFICE.working_seconds(start, due, spans) == pytest.approx(amount * 3600, abs=0.01)


def test_working_time_of_many_cases_is_one_call():
    starts = np.arange(10_000, dtype=np.int64) * 3_600_000_000 + to_us(at("2025-01-01T00:00"))
    used = OFFICE.elapsed(starts, starts + 86_400_000_000, LimitUnit.WORKING_HOURS)
    assert used.min() == 0 and used.max() == 7 * 3_600e6
