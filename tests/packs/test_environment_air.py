"""Air from the lake to the index, the indicators and the case: real hours of six Beijing stations against plain formulas."""

import csv
import gzip
import importlib.util
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from django.core.exceptions import ValidationError

from zhongshu.brain.fuse.models import CityEvent
from zhongshu.brain.indicator import compute_due, compute_indicator, drill, get_value
from zhongshu.brain.rule import StreamTable, Window
from zhongshu.kernel.event import deliver_due, publish
from zhongshu.kernel.job import Job, JobRun
from zhongshu.kernel.lake import Lake
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, change, uuid7
from zhongshu.kernel.registry import registry
from zhongshu.kernel.time import Period, freeze
from zhongshu.packs.environment.air import AIR, POLLUTION_CASE, POLLUTION_EVENT, AirIndex, AirStation, get_property, pm25_sustained
from zhongshu.packs.environment.air_job import compute_touched_days, update_air_index
from zhongshu.packs.environment.aqi import POLLUTANT_NAMES, POLLUTANTS, edition_on
from zhongshu.packs.environment.facade import get_city_air, get_station_detail, list_station_now
from zhongshu.security.access import NOTHING, Clause, Scope
from zhongshu.security.identity.models import Organisation
from zhongshu.sense.device.feed import sync_feeds
from zhongshu.sense.device.models import Product, Property, Stream, Thing, Threshold
from zhongshu.work.case.models import Case

pytestmark = pytest.mark.django_db(transaction=True)

CITY = ZoneInfo("Asia/Shanghai")
EVERYWHERE = Scope((Clause(None, None, 3),))
COLUMNS = {"so2": "SO2", "no2": "NO2", "co": "CO", "pm10": "PM10", "pm25": "PM2.5", "o3": "O3"}
GOOD, FAULT, MISSING = 0, 13, 20

spec = importlib.util.spec_from_file_location("plain_formula", Path(__file__).with_name("test_aqi_plain_formula.py"))
plain = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plain)

Hours = dict[str, list[Fraction | None]]


@dataclass
class House:
    lake: Lake
    province: Division
    city: Division
    counties: list[Division]
    stations: list[AirStation]
    ordinals: dict[tuple[int, str], int]

    def put(self, station: int, first: datetime, hours: Hours, table: str = "observation", missing: int = MISSING) -> None:
        """Write hours as the pipeline would; None is a row with a quality and no value."""
        columns: dict[str, list] = defaultdict(list)
        for name, values in hours.items():
            for n, value in enumerate(values):
                columns["stream"].append(self.ordinals[station, name])
                columns["t"].append(int((first + timedelta(hours=n)).timestamp()) * 1_000_000)
                columns["value"].append(None if value is None else float(value))
                columns["quality"].append(GOOD if value is not None else missing)
        size = len(columns["t"])
        self.lake.append(
            table,
            pa.table(
                {
                    "stream": pa.array(columns["stream"], pa.int64()),
                    "t": pa.array(columns["t"], pa.int64()),
                    "sub": pa.array(np.zeros(size), pa.int16()),
                    "value": pa.array(columns["value"], pa.float64()),
                    "quality": pa.array(columns["quality"], pa.int8()),
                }
            ),
        )


@pytest.fixture
def house(tmp_path) -> House:
    with change(SYSTEM, "a city with six stations"):
        province = Division(code="99", name="江省", level="province", left=1, right=10)
        province.save()
        city = Division(code="9901", name="江城", level="city", parent=province, left=2, right=9)
        city.save()
        counties = [Division(code=f"99010{n}", name=f"区{n}", level="county", parent=city, left=2 * n + 1, right=2 * n + 2) for n in (1, 2)]
        for county in counties:
            county.save()
    sync_feeds(SYSTEM)
    product = Product.objects.get(code=AIR.code)
    properties = {p.code: p for p in Property.objects.filter(product=product)}
    stations, ordinals = [], {}
    with change(SYSTEM, "stations"):
        for n in range(6):
            thing = Thing(external_id=f"hj212:{n:024d}", name=f"站{n}", product=product, division=counties[n % 2])
            thing.save()
            kind = "control" if n == 5 else "assessment"
            station = AirStation(station_no=f"{n + 1001}A", name=f"站{n}", kind=kind, thing=thing, division=counties[n % 2], mn=f"{n:024d}", lon=114 + n / 10, lat=25.0)
            station.save()
            stations.append(station)
            for m, name in enumerate(POLLUTANTS):
                ordinals[n, name] = n * 10 + m
                code = get_property(name)
                Stream(ordinal=n * 10 + m, external_id=f"{thing.external_id}/{code}", thing=thing, property=properties[code]).save()
    lake = Lake(tmp_path / "lake", "Asia/Shanghai")
    return House(lake, province, city, counties, stations, ordinals)


@pytest.fixture(scope="session")
def beijing(real_data) -> list[Hours]:
    """Six stations from 2014-02-01 on: sixty days of hours as fractions, CO in mg/m³."""
    found = []
    for path in sorted((real_data / "air_quality").glob("PRSA_Data_*.csv.gz")):
        hours: Hours = {name: [] for name in POLLUTANTS}
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                on = date(int(row["year"]), int(row["month"]), int(row["day"]))
                if date(2014, 2, 1) <= on < date(2014, 4, 2):
                    for name, column in COLUMNS.items():
                        text = row[column].strip()
                        hours[name].append(None if text in ("", "NA") else Fraction(text) / (1000 if name == "co" else 1))
        found.append(hours)
    assert len(found) == 6 and {len(values) for hours in found for values in hours.values()} == {60 * 24}
    return found


def moment(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=CITY)


def fill(house: House, beijing: list[Hours], first: date, days: int, skip: int = 0) -> None:
    """Play `days` of the real hours as if they had been measured from `first` on."""
    for n, hours in enumerate(beijing):
        house.put(n, moment(first), {name: values[skip * 24 : (skip + days) * 24] for name, values in hours.items()})


def year_of(day: date) -> int:
    return 2026 if edition_on(day).value.endswith("2026") else 2012


def named(primary) -> str:
    return ",".join(POLLUTANT_NAMES[name] for name in primary)


def cut(hours: Hours, day: int) -> Hours:
    return {name: values[day * 24 : day * 24 + 24] for name, values in hours.items()}


def day_means(day: Hours) -> dict[str, Fraction | None]:
    return {name: plain.ozone_day(values) if name == "o3" else plain.mean(values, 20) for name, values in day.items()}


def run_indicators(at: datetime) -> None:
    with freeze(at):
        compute_due(JobRun(Job.objects.create(kind="brain.indicator.compute", due_at=at)))


FIRST = date(2026, 2, 10)
"""2014-02-01 is played as this day, so that 2026-03-01, the first day of the new edition, lies inside."""


def test_every_hour_and_day_of_real_stations_equals_the_plain_formula_across_the_edition_boundary(house, beijing):
    fill(house, beijing, FIRST, 30)
    with freeze(moment(FIRST + timedelta(days=30))):
        assert compute_touched_days(house.lake)["days"] == 30
    rows = {(r.station_id, r.scale, r.start): r for r in AirIndex.objects.filter(station__isnull=False)}
    editions, seen_na = set(), 0
    for n, station in enumerate(house.stations):
        hours = {name: values[: 30 * 24] for name, values in beijing[n].items()}
        running = {name: plain.running_means(hours[name], 24, 20) for name in ("so2", "pm10", "pm25")}
        running["o3"] = plain.running_means(hours["o3"], 8, 6)
        for d in range(30):
            day = FIRST + timedelta(days=d)
            iaqi, aqi, primary = plain.daily(year_of(day), cut(hours, d), plain.ozone_day(hours["o3"][d * 24 : d * 24 + 24]))
            row = rows[station.pk, "day", moment(day)]
            assert (row.iaqi, row.aqi, row.primary, row.edition) == (iaqi, aqi, named(primary), edition_on(day).value)
            editions.add(row.edition)
            seen_na += aqi is None
        for h in range(30 * 24):
            values, means = {name: hours[name][h] for name in POLLUTANTS}, {name: running[name][h] for name in running}
            day = FIRST + timedelta(days=h // 24)
            iaqi, aqi, primary = plain.hourly(year_of(day), values, means)
            row = rows.get((station.pk, "hour", moment(day, h % 24)))
            if all(v is None for v in values.values()):
                assert row is None
            else:
                assert (row.iaqi, row.aqi, row.primary) == (iaqi, aqi, named(primary))
    assert len(editions) == 2 and seen_na


def area_day(stations: list[Hours], d: int, year: int):
    """The area's day by hand: means of the stations' means, then the index."""
    per_station = [day_means(cut(hours, d)) for hours in stations]
    peaks = [[v for v in cut(hours, d)["o3"] if v is not None] for hours in stations]
    per_station = [{**m, "o3_1h": max(p) if len(p) >= 20 else None} for m, p in zip(per_station, peaks, strict=True)]
    means = {}
    for name in (*POLLUTANTS, "o3_1h"):
        there = [m[name] for m in per_station if m[name] is not None]
        means[name] = sum(there) / Fraction(len(there)) if there else None
    iaqi = {name: plain.of(name, means[name], plain.TABLE[f"{name} day"]) for name in ("so2", "no2", "co")}
    iaqi |= {name: plain.of(name, means[name], plain.PARTICLES[year][name]) for name in ("pm10", "pm25")}
    iaqi["o3"] = plain.of("o3", means["o3"], plain.TABLE["o3 8 hours"])
    if year == 2012:
        iaqi["o3"] = plain.largest(iaqi["o3"], plain.of("o3", means["o3_1h"], plain.TABLE["o3 hour"]))
    return means, iaqi, *plain.combine(year, iaqi)


def test_an_area_comes_from_mean_concentrations_of_assessment_stations_only(house, beijing):
    fill(house, beijing, FIRST, 30)
    with freeze(moment(FIRST + timedelta(days=30))):
        compute_touched_days(house.lake)
    differs = 0
    for division, members in ((house.city, [0, 1, 2, 3, 4]), (house.counties[0], [0, 2, 4]), (house.counties[1], [1, 3])):
        for d in range(30):
            day = FIRST + timedelta(days=d)
            means, iaqi, aqi, primary = area_day([beijing[m] for m in members], d, year_of(day))
            row = AirIndex.objects.get(subject=f"division:{division.pk}", scale="day", start=moment(day))
            assert (row.iaqi, row.aqi, row.primary, row.stations) == (iaqi, aqi, named(primary), len(members))
            assert row.pm25 == (None if means["pm25"] is None else pytest.approx(float(means["pm25"]), abs=1e-5))
            own = AirIndex.objects.filter(station__in=[house.stations[m] for m in members], scale="day", start=moment(day)).values_list("aqi", flat=True)
            averaged = [a for a in own if a is not None]
            differs += bool(averaged) and aqi != round(sum(averaged) / len(averaged))
    assert differs > 20
    assert not AirIndex.objects.filter(division=house.province).exists()


def put_day(house: House, station: int, day: date, **values) -> None:
    """A day of 24 equal hours by pollutant; a list gives the hours themselves."""
    usual = {"so2": 10, "no2": 20, "co": Fraction(1, 2), "pm10": 30, "pm25": 20, "o3": 50} | values
    house.put(station, moment(day), {n: [Fraction(x) if x is not None else None for x in (v if isinstance(v, list) else [v] * 24)] for n, v in usual.items()})


def compute(house: House, day: date) -> dict[str, int]:
    with freeze(moment(day + timedelta(days=1), 2)):
        return compute_touched_days(house.lake)


def get_day(house: House, station: int, day: date) -> AirIndex:
    return AirIndex.objects.get(station=house.stations[station], scale="day", start=moment(day))


def test_too_few_hours_make_the_new_edition_silent_below_101_but_not_above(house):
    old, new = date(2026, 2, 28), date(2026, 3, 1)
    for day in (old, new):
        put_day(house, 0, day, so2=[10] * 19 + [None] * 5)
        put_day(house, 1, day, so2=[10] * 19 + [None] * 5, pm25=90)
        put_day(house, 2, day, so2=[10] * 20 + [None] * 4)
    compute(house, new)
    # 2012 takes the largest of the rest: PM10 30 -> 30. 2026, 5.3.1: NA below 101.
    # PM2.5 90 -> 100 + 30/55 x 50 = 127.3 -> 128 in 2026, 100 + 15/40 x 50 = 118.75 -> 119 in 2012
    assert [(get_day(house, n, old).aqi, get_day(house, n, old).iaqi["so2"]) for n in range(3)] == [(30, None), (119, None), (30, 10)]
    assert [(get_day(house, n, new).aqi, get_day(house, n, new).primary) for n in range(3)] == [(None, ""), (128, "PM2.5"), (30, "")]
    assert get_day(house, 0, new).iaqi["pm25"] == 29 and get_day(house, 0, new).level == 0


def test_a_pollutant_outside_the_programme_does_not_block_the_index(house):
    day = date(2026, 3, 2)
    with change(SYSTEM, "a station without CO"):
        house.stations[0].programme = "so2,no2,pm10,pm25,o3"
        house.stations[0].save()
    for station in (0, 1):
        put_day(house, station, day, co=[None] * 24)
    compute(house, day)
    assert ("co" in get_day(house, 0, day).iaqi, get_day(house, 0, day).aqi, get_day(house, 0, day).expected_hours) == (False, 30, 120)
    assert (get_day(house, 1, day).iaqi["co"], get_day(house, 1, day).aqi, get_day(house, 1, day).valid_hours) == (None, None, 120)


def test_flagged_values_do_not_count_even_when_they_carry_a_number(house):
    day = date(2026, 3, 2)
    put_day(house, 0, day)
    ordinal = house.ordinals[1, "pm25"]
    t = [int(moment(day, h).timestamp()) * 1_000_000 for h in range(24)]
    house.lake.append(
        "observation",
        pa.table(
            {
                "stream": pa.array([ordinal] * 24, pa.int64()),
                "t": pa.array(t, pa.int64()),
                "sub": pa.array([0] * 24, pa.int16()),
                "value": pa.array([500.0] * 24),
                "quality": pa.array([FAULT] * 24, pa.int8()),
            }
        ),
    )
    compute(house, day)
    assert (get_day(house, 1, day).aqi, get_day(house, 1, day).valid_hours, get_day(house, 1, day).expected_hours) == (None, 0, 144)
    assert not AirIndex.objects.filter(station=house.stations[1], scale="hour").exists()


def test_units_of_a_stream_are_brought_to_those_of_the_index(house):
    day = date(2026, 3, 2)
    with change(SYSTEM, "this logger sends CO in micrograms"):
        Stream.objects.filter(ordinal=house.ordinals[0, "co"]).update(unit="ug/m^3")
    put_day(house, 0, day, co=2400)
    compute(house, day)
    assert get_day(house, 0, day).co == 2.4


def test_late_and_corrected_data_are_counted_again_and_nothing_else_is(house):
    day = date(2026, 3, 2)
    for station in (0, 1):
        put_day(house, station, day, o3=[50] * 18 + [None] * 6)
        put_day(house, station, day + timedelta(days=4))
    assert compute(house, day + timedelta(days=4))["days"] == 2
    before = {r.pk: r.computed_at for r in AirIndex.objects.all()}
    with freeze(moment(day + timedelta(days=5), 3)):
        assert compute_touched_days(house.lake) == {"days": 0, "rows": 0}
    tenths = {"sub": pa.array([0], pa.int16()), "first": [30.0], "first_quality": pa.array([0], pa.int8()), "value": [300.0], "quality": pa.array([0], pa.int8())}
    t = int(moment(day, 5).timestamp()) * 1_000_000
    house.lake.append("correction", pa.table({"stream": [house.ordinals[0, "pm10"]], "t": [t], **tenths, "app": ["log"], "offset": [1], "recorded_at": [t]}))
    house.put(1, moment(day, 18), {"o3": [Fraction(170)] * 6}, table="late")
    with freeze(moment(day + timedelta(days=5), 4)):
        done = compute_touched_days(house.lake)
    assert done["days"] == 1
    # PM10: (23 x 30 + 300) / 24 = 41.25 -> 41; ozone: hours 16..23 hold 2 x 50 and 6 x 170: mean 140 -> 50 + 40/60 x 50 = 83.3 -> 84
    assert (get_day(house, 0, day).pm10, get_day(house, 0, day).iaqi["pm10"]) == (41.25, 41)
    assert (get_day(house, 1, day).o3, get_day(house, 1, day).iaqi["o3"]) == (140.0, 84)
    fresh = [r for r in AirIndex.objects.all() if before.get(r.pk) != r.computed_at]
    assert {r.start.astimezone(CITY).date() for r in fresh} == {day} and len(fresh) == done["rows"] < 80


def test_a_station_that_becomes_a_control_point_leaves_the_means_of_the_past(house):
    day = date(2026, 3, 2)
    put_day(house, 0, day, pm25=100)
    put_day(house, 2, day, pm25=20)
    compute(house, day)
    county = AirIndex.objects.get(subject=f"division:{house.counties[0].pk}", scale="day")
    assert (county.pm25, county.stations) == (60.0, 3)
    with change(SYSTEM, "moved to the park"):
        house.stations[0].kind = "control"
        house.stations[0].save()
    compute(house, day)
    assert AirIndex.objects.get(pk=county.pk).pm25 == 20.0


def test_a_day_has_an_index_only_when_it_has_ended(house):
    day = date(2026, 3, 2)
    put_day(house, 0, day)
    with freeze(moment(day, 23)):
        compute_touched_days(house.lake)
    assert not AirIndex.objects.filter(scale="day").exists()
    with freeze(moment(day + timedelta(days=1))):
        compute_touched_days(house.lake)
    assert AirIndex.objects.filter(scale="day", station__isnull=False).count() == 1


def test_silence_of_a_station_in_operation_counts_as_missing(house):
    day = date(2026, 3, 2)
    with change(SYSTEM, "in operation"):
        AirStation.objects.filter(pk__in=[house.stations[0].pk, house.stations[1].pk]).update(opened_on=date(2026, 1, 1))
    put_day(house, 0, day)
    compute(house, day + timedelta(days=1))
    on = Period.parse("2026-03-02")
    at = moment(day + timedelta(days=2), 2)
    for text in ("2026-03-02", "2026-03-03"):
        for name in ("environment.air_data_capture", "environment.air_stations_online"):
            compute_indicator(name, None, Period.parse(text), at=at)
    assert get_value("environment.air_data_capture", house.city.pk, on).value == 0.5
    assert get_value("environment.air_data_capture", house.counties[1].pk, on).value == 0.0
    assert get_value("environment.air_data_capture", house.province.pk, on.shift(1)).value == 0.0
    assert [get_value("environment.air_stations_online", d.pk, on).value for d in (house.city, *house.counties)] == [0.5, 1.0, 0.0]
    assert get_value("environment.air_stations_online", house.city.pk, on.shift(1)).value == 0.0


def test_indicators_of_a_month_equal_the_raw_hours_recomputed_by_hand(house, beijing):
    first = date(2026, 3, 1)
    fill(house, beijing, first, 31, skip=28)
    at = moment(date(2026, 4, 1), 3)
    with freeze(at):
        compute_touched_days(house.lake)
    run_indicators(at)
    month = Period.parse("2026-03")
    for division, members in ((house.city, [0, 1, 2, 3, 4]), (house.counties[1], [1, 3])):
        days = [area_day([beijing[m] for m in members], 28 + d, 2026) for d in range(31)]
        indices = [aqi for _means, _iaqi, aqi, _primary in days]
        fine = [means["pm25"] for means, *_rest in days if means["pm25"] is not None]
        good = get_value("environment.air_good_days", division.pk, month)
        assert (good.numerator, good.denominator) == (sum(a is not None and a <= 100 for a in indices), sum(a is not None for a in indices))
        mean = get_value("environment.air_pm25_mean", division.pk, month)
        assert len(fine) >= 27 and mean.value == pytest.approx(float(sum(fine) / len(fine)), abs=1e-5)
        assert (mean.state.value, good.state.value, mean.note) == ("bad", "bad", "")
        for d in (0, 13, 30):
            value = get_value("environment.air_aqi", division.pk, Period.of_day(first + timedelta(days=d), Period.parse("2026-03-01").unit))
            assert value.value == indices[d]
            assert value.value is None or value.note.startswith("HJ 633-2026")
        behind = drill("environment.air_good_days", division.pk, month)
        assert AirIndex.objects.filter(**behind.numerator, subject=f"division:{division.pk}").count() == 31
    valid = sum(v is not None for hours in beijing for values in hours.values() for v in values[28 * 24 : 59 * 24])
    capture = get_value("environment.air_data_capture", house.province.pk, month)
    assert (capture.numerator, capture.denominator) == (valid, 6 * 6 * 24 * 31)


def test_a_month_with_too_few_days_is_provisional_and_in_the_end_no_value(house):
    for n in range(10):
        put_day(house, 0, date(2026, 3, 2) + timedelta(days=n))
    compute(house, date(2026, 3, 11))
    month = Period.parse("2026-03")
    compute_indicator("environment.air_pm25_mean", None, month, at=moment(date(2026, 3, 12)))
    running = get_value("environment.air_pm25_mean", house.city.pk, month)
    assert (running.value, running.note) == (20.0, "10 valid days of 27 needed (GB 3095-2026, table 4)")
    compute_indicator("environment.air_pm25_mean", None, month, at=moment(date(2026, 4, 1)))
    assert get_value("environment.air_pm25_mean", house.city.pk, month).value is None


def test_the_facade_tells_the_air_now_in_few_queries_and_only_within_the_scope(house, django_assert_max_num_queries):
    day = date(2026, 3, 2)
    for station in range(6):
        put_day(house, station, day, pm25=20 + 10 * station)
    compute(house, day)
    at = moment(day + timedelta(days=1), 1)
    with django_assert_max_num_queries(3):
        found = list_station_now(EVERYWHERE, at)
    told = [(s.station_no, s.point.aqi, s.point.category, s.point.primary, s.valid) for s in found[:2]]
    assert told == [("1001A", 30, "excellent", (), True), ("1002A", 43, "excellent", (), True)]
    # PM2.5 70: 100 + 10/55 x 50 = 109.1 -> 110, by the day's steps for the hour (HJ 633-2026, 4.2.4)
    assert (found[5].point.aqi, found[5].point.category, found[5].point.primary, found[5].kind) == (110, "light", ("PM2.5",), "control")
    assert list_station_now(NOTHING, at) == []
    one = Scope((Clause(((house.counties[0].left, house.counties[0].right),), None, 3),))
    assert {s.division for s in list_station_now(one, at)} == {str(house.counties[0].uid)}
    assert [s.valid for s in list_station_now(EVERYWHERE, at + timedelta(hours=3))] == [False] * 6
    with django_assert_max_num_queries(3):
        city = get_city_air(str(house.city.uid), at)
    # the mean of 20, 30, 40, 50, 60 is 40 -> 50 + 5/25 x 50 = 60
    assert (city.hour.values["pm25"], city.hour.aqi, city.day.aqi, city.stations, len(city.trend)) == (40.0, 60, 60, 5, 24)
    assert get_city_air(str(house.province.uid), at).hour is None
    detail = get_station_detail(str(house.stations[5].uid), moment(day), moment(day + timedelta(days=1)), at)
    assert (len(detail.hours), len(detail.days), detail.days[0].aqi, detail.station.point) == (24, 1, 110, detail.hours[-1])


def window(day: date, values: list[float], quality: list[int] | None = None) -> Window:
    start = int(moment(day).timestamp()) * 1_000_000
    table = pa.table(
        {
            "stream": pa.array([7] * len(values), pa.int64()),
            "t": pa.array([start + n * 3_600_000_000 for n in range(len(values))], pa.int64()),
            "value": pa.array(values),
            "quality": pa.array(quality or [0] * len(values), pa.uint8()),
        }
    )
    streams = StreamTable(np.array([7]), np.array(["a34004-Avg"]), np.array(["thing"]))
    return Window.build(start, start + 3 * 3_600_000_000, table, streams)


@pytest.mark.parametrize(
    ("day", "values", "level"),
    [
        (date(2026, 2, 28), [70.0, 71.0, 75.0], None),
        (date(2026, 3, 1), [61.0, 71.0, 75.0], "yellow"),
        (date(2026, 3, 1), [60.0, 71.0, 75.0], None),
        (date(2026, 3, 1), [160.0, 170.0, 180.0], "orange"),
        (date(2026, 3, 1), [260.0, 270.0, 280.0], "red"),
        (date(2026, 3, 1), [260.0, 270.0], None),
    ],
)
def test_three_hours_above_the_limit_of_the_edition_in_force_are_pollution(day, values, level):
    flags = pm25_sustained(window(day, values))
    assert flags.level.tolist() == ([level] if level else [])


def test_a_flagged_hour_breaks_the_three(house):
    assert len(pm25_sustained(window(date(2026, 3, 1), [90.0, 90.0, 90.0], [0, 13, 0]))) == 0


def test_limits_have_a_source_and_pollution_becomes_one_event_and_one_case(house):
    limits = Threshold.objects.filter(property__product__code=AIR.code)
    assert limits.count() == 6 and all(t.source.startswith(("GB ", "local: ")) for t in limits)
    taken = [POLLUTION_EVENT.takes(AIR.code, get_property(name), "yellow") for name in POLLUTANTS]
    assert all(taken) and not POLLUTION_EVENT.takes(AIR.code, "a01001-Avg", "yellow")
    assert POLLUTION_CASE.on == POLLUTION_EVENT.kind == registry.get("rule", "environment.pm25_sustained").raises


def test_alarms_of_one_station_become_one_event_and_one_case_of_the_bureau(house):
    with change(SYSTEM, "the bureau"):
        bureau = Organisation(code="dept-environment", name="生态环境局", kind="bureau", division=house.city)
        bureau.save()
    thing, since = house.stations[0].thing, datetime.now(UTC) - timedelta(hours=1)
    with change(SYSTEM, "facts of the pipeline"):
        for name, value in (("pm25", 133.0), ("pm10", 210.0)):
            uid = str(uuid7())
            publish(
                "sense.alarm.raised",
                uid,
                {
                    "alarm": uid,
                    "thing": str(thing.uid),
                    "stream": f"{thing.external_id}/{get_property(name)}",
                    "product": AIR.code,
                    "property": get_property(name),
                    "level": "yellow",
                    "title": "超标",
                    "value": value,
                    "limit": 75.0,
                    "unit": "ug/m3",
                    "started_at": since.isoformat(),
                    "division": "",
                    "historical": False,
                },
            )
    while deliver_due():
        pass
    event = CityEvent.objects.get()
    assert (event.kind, event.signals, event.division) == ("environment.air.pollution", 2, house.counties[0])
    case = Case.objects.get()
    assert (case.kind, case.organisation, case.event_uid) == (POLLUTION_CASE.name, bureau, str(event.uid))
    assert case.case_no.startswith("EA") and case.due_at - case.opened_at == timedelta(hours=24)
    today = Period.of(since, Period.parse("2026-03-01").unit, "Asia/Shanghai")
    run_indicators(datetime.now(UTC))
    assert get_value("environment.air_pollution_events", house.city.pk, today).value == 1.0
    assert get_value("environment.air_cases_in_time", house.city.pk, today).value is None
    with change(SYSTEM, "closed"):
        Case.objects.filter(pk=case.pk).update(state="closed", closed_at=since)
    run_indicators(datetime.now(UTC))
    moved = get_value("environment.air_cases_in_time", house.city.pk, today)
    assert (moved.numerator, moved.denominator, moved.value, moved.state.value) == (1, 1, 1.0, "good")
    assert Case.objects.filter(**drill("environment.air_cases_in_time", house.city.pk, today).numerator).get() == case


def test_a_programme_of_unknown_pollutants_is_refused(house):
    house.stations[0].programme = "so2,radon"
    with pytest.raises(ValidationError, match="radon is no pollutant"):
        house.stations[0].full_clean()


def test_a_new_device_of_the_feed_becomes_a_station_once_and_its_index_follows(house, settings, tmp_path):
    settings.HOUSE = replace(settings.HOUSE, home=tmp_path)
    product, properties = Product.objects.get(code=AIR.code), Property.objects.filter(product__code=AIR.code)
    with change(SYSTEM, "a logger is registered"):
        thing = Thing(external_id="hj212:PRSA0123456789ABCDEF0123", name="Guanyuan", product=product, division=house.counties[0], lon=116.3, lat=39.9)
        thing.save()
        for m, name in enumerate(POLLUTANTS):
            Stream(ordinal=90 + m, external_id=f"{thing.external_id}/{name}", thing=thing, property=properties.get(code=get_property(name))).save()
            house.ordinals[9, name] = 90 + m
    put_day(house, 9, date(2026, 3, 2), pm25=60)
    for _ in range(2):
        with freeze(moment(date(2026, 3, 3), 2)):
            update_air_index(JobRun(Job.objects.create(kind="environment.air.index", due_at=datetime.now(UTC))))
    made = AirStation.objects.get(thing=thing)
    assert (made.station_no, made.kind, made.division, AirStation.objects.count()) == ("PRSA0123456789ABCDEF0123", "assessment", house.counties[0], 7)
    assert AirIndex.objects.get(station=made, scale="day").aqi == 100


def test_utc_is_not_the_day_of_the_city(house):
    put_day(house, 0, date(2026, 3, 1))
    compute(house, date(2026, 3, 1))
    row = get_day(house, 0, date(2026, 3, 1))
    assert (row.start, row.edition) == (datetime(2026, 2, 28, 16, tzinfo=UTC), "HJ 633-2026")
