"""Factor codes of HJ 212 that the product needs: name, unit of the standard's table, unit in ambient use.

Source: HJ 212-2017, annex B (codes, units, 2005 codes), checked against a public transcription of its tables. Ambient
units: HJ 633-2026 and GB 3095-2026 (µg/m³, CO in mg/m³). Ozone has no plain entry in that transcription; a05024 is the
code stations use. Units are written so that unit libraries read them (`ug/m^3`, `degC`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Factor(NamedTuple):
    """`unit` is the 2017 table's; `ambient` what air stations really send; `total` the unit of `-Cou` (emissions)."""

    code: str
    name: str
    unit: str
    ambient: str | None = None
    total: str | None = None
    code_2005: str | None = None
    ceiling: float | None = None
    """Largest believable ambient hourly value, in the ambient unit (local: zhongshu; only for unit doubts)."""


_AIR = (
    Factor("a34004", "PM2.5", "ng/m^3", "ug/m^3", "g", None, 3000),
    Factor("a34002", "PM10", "ng/m^3", "ug/m^3", "g", None, 10000),
    Factor("a34001", "total suspended particles", "ng/m^3", "ug/m^3", "g", None, 20000),
    Factor("a34005", "PM1", "ng/m^3", "ug/m^3", "g", None, 3000),
    Factor("a21026", "sulphur dioxide", "mg/m^3", "ug/m^3", "kg", "02", 5000),
    Factor("a21004", "nitrogen dioxide", "mg/m^3", "ug/m^3", "kg", None, 5000),
    Factor("a21003", "nitrogen monoxide", "mg/m^3", "ug/m^3", "kg"),
    Factor("a21002", "nitrogen oxides", "mg/m^3", "ug/m^3", "kg", "03", 5000),
    Factor("a21005", "carbon monoxide", "mg/m^3", "mg/m^3", "kg", "04", 150),
    Factor("a05024", "ozone", "ug/m^3", "ug/m^3", None, None, 2000),
    Factor("a05001", "carbon dioxide", "mg/m^3", None, "kg", "30"),
    Factor("a05002", "methane", "ng/m^3", None, "g"),
    Factor("a21001", "ammonia", "ng/m^3", None, "g", "10"),
    Factor("a21028", "hydrogen sulphide", "mg/m^3", None, "kg", "05"),
    Factor("a24088", "non-methane hydrocarbons", "mg/m^3", None, "kg"),
    Factor("a25002", "benzene", "mg/m^3", None, "kg"),
    Factor("a25003", "toluene", "mg/m^3", None, "kg", "17"),
    Factor("a01001", "air temperature", "degC", "degC"),
    Factor("a01002", "relative humidity", "%", "%"),
    Factor("a01006", "air pressure", "kPa", "kPa"),
    Factor("a01007", "wind speed", "m/s", "m/s"),
    Factor("a01008", "wind direction", "deg", "deg"),
    Factor("a00000", "flue gas flow", "m^3/s", None, "m^3", "B02"),
    Factor("a01011", "flue gas speed", "m/s", None, None, "S02"),
    Factor("a01012", "flue gas temperature", "degC", None, None, "S03"),
    Factor("a01013", "flue gas pressure", "kPa", None, None, "S08"),
    Factor("a01014", "flue gas humidity", "%", None, None, "S05"),
    Factor("a19001", "oxygen content", "%", None, None, "S01"),
    Factor("a34013", "smoke dust", "mg/m^3", None, "kg", "01"),
)
_WATER = (
    Factor("w00000", "waste water flow", "L/s", None, "m^3", "B01"),
    Factor("w01001", "pH", "1", None, None, "001"),
    Factor("w01009", "dissolved oxygen", "mg/L"),
    Factor("w01010", "water temperature", "degC"),
    Factor("w01012", "suspended solids", "mg/L", None, "kg", "003"),
    Factor("w01014", "conductivity", "uS/cm"),
    Factor("w01018", "chemical oxygen demand", "mg/L", None, "kg", "011"),
    Factor("w01019", "permanganate index", "mg/L", None, "kg"),
    Factor("w01020", "total organic carbon", "mg/L", None, "kg", "015"),
    Factor("w20111", "total mercury", "ug/L", None, "g", "020"),
    Factor("w20115", "total cadmium", "ug/L", None, "g", "022"),
    Factor("w20116", "total chromium", "mg/L", None, "kg", "023"),
    Factor("w20119", "total arsenic", "ug/L", None, "g", "026"),
    Factor("w20120", "total lead", "ug/L", None, "g", "027"),
    Factor("w20122", "total copper", "mg/L", None, "kg", "029"),
    Factor("w21001", "total nitrogen", "mg/L", None, "kg", "065"),
    Factor("w21003", "ammonia nitrogen", "mg/L", None, "kg", "060"),
    Factor("w21011", "total phosphorus", "mg/L", None, "kg", "101"),
    Factor("w21016", "cyanide", "mg/L", None, "kg", "070"),
    Factor("w23002", "volatile phenols", "mg/L", None, "kg", "110"),
)
_NOISE = (
    Factor("LA", "A-weighted sound level", "dB"),
    Factor("Leq", "equivalent sound level", "dB"),
    Factor("Ld", "day equivalent sound level", "dB"),
    Factor("Ln", "night equivalent sound level", "dB"),
    Factor("Ldn", "day and night equivalent sound level", "dB"),
    Factor("L5", "level exceeded 5 % of the time", "dB"),
    Factor("L10", "level exceeded 10 % of the time", "dB"),
    Factor("L50", "level exceeded 50 % of the time", "dB"),
    Factor("L90", "level exceeded 90 % of the time", "dB"),
    Factor("L95", "level exceeded 95 % of the time", "dB"),
    Factor("LMx", "largest instantaneous level", "dB"),
    Factor("LMn", "smallest instantaneous level", "dB"),
)

FACTORS: Mapping[str, Factor] = {factor.code: factor for factor in (*_AIR, *_WATER, *_NOISE)}
"""By 2017 code."""

FACTORS_2005: Mapping[str, Factor] = {factor.code_2005: factor for factor in FACTORS.values() if factor.code_2005}
"""By 2005 code. For units and names only; a device's own code stays the identity of its stream."""

AMBIENT_UNITS: Mapping[str, str] = {factor.code: factor.ambient for factor in FACTORS.values() if factor.ambient}
"""`Profile(units=AMBIENT_UNITS)` for an ordinary air station: the standard's table is not what those send."""

COMMON_ALIASES: Mapping[str, str] = {"O3": "a05024"}
"""Codes seen on the wire for which the standard's family has another."""

_TO_UG: Mapping[str, float] = {"ng/m^3": 0.001, "ug/m^3": 1.0, "mg/m^3": 1000.0}


def find_factor(code: str) -> Factor | None:
    """The factor of a 2017 or, failing that, a 2005 code."""
    return FACTORS.get(code) or FACTORS_2005.get(code)


def find_unit_doubts(values: Iterable[tuple[str, float | None, str]]) -> list[str]:
    """Complaints in words about (factor code, value, unit) of an air station whose unit cannot be right.

    A value is doubted when, converted to the ambient unit, it is above the factor's ceiling, or positive and below a
    ten-thousandth of it: PM2.5 of 35 declared as ng/m³ would be 0.035 µg/m³, which no station measures.
    """
    doubts = []
    for code, value, unit in values:
        factor = FACTORS.get(code)
        if factor is None or factor.ambient is None or factor.ceiling is None or value is None:
            continue
        scale = _TO_UG.get(unit)
        if scale is None:
            doubts.append(f"{code} ({factor.name}) is declared in {unit or 'no unit'}; expected {factor.ambient}.")
            continue
        amount = value * scale / _TO_UG[factor.ambient]
        if amount > factor.ceiling or 0 < amount < factor.ceiling * 1e-4:
            doubts.append(f"{code} ({factor.name}): {value:g} {unit} would be {amount:g} {factor.ambient}. Is the unit right?")
    return doubts
