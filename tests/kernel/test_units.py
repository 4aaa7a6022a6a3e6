"""Units: hand-known conversions, refusals in words, round trips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.kernel.units import (
    UNITS,
    GasCondition,
    Quantity,
    UnitMismatch,
    UnknownUnit,
    convert,
    get_unit,
    list_units,
    parse_unit,
)


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (0.6, "mg/m3", "ug/m3", 600.0),
        (82_000.0, "ng/m3", "ug/m3", 82.0),
        (1.0, "mg/L", "ug/m3", 1e6),
        (25.0, "Cel", "K", 298.15),
        (212.0, "[degF]", "Cel", 100.0),
        (1013.25, "hPa", "kPa", 101.325),
        (0.14, "MPa", "kPa", 140.0),
        (50.0, "%", "1", 0.5),
        (36.0, "km/h", "m/s", 10.0),
        (180.0, "deg", "rad", np.pi),
        (1.0, "kW.h", "MJ", 3.6),
        (15.0, "L/s", "m3/h", 54.0),
        (400.0, "[ppb]", "[ppm]", 0.4),
        (1500.0, "mA", "A", 1.5),
    ],
)
def test_conversions_known_by_hand(value, source, target, result):
    assert convert(value, source, target) == pytest.approx(result, rel=1e-12)


def test_missing_values_stay_missing_and_shapes_stay():
    out = convert([[1.0, np.nan], [0.0, 2.0]], "mg/m3", "ug/m3")
    assert out.shape == (2, 2) and np.isnan(out[0, 1]) and out[1, 1] == 2000.0


def test_ppm_needs_its_condition():
    with pytest.raises(UnitMismatch, match="temperature"):
        convert(1.0, "[ppm]", "mg/m3")
    # CO at 0 degrees Celsius: 28.010 g/mol over 22.414 L/mol is 1.2497 mg/m3 for one ppm
    cold = GasCondition(28.010, temperature_k=273.15)
    assert convert(1.0, "[ppm]", "mg/m3", cold) == pytest.approx(1.2497, abs=1e-4)
    assert convert(convert(0.07, "[ppm]", "ug/m3", cold), "ug/m3", "[ppb]", cold) == pytest.approx(70.0)


@pytest.mark.parametrize(("source", "target"), [("dB(A)", "dB"), ("hPa", "Cel"), ("[pH]", "1"), ("%[obs]", "%")])
def test_units_of_different_meaning_do_not_convert(source, target):
    with pytest.raises(UnitMismatch, match="cannot be converted"):
        convert(1.0, source, target)


def test_an_unknown_unit_is_named_and_guessed():
    with pytest.raises(UnknownUnit, match="'furlong' is not known"):
        get_unit("furlong")
    with pytest.raises(UnknownUnit, match="did you mean 'MPa'"):
        convert(1.0, "mpa", "kPa")


def test_every_spelling_of_microgram_is_one_unit():
    assert {parse_unit(t).code for t in ("µg/m³", "μg/m³", "ug/m3", "微克/立方米")} == {"ug/m3"}


def test_quantities_are_printed_with_their_symbol():
    assert Quantity(82.7736, "ug/m3").format() == "82.8 µg/m³"
    assert Quantity(97.0, "%").format(0) == "97%"
    assert Quantity(float("nan"), "Cel").format() == "–"
    assert Quantity(20.0, "Cel").to("K").format(2) == "293.15 K"


@given(st.floats(-1e6, 1e6), st.data())
def test_every_conversion_inside_a_dimension_returns_to_the_start(value, data):
    unit = data.draw(st.sampled_from(sorted(UNITS)))
    other = data.draw(st.sampled_from([u.code for u in list_units(UNITS[unit].dimension)]))
    assert convert(convert(value, unit, other), other, unit) == pytest.approx(value, rel=1e-9, abs=1e-6)
