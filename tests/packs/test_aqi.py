"""The air-quality index worked by hand, and what must always hold of it."""

import doctest
import importlib
from datetime import date
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.packs.environment.aqi import (
    DAILY_ITEMS,
    HOURLY_ITEMS,
    NA,
    NO_INDEX,
    POLLUTANTS,
    Edition,
    Level,
    compute_area,
    compute_daily,
    compute_daily_means,
    compute_hourly,
    compute_hourly_means,
    compute_iaqi,
    compute_index,
    compute_level,
    edition_on,
    find_category,
    list_primary,
    round_half_even,
    scale_values,
)
from zhongshu.packs.environment.aqi_means import Means, compute_day_means, compute_o3_day
from zhongshu.packs.environment.aqi_tables import CATEGORIES, INDEX_STEPS, STEPS

E12, E26 = Edition.HJ633_2012, Edition.HJ633_2026
DAILY = ("so2_24h", "no2_24h", "co_24h", "pm10_24h", "pm25_24h", "o3_8h", "o3_1h")


def day_of(**values):
    """A day whose 24 hours all have the given value by pollutant, so that every mean is exactly it."""
    return {name: scale_values(np.full((1, 24), value)) for name, value in values.items()}


def daily(edition, so2, no2, co, pm10, pm25, o3_8h, o3_1h):
    """The index of stated daily concentrations, rounded as the product rounds them."""
    given_values = dict(zip(DAILY, (so2, no2, co, pm10, pm25, o3_8h, o3_1h), strict=True))
    means = {}
    for item, value in given_values.items():
        scaled, valid = scale_values(value)
        means[item] = Means(scaled, 1, valid.astype(np.int64), valid)
    return compute_daily(edition, means)


# E1, HJ 633-2012. SO2 12: 12/50 x 50 = 12. NO2 45: 50 + 5/40 x 50 = 56.25 -> 57. CO 0.8: 0.8/2 x 50 = 20.
#   PM10 98: 50 + 48/100 x 50 = 74. PM2.5 75: on the step, 100. O3 8 h 88: 88/100 x 50 = 44; 1 h 104: 104/160 x 50 = 32.5 -> 33.
#   2026: PM10 98: 50 + 48/70 x 50 = 84.29 -> 85. PM2.5 75: 100 + 15/55 x 50 = 113.6 -> 114.
# E2. CO 2.05 -> 2.0 (tie to even): 50. PM2.5 60.5 -> 60 (tie to even). 2012: PM2.5 50 + 25/40 x 50 = 81.25 -> 82;
#   PM10 120: 50 + 70/100 x 50 = 85; O3 1 h 190: 50 + 30/40 x 50 = 87.5 -> 88. 2026: PM10 120 and PM2.5 60 on the step, 100.
# E3. Everything on the first step: 50, so no primary pollutant.
# E4. SO2 20. NO2 41: 50 + 1/40 x 50 = 51.25 -> 52. CO 1.1: 27.5 -> 28. PM10 72: 2012 50 + 22/100 x 50 = 61; 2026 50 + 22/70 x 50
#   = 65.7 -> 66. PM2.5 36: 2012 50 + 1/40 x 50 = 51.25 -> 52; 2026 50 + 1/25 x 50 = 52. O3 8 h 162: 100 + 2/55 x 50 = 101.8 -> 102;
#   1 h 230: 100 + 30/100 x 50 = 115.
# E5. SO2 90: 50 + 40/100 x 50 = 70. NO2 140: 100 + 60/100 x 50 = 130. CO 6.2: 100 + 2.2/10 x 50 = 111. PM10 560: 400 + 60/100 x
#   100 = 460. PM2.5 478: 400 + 128/150 x 100 = 485.3 -> 486. O3 20: 10; 30: 9.4 -> 10.
# E6. NO2 60: 75. CO 1.5: 37.5 -> 38. PM10 1450 and PM2.5 512: above the last step, 500. O3 70: 35; 90: 28.1 -> 29.
# E7. NO2 30: 37.5 -> 38. CO 0.6: 15. PM10 60: 2012 55; 2026 50 + 10/70 x 50 = 57.1 -> 58. PM2.5 40: 2012 50 + 5/40 x 50 = 56.25 ->
#   57; 2026 50 + 5/25 x 50 = 60. O3 8 h 805: 2012 not computed, 2026 300. O3 1 h 905: 300 + 105/200 x 100 = 352.5 -> 353.
WORKED = [
    ("E1", (12, 45, 0.8, 98, 75, 88, 104), E12, (12, 57, 20, 74, 100, 44, 33), 100, ("PM2.5",), Level.GOOD),
    ("E1", (12, 45, 0.8, 98, 75, 88, 104), E26, (12, 57, 20, 85, 114, 44, None), 114, ("PM2.5",), Level.LIGHT),
    ("E2", (50, 80, 2.05, 120, 60.5, 160, 190), E12, (50, 100, 50, 85, 82, 100, 88), 100, ("NO2", "O3"), Level.GOOD),
    (
        "E2",
        (50, 80, 2.05, 120, 60.5, 160, 190),
        E26,
        (50, 100, 50, 100, 100, 100, None),
        100,
        ("NO2", "PM10", "PM2.5", "O3"),
        Level.GOOD,
    ),
    ("E3", (50, 40, 2, 50, 35, 100, 160), E12, (50,) * 7, 50, (), Level.EXCELLENT),
    ("E3", (50, 40, 2, 50, 35, 100, 160), E26, (50,) * 6 + (None,), 50, (), Level.EXCELLENT),
    ("E4", (20, 41, 1.1, 72, 36, 162, 230), E12, (20, 52, 28, 61, 52, 102, 115), 115, ("O3",), Level.LIGHT),
    ("E4", (20, 41, 1.1, 72, 36, 162, 230), E26, (20, 52, 28, 66, 52, 102, None), 102, ("O3",), Level.LIGHT),
    ("E5", (90, 140, 6.2, 560, 478, 20, 30), E12, (70, 130, 111, 460, 486, 10, 10), 486, ("PM2.5",), Level.SEVERE),
    ("E5", (90, 140, 6.2, 560, 478, 20, 30), E26, (70, 130, 111, 460, 486, 10, None), 486, ("PM2.5",), Level.SEVERE),
    (
        "E6",
        (15, 60, 1.5, 1450, 512, 70, 90),
        E12,
        (15, 75, 38, 500, 500, 35, 29),
        500,
        ("PM10", "PM2.5"),
        Level.SEVERE,
    ),
    (
        "E6",
        (15, 60, 1.5, 1450, 512, 70, 90),
        E26,
        (15, 75, 38, 500, 500, 35, None),
        500,
        ("PM10", "PM2.5"),
        Level.SEVERE,
    ),
    ("E7", (10, 30, 0.6, 60, 40, 805, 905), E12, (10, 38, 15, 55, 57, NO_INDEX, 353), 353, ("O3",), Level.SEVERE),
    ("E7", (10, 30, 0.6, 60, 40, 805, 905), E26, (10, 38, 15, 58, 60, 300, None), 300, ("O3",), Level.HEAVY),
]


@pytest.mark.parametrize(("name", "values", "edition", "items", "aqi", "primary", "level"), WORKED, ids=[f"{w[0]}-{w[2]}" for w in WORKED])
def test_worked_daily_examples_come_out_to_the_last_digit(name, values, edition, items, aqi, primary, level):
    index = daily(edition, *values)
    for item, expected in zip(DAILY, items, strict=True):
        assert (int(index.item_iaqi[item]) if expected is not None else index.item_iaqi.get(item)) == expected
    assert int(index.aqi) == aqi
    assert set(list_primary(int(index.primary))) == set(primary)
    assert int(index.level) == level
    assert index.edition is edition


def test_the_worked_hourly_example_e8_comes_out_in_both_editions():
    # SO2 820 > 800: 200 in 2026, none in 2012. NO2 350: 100 + 150/500 x 50 = 115. CO 12: 100 + 2/25 x 50 = 104.
    # O3 215: 100 + 15/100 x 50 = 107.5 -> 108. PM10 151: 100 + 31/130 x 50 = 111.9 -> 112. PM2.5 61: 100 + 1/55 x 50 -> 101.
    hour = {"so2_1h": 820, "no2_1h": 350, "co_1h": 120, "o3_1h": 215, "pm10_1h": 151, "pm25_1h": 61}
    index = compute_index(E26, hour, HOURLY_ITEMS[E26])
    assert [int(index.iaqi[name]) for name in POLLUTANTS] == [200, 115, 104, 112, 101, 108]
    assert (int(index.aqi), list_primary(int(index.primary)), int(index.level)) == (200, ("SO2",), Level.MODERATE)
    old = compute_index(E12, hour, HOURLY_ITEMS[E12])
    assert [int(old.iaqi[name]) for name in POLLUTANTS] == [NO_INDEX, 115, 104, NO_INDEX, NO_INDEX, 108]


def test_in_2012_the_day_stands_in_for_an_hour_of_so2_above_800_and_only_then():
    # SO2 24 h 475 is on the step 150; SO2 1 h 800 is on its last step, 200.
    for hour, expected in ((801, 150), (800, 200), (500, 100)):
        index = compute_index(E12, {"so2_1h": hour, "so2_24h": 475}, HOURLY_ITEMS[E12])
        assert int(index.iaqi["so2"]) == expected
    # a day of 900 alone would be 200 + 100/800 x 100 = 212.5 -> 213; the hour at 800 still speaks for itself
    assert int(compute_index(E12, {"so2_1h": 800, "so2_24h": 900}, HOURLY_ITEMS[E12]).iaqi["so2"]) == 200
    assert int(compute_index(E12, {"so2_1h": 801, "so2_24h": 900}, HOURLY_ITEMS[E12]).iaqi["so2"]) == 213


def test_in_2012_hourly_particles_take_their_index_from_24_running_hours_in_2026_from_the_hour():
    hours = {name: scale_values(np.full(30, 10.0)) for name in ("so2", "no2", "co", "pm10", "o3")}
    hours["pm25"] = scale_values(np.r_[np.full(29, 20.0), 260.0])
    means = compute_hourly_means(hours)
    # (23 x 20 + 260)/24 = 30 -> 30/35 x 50 = 42.9 -> 43; the hour itself 260: 300 + 10/100 x 100 = 310
    assert int(compute_hourly(E12, means).iaqi["pm25"][-1]) == 43
    assert int(compute_hourly(E26, means).iaqi["pm25"][-1]) == 310
    assert compute_hourly(E12, means).iaqi["pm25"][[18, 19]].tolist() == [NO_INDEX, 29]


def test_the_edition_follows_the_day_measured():
    assert edition_on(date(2026, 2, 28)) is E12
    assert edition_on(date(2026, 3, 1)) is E26


# --- means -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "rounded"), [(72.0, 60), (72.00001, 61), (71.99999, 60), (96.0, 62), (48.0, 60)])
def test_a_mean_exactly_half_way_goes_to_the_even_number_and_a_hair_decides(last, rounded):
    # 23 x 60 + 72 = 1452 = 24 x 60.5; with 96 it is 1476 = 24 x 61.5 -> 62; with 48 it is 1428 = 24 x 59.5 -> 60
    scaled, valid = scale_values([[60.0] * 23 + [last]])
    assert compute_day_means(scaled, valid).rounded().tolist() == [rounded]


def test_decimals_that_floats_cannot_hold_are_summed_exactly():
    # 10 hours of 0.1, 10 of 0.3 and 4 of 0.0: 4.0/24; in floats the sum of tenths is not 4.0
    values = [0.1] * 10 + [0.3] * 10 + [0.0] * 4
    scaled, valid = scale_values([values])
    mean = compute_day_means(scaled, valid)
    assert Fraction(int(mean.numerator[0]), mean.denominator) / 100_000 == Fraction(4, 24)
    assert mean.as_float()[0] == pytest.approx(4 / 24)


def test_twenty_hours_make_a_day_and_nineteen_do_not():
    values = np.full((2, 24), 30.0)
    values[0, :4] = np.nan
    values[1, :5] = np.nan
    mean = compute_day_means(*scale_values(values))
    assert mean.valid.tolist() == [True, False] and mean.count.tolist() == [20, 19]
    assert mean.rounded().tolist() == [30, NA]
    assert np.isnan(mean.as_float()[1])


def ozone(hours):
    mean = compute_o3_day(*scale_values([hours]))
    return int(mean.rounded()[0]), int(mean.count[0])


def test_the_ozone_day_takes_the_largest_of_the_means_that_end_at_8_to_24():
    hours = [0.0] * 24
    hours[10:18] = [160.0] * 8
    assert ozone(hours) == (160, 17)
    hours[0:7] = [900.0] * 7
    assert ozone(hours)[0] == round(Fraction(7 * 900, 8))
    # hours 0..7 are the first mean; one ending at 7:00 would reach into the day before and does not exist
    assert ozone([240.0] + [0.0] * 23) == (30, 17)


def test_an_ozone_day_needs_fourteen_means_or_one_above_the_limit():
    nan = float("nan")
    # the first 5 hours missing: the means ending 8, 9, 10 have 3, 4, 5 values; 14 are left
    assert ozone([nan] * 5 + [100.0] * 19) == (100, 14)
    assert ozone([nan] * 6 + [100.0] * 18) == (NA, 13)
    assert ozone([nan] * 6 + [161.0] * 18) == (161, 13)
    assert ozone([nan] * 6 + [160.0] * 18) == (NA, 13)
    assert ozone([nan] * 24) == (NA, 0)


def test_means_of_six_and_of_eight_hours_are_compared_exactly():
    nan = float("nan")
    # first window 6 values 100: 100; a later one of eight values with sum 801: 100.125 is larger
    hours = [nan, nan] + [100.0] * 6 + [0.0] * 8 + [100.0] * 7 + [101.0]
    mean = compute_o3_day(*scale_values([hours]))
    assert Fraction(int(mean.numerator[0]), mean.denominator) / 100_000 == Fraction(801, 8)


def test_absurd_infinite_and_missing_values_are_no_concentrations():
    scaled, valid = scale_values([1.5, float("inf"), float("nan"), 1e9, -3.0])
    assert valid.tolist() == [True, False, False, False, True]
    assert scaled.tolist() == [150_000, 0, 0, 0, -300_000]


@given(st.lists(st.integers(0, 10**8), min_size=20, max_size=24))
def test_any_day_mean_equals_the_fraction_rounded_half_even(units):
    values = [unit / 10**4 for unit in units] + [float("nan")] * (24 - len(units))
    mean = compute_day_means(*scale_values([values]))
    exact = Fraction(sum(units), len(units) * 10**4)
    assert Fraction(int(mean.numerator[0]), mean.denominator) / 100_000 == exact
    assert mean.rounded()[0] == round(exact)
    assert mean.rounded(tenths=True)[0] == round(exact * 10)


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_rounding_is_what_fractions_do(top, bottom):
    assert int(round_half_even(top, bottom)) == round(Fraction(top, bottom))


# --- the index -------------------------------------------------------------------------------------------------------

ITEMS = [(edition, item) for edition in Edition for item in STEPS[edition]]


@pytest.mark.parametrize(("edition", "item"), ITEMS)
def test_a_value_on_a_step_belongs_to_the_step_and_the_next_one_is_above(edition, item):
    steps = STEPS[edition][item]
    assert compute_iaqi(edition, item, steps).tolist() == INDEX_STEPS[: len(steps)].tolist()
    above = compute_iaqi(edition, item, steps[:-1] + 1)
    assert (above > INDEX_STEPS[: len(steps) - 1]).all()


@pytest.mark.parametrize(("edition", "item"), ITEMS)
def test_the_sub_index_never_falls_as_the_concentration_rises(edition, item):
    index = compute_iaqi(edition, item, np.arange(0, 4200)).astype(int)
    falls = np.flatnonzero(np.diff(index) < 0)
    if edition is E12 and item in ("so2_1h", "o3_8h"):
        assert falls.tolist() == [800] and (index[801:] == NO_INDEX).all()
    else:
        assert falls.size == 0
        assert index[-1] == {"so2_1h": 200, "o3_8h": 300}.get(item, 500)


@given(st.sampled_from(ITEMS), st.integers(0, 5000))
def test_every_sub_index_is_the_formula_rounded_up(which, amount):
    edition, item = which
    steps = STEPS[edition][item].tolist()
    if amount > steps[-1]:
        return
    place = next(place for place in range(1, len(steps)) if amount <= steps[place])
    low, high, index_low, index_high = *steps[place - 1 : place + 1], *INDEX_STEPS[place - 1 : place + 1].tolist()
    exact = Fraction((index_high - index_low) * (amount - low), high - low) + index_low
    got = int(compute_iaqi(edition, item, amount))
    assert got == -(-exact.numerator // exact.denominator)


def test_hours_of_particles_use_the_day_steps_in_2026():
    amounts = np.arange(0, 700)
    for name in ("pm10", "pm25"):
        hour, day = (compute_iaqi(E26, f"{name}_{span}", amounts) for span in ("1h", "24h"))
        assert hour.tolist() == day.tolist()


def test_categories_meet_without_gap_at_the_standards_borders():
    index = [NO_INDEX, 0, 1, 50, 51, 100, 101, 150, 151, 200, 201, 300, 301, 500]
    assert compute_level(index).tolist() == [0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert find_category(NO_INDEX) is None
    assert find_category(101).label == "Lightly polluted" and find_category(101).rgb == (255, 126, 0)
    assert all(low.high + 1 == high.low for low, high in pairwise(CATEGORIES))


def rounded(**values):
    whole = dict.fromkeys(DAILY_ITEMS[E12], 10)
    return whole | values


def test_a_missing_pollutant_blocks_the_2026_index_unless_the_rest_is_above_100():
    for pm25, expected in ((60, NO_INDEX), (61, 101)):
        index = compute_index(E26, rounded(so2_24h=NA, pm25_24h=pm25), DAILY_ITEMS[E26])
        assert int(index.aqi) == expected
        assert int(index.iaqi["so2"]) == NO_INDEX
        assert int(index.iaqi["pm25"]) == (100 if pm25 == 60 else 101)
    blocked = compute_index(E26, rounded(so2_24h=NA, pm25_24h=60), DAILY_ITEMS[E26])
    assert (int(blocked.primary), int(blocked.level)) == (0, Level.NA)


def test_a_missing_pollutant_does_not_block_the_2012_index():
    index = compute_index(E12, rounded(so2_24h=NA, pm25_24h=60), DAILY_ITEMS[E12])
    assert (int(index.aqi), list_primary(int(index.primary))) == (82, ("PM2.5",))


def test_a_pollutant_outside_the_programme_is_a_slash_and_does_not_block():
    programme = {name: np.array([name != "so2", True]) for name in POLLUTANTS}
    values = {item: np.array([10, 10]) for item in DAILY_ITEMS[E26]} | {"so2_24h": np.array([NA, NA])}
    index = compute_index(E26, values | {"pm25_24h": np.array([60, 60])}, DAILY_ITEMS[E26], programme=programme)
    assert index.aqi.tolist() == [100, NO_INDEX]
    assert index.is_not_measured["so2"].tolist() == [True, False]


def test_without_any_value_there_is_no_index_in_either_edition():
    for edition in Edition:
        index = compute_index(edition, dict.fromkeys(DAILY_ITEMS[edition], NA), DAILY_ITEMS[edition])
        assert (int(index.aqi), int(index.primary), int(index.level)) == (NO_INDEX, 0, 0)


@given(st.lists(st.integers(0, 700), min_size=7, max_size=7), st.sampled_from(list(Edition)))
def test_the_index_is_the_largest_sub_index_and_all_that_reach_it_are_primary(amounts, edition):
    index = compute_index(edition, dict(zip(DAILY, amounts, strict=True)), DAILY_ITEMS[edition])
    largest = max(int(index.iaqi[name]) for name in POLLUTANTS)
    assert int(index.aqi) == largest
    names = {name.replace("pm25", "pm2.5").upper() for name in POLLUTANTS if int(index.iaqi[name]) == largest}
    assert set(list_primary(int(index.primary))) == (names if largest > 50 else set())


# --- areas -----------------------------------------------------------------------------------------------------------


def test_an_area_is_indexed_from_mean_concentrations_and_never_from_mean_indices():
    hours = {name: scale_values(np.full((2, 1, 24), 10.0)) for name in ("so2", "no2", "co", "pm10", "o3")}
    hours["co"] = scale_values(np.full((2, 1, 24), 0.5))
    hours["pm25"] = scale_values(np.stack([np.full((1, 24), 20.0), np.full((1, 24), 101.0)]))
    means = compute_daily_means(hours)
    # (20 + 101)/2 = 60.5 -> 60 (tie to even): 100. The mean of the stations' indices 29 and 138 would be 84.
    assert compute_daily(E26, means).aqi.tolist() == [[29], [138]]
    area = compute_area(means)
    assert compute_daily(E26, area).aqi.tolist() == [100]


def test_an_area_leaves_out_stations_without_a_valid_mean_and_can_ask_for_enough_of_them():
    values = np.full((3, 1, 24), 30.0)
    values[1] = 40.0
    values[2, :, :10] = np.nan
    means = {"pm25_24h": compute_day_means(*scale_values(values))}
    assert compute_area(means)["pm25_24h"].rounded().tolist() == [35]
    assert compute_area(means, min_stations=3)["pm25_24h"].rounded().tolist() == [NA]


def test_days_of_many_stations_keep_their_shape():
    hours = {name: scale_values(np.full((4, 5, 24), 20.0)) for name in POLLUTANTS}
    index = compute_daily(E26, compute_daily_means(hours))
    assert index.aqi.shape == index.primary.shape == index.level.shape == index.iaqi["o3"].shape == (4, 5)
    with pytest.raises(ValueError, match="24 hours"):
        compute_day_means(*scale_values(np.zeros((4, 23))))


@pytest.mark.parametrize("name", ["aqi", "aqi_means", "aqi_tables"])
def test_the_examples_of_the_index_modules_are_true(name):
    result = doctest.testmod(importlib.import_module(f"zhongshu.packs.environment.{name}"))
    assert result.failed == 0 and result.attempted > 0
