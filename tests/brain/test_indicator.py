"""Indicators: equal to counting by hand, for every division, over boundary changes, and never a made-up value."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from zhongshu.brain.indicator import (
    IndicatorRun,
    IndicatorValue,
    Question,
    State,
    compute,
    compute_due,
    compute_indicator,
    computed,
    count,
    drill,
    get_value,
    list_series,
    list_values,
    mark_stale,
    mean,
    percentile,
    rate,
    share,
    total,
)
from zhongshu.kernel.job import Job, JobRun
from zhongshu.kernel.place.models import Division, DivisionEdge, DivisionShift
from zhongshu.kernel.record import SYSTEM, change
from zhongshu.kernel.time import Period, freeze
from zhongshu.sense.device.models import Product, Property, Stream, Thing
from zhongshu.sense.observe.models import Alarm

pytestmark = pytest.mark.django_db(transaction=True)

SERVICE = share("test.in_service", of=Thing, where={"state": "in_service"}, target=">= 0.9", warn=">= 0.5", source="local: test", periods=["day", "month"])
THINGS = count("test.things", of=Thing, periods=["month"])
ALARMS = count("test.alarms", of=Alarm, at="started_at", periods=["day", "month"], target="<= 3", source="local: test")
ALARMS_THEN = count("test.alarms_then", of=Alarm, at="started_at", periods=["month"], as_then=True)
PEAK = mean("test.alarm_peak", of=Alarm, value="peak", at="started_at")
SUM = total("test.alarm_sum", of=Alarm, value="value", at="started_at")
MIDDLE = percentile("test.alarm_90", of=Alarm, value="value", q=0.9, at="started_at")
PER_THING = rate("test.alarms_per_thing", of=Alarm, over=Thing, per=1, at="started_at")
PER_PEOPLE = rate("test.alarms_per_people", of=Alarm, per=10_000, at="started_at")
NEW = count("test.new_things", of=Thing, at="installed_on", periods=["month"])


@computed("test.parts", adds_up=True, periods=["day"])
def PARTS(question: Question) -> pa.Table:
    leaves = question.tree.ids[-3:]
    return pa.table({"division": leaves, "numerator": [1.0, 2.0, 3.0], "denominator": [2.0, 2.0, 0.0]})


@pytest.fixture
def city():
    """A province, two cities, six counties and eighteen towns; 200 things and 600 alarms somewhere, in November 2026 and before."""
    random = np.random.default_rng(7)
    divisions: list[Division] = []

    def make(code: str, level: str, parent=None) -> Division:
        made = Division(code=code, name=code, level=level, parent=parent, population=int(random.integers(1000, 90000)))
        made.save()
        divisions.append(made)
        return made

    with freeze(datetime(2026, 11, 21, 4, tzinfo=UTC)), change(SYSTEM, "a test city"):
        root = make("99", "province")
        for a in range(2):
            above = make(f"99{a + 1:02d}", "city", root)
            for b in range(3):
                county = make(f"{above.code}{b + 1:02d}", "county", above)
                for c in range(3):
                    make(f"{county.code}{c + 1:03d}", "town", county)
        product = Product(code="p", name="p")
        product.save()
        prop = Property(product=product, code="x", name="x")
        prop.save()
        towns = [d for d in divisions if d.level == "town"][:-1]
        states = random.choice(["in_service", "fault", "retired"], 200, p=[0.7, 0.2, 0.1])
        things = Thing.objects.bulk_create(
            Thing(
                external_id=f"t{n}",
                name=f"t{n}",
                product=product,
                state=str(states[n]),
                division=towns[int(random.integers(len(towns)))] if n % 10 else divisions[int(random.integers(len(divisions) - 1))],
                installed_on=date(2026, 10, 25) + timedelta(days=n % 20),
            )
            for n in range(200)
        )
        streams = Stream.objects.bulk_create(Stream(ordinal=n, external_id=f"s{n}", thing=t, property=prop) for n, t in enumerate(things))
        Alarm.objects.bulk_create(_alarm(n, random, things, streams) for n in range(600))
    return divisions


def _alarm(n: int, random, things, streams) -> Alarm:
    at = int(random.integers(len(things)))
    start = datetime(2026, 9, 30, 16, tzinfo=UTC) + timedelta(minutes=int(random.integers(51 * 1440)))
    return Alarm(
        key=f"a{n}",
        title="t",
        thing=things[at],
        stream=streams[at],
        level="blue",
        value=float(random.integers(1, 99)),
        peak=None if n % 7 == 0 else float(random.integers(50, 200)),
        limit=1,
        started_at=start,
        raised_at=start,
        division=things[at].division,
    )


def _above(division: Division | None, parents: dict[int, int | None]) -> list[int]:
    found, at = [], division.pk if division else None
    while at is not None:
        found.append(at)
        at = parents[at]
    return found


def _by_hand(rows, weigh) -> dict[int, list[float]]:
    parents = dict(Division.objects.values_list("pk", "parent_id"))
    sums: dict[int, list[float]] = defaultdict(list)
    for row in rows:
        for division in _above(row.division, parents):
            sums[division].append(weigh(row))
    return sums


NOVEMBER = Period.parse("2026-11")
NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


def _alarms_of_november():
    first = datetime(2026, 10, 31, 16, tzinfo=UTC)
    return [a for a in Alarm.objects.select_related("division") if a.started_at >= first]


def test_every_division_of_every_measure_equals_counting_by_hand(city):
    with freeze(NOW):
        for name in ("in_service", "things", "alarms", "alarm_peak", "alarm_sum", "alarm_90", "alarms_per_thing", "alarms_per_people", "new_things"):
            compute_indicator(f"test.{name}", None, NOVEMBER)
        got = {
            n: {v.division: v for v in list_values(f"test.{n}", [d.pk for d in city], NOVEMBER)}
            for n in ("in_service", "things", "alarms", "alarm_peak", "alarm_sum", "alarm_90", "alarms_per_thing", "alarms_per_people", "new_things")
        }
    things, alarms = list(Thing.objects.select_related("division")), _alarms_of_november()
    served = _by_hand(things, lambda t: float(t.state == "in_service"))
    values, peaks = _by_hand(alarms, lambda a: a.value), _by_hand([a for a in alarms if a.peak is not None], lambda a: a.peak)
    new = _by_hand([t for t in things if t.installed_on >= date(2026, 11, 1)], lambda t: 1)
    assert len(alarms) > 150 and any(not served[d.pk] for d in city)
    for d in city:
        n, all_things = len(values[d.pk]), len(served[d.pk])
        assert got["things"][d.pk].value == all_things
        assert got["alarms"][d.pk].value == n
        assert got["new_things"][d.pk].value == len(new[d.pk])
        assert got["alarm_sum"][d.pk].value == sum(values[d.pk])
        assert got["in_service"][d.pk].value == (sum(served[d.pk]) / all_things if all_things else None)
        assert got["alarm_peak"][d.pk].value == (pytest.approx(sum(peaks[d.pk]) / len(peaks[d.pk]), rel=1e-12) if peaks[d.pk] else None)
        assert got["alarm_90"][d.pk].value == (pytest.approx(np.quantile(values[d.pk], 0.9)) if n else None)
        assert got["alarms_per_thing"][d.pk].value == (n / all_things if all_things else None)
        assert got["alarms_per_people"][d.pk].value == (pytest.approx(n / d.population * 10_000) if n else got["alarms_per_people"][d.pk].value)


def test_nothing_to_divide_by_is_no_value_and_has_no_colour(city):
    empty = next(d for d in city if not Thing.objects.filter(division=d).exists() and d.level == "town")
    before = get_value("test.in_service", empty.pk, NOVEMBER)
    with freeze(NOW):
        compute_indicator("test.in_service", None, NOVEMBER)
        compute_indicator("test.alarms", None, NOVEMBER)
    after, none = get_value("test.in_service", empty.pk, NOVEMBER), get_value("test.alarms", empty.pk, NOVEMBER)
    assert (before.value, before.computed_at) == (None, None)
    assert (after.value, after.state, after.computed_at) == (None, State.NONE, NOW)
    assert (none.value, none.state) == (0.0, State.GOOD)


def test_colour_follows_the_target():
    colours = [SERVICE.get_state(v) for v in (0.9, 0.8999, 0.5, 0.49, None)]
    assert colours == [State.GOOD, State.WARN, State.WARN, State.BAD, State.NONE]
    assert (SERVICE.better, ALARMS.better, SERVICE.get_shown(0.123456), ALARMS.get_state(4)) == ("high", "low", 12.3, State.BAD)


def test_a_stock_of_the_past_is_counted_as_it_was_known_then(city):
    served = Thing.objects.filter(state="in_service").exclude(division=None).count()
    with change(SYSTEM, "all break"):
        Thing.objects.all().update(state="fault")
    versions, broke_at = Thing.history_model._default_manager, datetime(2026, 11, 10, 4, tzinfo=UTC)
    versions.filter(recorded_until__isnull=False).update(recorded_from=broke_at - timedelta(days=5), recorded_until=broke_at)
    versions.filter(recorded_until__isnull=True).update(recorded_from=broke_at)
    for text in ("2026-11-04", "2026-11-09", "2026-11-10"):
        compute_indicator("test.in_service", None, Period.parse(text), at=NOW)
    found = [get_value("test.in_service", city[0].pk, Period.parse(text)) for text in ("2026-11-04", "2026-11-09", "2026-11-10")]
    assert [v.numerator for v in found] == [None, served, 0]
    assert served and found[0].value is None and found[2].value == 0.0


def test_past_figures_are_counted_in_todays_divisions_unless_as_then(city):
    root, first, second = city[0], next(d for d in city if d.code == "9901"), next(d for d in city if d.code == "9902")
    county = next(d for d in city if d.code == "990101")
    with change(SYSTEM, "the county moves to the other city"):
        county.parent = second
        county.save()
        DivisionEdge(child=county, parent=first, valid_until=date(2026, 11, 10)).save()
        DivisionEdge(child=county, parent=second, valid_from=date(2026, 11, 10)).save()
        for other in city:
            if other.parent_id and other.pk != county.pk:
                DivisionEdge(child=other, parent_id=other.parent_id).save()
    october = Period.parse("2026-10")
    for name in ("test.alarms", "test.alarms_then"):
        compute_indicator(name, None, october, at=NOW)
    value = {(n, d): get_value(n, d.pk, october).value for n in ("test.alarms", "test.alarms_then") for d in (root, first, second, county)}
    moved = value["test.alarms", county]
    assert moved and value["test.alarms_then", county] == moved
    assert value["test.alarms_then", first] - value["test.alarms", first] == moved
    assert value["test.alarms", second] - value["test.alarms_then", second] == moved
    assert value["test.alarms", root] == value["test.alarms_then", root] == Alarm.objects.filter(started_at__lt=datetime(2026, 10, 31, 16, tzinfo=UTC)).count()


def test_a_share_given_to_another_division_takes_its_past_along(city):
    giver, taker = [d for d in city if d.level == "town"][:2]
    compute_indicator("test.alarms", None, NOVEMBER, at=NOW)
    before = [get_value("test.alarms", d.pk, NOVEMBER).value for d in (giver, taker, city[0])]
    on = date(2026, 11, 11)
    with change(SYSTEM, "a quarter of the town"):
        DivisionShift(source=giver, target=taker, share=0.25, on=on).save()
    compute_indicator("test.alarms", None, NOVEMBER, at=NOW)
    early = [a for a in _alarms_of_november() if a.division_id == giver.pk and a.started_at < datetime(2026, 11, 10, 16, tzinfo=UTC)]
    after = [get_value("test.alarms", d.pk, NOVEMBER).value for d in (giver, taker, city[0])]
    assert early
    assert after == pytest.approx([before[0] - len(early) / 4, before[1] + len(early) / 4, before[2]])


def test_the_rows_behind_a_number_are_as_many_as_the_number_says(city):
    with freeze(NOW):
        for name, kind in (("test.alarms", Alarm), ("test.in_service", Thing)):
            compute_indicator(name, None, NOVEMBER)
            for division in city:
                value, behind = get_value(name, division.pk, NOVEMBER), drill(name, division.pk, NOVEMBER)
                assert behind.kind == kind._meta.label
                assert kind.objects.filter(**behind.numerator).count() == (value.numerator or 0)
                if behind.denominator is not None:
                    assert kind.objects.filter(**behind.denominator).count() == (value.denominator or 0)


def test_parts_of_a_computed_source_add_up(city):
    day = Period.parse("2026-11-20")
    compute_indicator("test.parts", None, day, at=NOW)
    root, last = city[0], max(city, key=lambda d: d.code)
    assert (get_value("test.parts", root.pk, day).numerator, get_value("test.parts", root.pk, day).value) == (6.0, 1.5)
    assert get_value("test.parts", last.pk, day).value is None


def _run_job() -> dict[str, int]:
    return compute_due(JobRun(Job.objects.create(kind="brain.indicator.compute", due_at=NOW)))


def test_the_job_counts_what_was_touched_and_nothing_else(city):
    soon = datetime.now(UTC)
    with freeze(soon):
        _run_job()
    for text in ("2026-10", "2026-11"):
        value = get_value("test.alarms", city[0].pk, Period.parse(text))
        start = {"2026-10": datetime(2026, 9, 30, 16, tzinfo=UTC), "2026-11": datetime(2026, 10, 31, 16, tzinfo=UTC)}[text]
        end = {"2026-10": datetime(2026, 10, 31, 16, tzinfo=UTC), "2026-11": datetime(2026, 11, 30, 16, tzinfo=UTC)}[text]
        assert value.value == Alarm.objects.filter(started_at__gte=start, started_at__lt=end).count()
    with freeze(soon + timedelta(hours=1)):
        again = _run_job()
    assert again["values"] == 0
    alarm = Alarm.objects.filter(started_at__lt=datetime(2026, 10, 31, 16, tzinfo=UTC)).first()
    with freeze(soon + timedelta(minutes=61)):
        IndicatorValue.objects.filter(indicator="test.alarms", unit="month").update(value=-1)
        with change(SYSTEM, "a false alarm is removed"):
            removed_at = alarm.started_at
            alarm.delete()
        Alarm.history_model._default_manager.filter(record_id__isnull=False, recorded_until__isnull=False).update(recorded_until=soon + timedelta(hours=1, seconds=5))
        _run_job()
    october = Period.of(removed_at, NOVEMBER.unit, "Asia/Shanghai")
    assert get_value("test.alarms", city[0].pk, october).value == 600 - 1 - Alarm.objects.filter(started_at__gte=datetime(2026, 10, 31, 16, tzinfo=UTC)).count()
    assert get_value("test.alarms", city[0].pk, NOVEMBER).value == -1


def test_a_stale_period_is_counted_again(city):
    day = Period.parse("2026-11-02")
    assert mark_stale("test.parts", datetime(2026, 11, 1, 16, tzinfo=UTC), datetime(2026, 11, 2, 16, tzinfo=UTC)) == 1
    _run_job()
    assert get_value("test.parts", city[0].pk, day).value == 1.5
    assert [v.value for v in list_series("test.parts", city[0].pk, [day.shift(-1), day])] == [None, 1.5]


def test_a_change_during_the_count_is_not_lost(city, monkeypatch):
    day = (datetime(2026, 11, 1, 16, tzinfo=UTC), datetime(2026, 11, 2, 16, tzinfo=UTC))
    mark_stale("test.parts", *day)
    count_figures = compute.count_figures

    def touched_meanwhile(indicator, question):
        found = count_figures(indicator, question)
        mark_stale("test.parts", *day)
        return found

    monkeypatch.setattr(compute, "count_figures", touched_meanwhile)
    compute_indicator("test.parts", None, Period.parse("2026-11-02"), at=NOW)
    run = IndicatorRun.objects.get(indicator="test.parts", start=day[0])
    assert (run.touched, run.counted) == (2, 1)
    monkeypatch.undo()
    _run_job()
    assert IndicatorRun.objects.get(pk=run.pk).counted == 2


def test_counting_takes_the_same_few_queries_however_many_divisions(city, django_assert_max_num_queries):
    compute_indicator("test.in_service", None, NOVEMBER, at=NOW)
    with django_assert_max_num_queries(24):
        compute_indicator("test.in_service", None, NOVEMBER, at=NOW)
    with django_assert_max_num_queries(2):
        list_values("test.in_service", [d.pk for d in city], NOVEMBER)


def test_what_cannot_be_is_refused(city):
    with pytest.raises(ValueError, match="not a target"):
        count("test.bad", of=Thing, target="about 3", source="x")
    with pytest.raises(ValueError, match="needs a source"):
        count("test.bad", of=Thing, target=">= 3")
    with pytest.raises(ValueError, match="counted by month, not by day"):
        compute_indicator("test.things", None, Period.parse("2026-11-20"))
