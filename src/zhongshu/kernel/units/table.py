"""The units of the house: wire code, printed symbol, names, and what they can be converted to.

Wire codes follow UCUM (Unified Code for Units of Measure, 2.1) where it has one. Levels in decibel with frequency
weighting and parts per million are kept apart from mass concentrations on purpose: see :mod:`.conversion`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

__all__ = ["UNITS", "Unit", "UnknownUnit", "get_symbol", "get_unit", "list_units", "parse_unit"]


class UnknownUnit(ValueError):
    """A unit code that the house does not know."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit. ``pint`` is its expression in the registry, ``dimension`` the family inside which it converts."""

    code: str
    symbol: str
    name: _StrPromise
    name_zh: str
    dimension: str
    pint: str
    aliases: tuple[str, ...] = ()


_ROWS = (
    Unit("1", "", _("no unit"), "无量纲", "number", "dimensionless", ("", "-", "无量纲")),
    Unit("%", "%", _("per cent"), "百分比", "number", "percent", ("percent",)),
    Unit("{count}", "", _("count"), "个", "number", "dimensionless", ("count", "个")),
    Unit(
        "ug/m3",
        "µg/m³",
        _("microgram per cubic metre"),
        "微克/立方米",
        "mass concentration",
        "microgram/meter**3",
        ("µg/m³", "μg/m³", "µg/m3", "μg/m3", "ug/m³", "微克/立方米"),
    ),
    Unit("mg/m3", "mg/m³", _("milligram per cubic metre"), "毫克/立方米", "mass concentration", "milligram/meter**3", ("mg/m³", "毫克/立方米")),
    Unit("ng/m3", "ng/m³", _("nanogram per cubic metre"), "纳克/立方米", "mass concentration", "nanogram/meter**3", ("ng/m³", "纳克/立方米")),
    Unit("mg/L", "mg/L", _("milligram per litre"), "毫克/升", "mass concentration", "milligram/liter", ("毫克/升",)),
    Unit("[ppm]", "ppm", _("parts per million by volume"), "百万分之一(体积)", "volume fraction", "1e-6*dimensionless", ("ppm",)),
    Unit("[ppb]", "ppb", _("parts per billion by volume"), "十亿分之一(体积)", "volume fraction", "1e-9*dimensionless", ("ppb",)),
    Unit("Cel", "°C", _("degree Celsius"), "摄氏度", "temperature", "degC", ("°C", "℃", "degC", "摄氏度")),
    Unit("K", "K", _("kelvin"), "开尔文", "temperature", "kelvin"),
    Unit("[degF]", "°F", _("degree Fahrenheit"), "华氏度", "temperature", "degF", ("°F", "degF")),
    Unit("Pa", "Pa", _("pascal"), "帕", "pressure", "pascal", ("帕",)),
    Unit("hPa", "hPa", _("hectopascal"), "百帕", "pressure", "hectopascal", ("百帕",)),
    Unit("kPa", "kPa", _("kilopascal"), "千帕", "pressure", "kilopascal", ("千帕",)),
    Unit("MPa", "MPa", _("megapascal"), "兆帕", "pressure", "megapascal", ("兆帕",)),
    Unit("dB", "dB", _("decibel"), "分贝", "level", "dimensionless", ("分贝",)),
    Unit("dB(A)", "dB(A)", _("decibel, A-weighted"), "分贝(A计权)", "A-weighted level", "dimensionless", ("dBA", "dB[A]")),
    Unit("m/s", "m/s", _("metre per second"), "米/秒", "speed", "meter/second", ("米/秒",)),
    Unit("km/h", "km/h", _("kilometre per hour"), "千米/小时", "speed", "kilometer/hour", ("公里/小时",)),
    Unit("deg", "°", _("degree of arc"), "度", "angle", "degree", ("°", "[角]度")),
    Unit("rad", "rad", _("radian"), "弧度", "angle", "radian"),
    Unit("mm", "mm", _("millimetre"), "毫米", "length", "millimeter", ("毫米",)),
    Unit("cm", "cm", _("centimetre"), "厘米", "length", "centimeter", ("厘米",)),
    Unit("m", "m", _("metre"), "米", "length", "meter", ("米",)),
    Unit("km", "km", _("kilometre"), "千米", "length", "kilometer", ("千米", "公里")),
    Unit("m2", "m²", _("square metre"), "平方米", "area", "meter**2", ("m²", "平方米")),
    Unit("km2", "km²", _("square kilometre"), "平方千米", "area", "kilometer**2", ("km²", "平方千米", "平方公里")),
    Unit("L", "L", _("litre"), "升", "volume", "liter", ("l", "升")),
    Unit("m3", "m³", _("cubic metre"), "立方米", "volume", "meter**3", ("m³", "立方米")),
    Unit("L/s", "L/s", _("litre per second"), "升/秒", "flow", "liter/second", ("l/s", "升/秒")),
    Unit("m3/h", "m³/h", _("cubic metre per hour"), "立方米/小时", "flow", "meter**3/hour", ("m³/h", "立方米/小时")),
    Unit("m3/s", "m³/s", _("cubic metre per second"), "立方米/秒", "flow", "meter**3/second", ("m³/s", "立方米/秒")),
    Unit("mm/h", "mm/h", _("millimetre per hour"), "毫米/小时", "rain intensity", "millimeter/hour", ("毫米/小时",)),
    Unit("mA", "mA", _("milliampere"), "毫安", "current", "milliampere", ("毫安",)),
    Unit("A", "A", _("ampere"), "安", "current", "ampere", ("安",)),
    Unit("mV", "mV", _("millivolt"), "毫伏", "voltage", "millivolt", ("毫伏",)),
    Unit("V", "V", _("volt"), "伏", "voltage", "volt", ("伏",)),
    Unit("kV", "kV", _("kilovolt"), "千伏", "voltage", "kilovolt", ("千伏",)),
    Unit("W", "W", _("watt"), "瓦", "power", "watt", ("瓦",)),
    Unit("kW", "kW", _("kilowatt"), "千瓦", "power", "kilowatt", ("千瓦",)),
    Unit("kW.h", "kWh", _("kilowatt-hour"), "千瓦时", "energy", "kilowatt*hour", ("kWh", "千瓦时", "度电")),
    Unit("MW.h", "MWh", _("megawatt-hour"), "兆瓦时", "energy", "megawatt*hour", ("MWh",)),
    Unit("MJ", "MJ", _("megajoule"), "兆焦", "energy", "megajoule", ("兆焦",)),
    Unit("Hz", "Hz", _("hertz"), "赫兹", "frequency", "hertz", ("赫兹",)),
    Unit("ms", "ms", _("millisecond"), "毫秒", "time", "millisecond", ("毫秒",)),
    Unit("s", "s", _("second"), "秒", "time", "second", ("秒",)),
    Unit("min", "min", _("minute"), "分钟", "time", "minute", ("分钟",)),
    Unit("h", "h", _("hour"), "小时", "time", "hour", ("小时",)),
    Unit("d", "d", _("day"), "天", "time", "day", ("天",)),
    Unit("lx", "lx", _("lux"), "勒克斯", "illuminance", "lux", ("勒克斯",)),
    Unit("W/m2", "W/m²", _("watt per square metre"), "瓦/平方米", "irradiance", "watt/meter**2", ("W/m²",)),
    Unit("g", "g", _("gram"), "克", "mass", "gram", ("克",)),
    Unit("kg", "kg", _("kilogram"), "千克", "mass", "kilogram", ("千克", "公斤")),
    Unit("t", "t", _("tonne"), "吨", "mass", "metric_ton", ("吨",)),
    Unit("[pH]", "pH", _("pH value"), "pH值", "acidity", "dimensionless", ("pH",)),
    Unit("[NTU]", "NTU", _("nephelometric turbidity unit"), "散射浊度单位", "turbidity", "dimensionless", ("NTU",)),
    Unit("uS/cm", "µS/cm", _("microsiemens per centimetre"), "微西/厘米", "conductivity", "microsiemens/centimeter", ("µS/cm",)),
    Unit("%[obs]", "% obs/m", _("obscuration per metre"), "减光率", "obscuration", "percent", ("%obs/m",)),
)

UNITS: Mapping[str, Unit] = MappingProxyType({unit.code: unit for unit in _ROWS})

_SPELLINGS = {spelling: unit for unit in _ROWS for spelling in (unit.code, unit.symbol, *unit.aliases) if spelling}
_SPELLINGS[""] = UNITS["1"]


def get_unit(code: str) -> Unit:
    """The unit of a wire code; raises :class:`UnknownUnit`."""
    try:
        return UNITS[code]
    except KeyError:
        raise UnknownUnit(f"Unit {code!r} is not known here{_guess(code)}.") from None


def get_symbol(code: str) -> str:
    """A unit as printed beside a number; what is no known code stays as it is.

    >>> get_symbol("ug/m3"), get_symbol(""), get_symbol("boxes")
    ('µg/m³', '', 'boxes')
    """
    return UNITS[code].symbol if code in UNITS else code


def parse_unit(text: str) -> Unit:
    """The unit of a code, symbol or Chinese name as people and devices write it; raises :class:`UnknownUnit`.

    >>> parse_unit("μg/m³").code, parse_unit("千瓦时").symbol
    ('ug/m3', 'kWh')
    """
    unit = _SPELLINGS.get(text.strip())
    if unit is None:
        raise UnknownUnit(f"Unit {text!r} is not known here{_guess(text)}.")
    return unit


def list_units(dimension: str | None = None) -> list[Unit]:
    """All units, or those of one dimension, in the order of the table."""
    return [unit for unit in _ROWS if dimension in (None, unit.dimension)]


def _guess(text: str) -> str:
    folded = {spelling.lower(): unit for spelling, unit in _SPELLINGS.items()}
    unit = folded.get(text.strip().lower())
    return f"; did you mean {unit.code!r}?" if unit else ""
