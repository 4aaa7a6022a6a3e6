"""Converting numbers between units, whole arrays at a time, and printing them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pint
from numpy.typing import ArrayLike, NDArray

from .table import Unit, get_unit

__all__ = ["GasCondition", "Quantity", "UnitMismatch", "convert"]

_GAS_CONSTANT = 8.31446261815324  # J/(mol K), exact since the 2019 revision of the SI


class UnitMismatch(ValueError):
    """Two units that cannot be converted into each other, or only under a condition that was not given."""


@dataclass(frozen=True, slots=True)
class GasCondition:
    """What turns parts per million of a gas into a mass concentration.

    Defaults: 298.15 K and 101.325 kPa, the reference state of gases since 2018-09-01 (GB 3095-2012 amendment, kept by
    GB 3095-2026); earlier values are at 273.15 K.
    """

    molar_mass_g_mol: float
    temperature_k: float = 298.15
    pressure_kpa: float = 101.325

    @property
    def ug_m3_per_ppm(self) -> float:
        """Micrograms per cubic metre of one ppm, by the law of ideal gases."""
        return self.molar_mass_g_mol * self.pressure_kpa * 1e3 / (_GAS_CONSTANT * self.temperature_k)


def convert(values: ArrayLike, source: str, target: str, gas: GasCondition | None = None) -> NDArray[np.float64]:
    """Values in another unit, by wire codes; NaN stays NaN, shape stays.

    Raises :class:`.UnknownUnit`, or :class:`UnitMismatch` when the dimensions differ. ppm and ppb meet mass
    concentrations only when ``gas`` states molar mass, temperature and pressure.

    >>> convert([0.6, 10.0], "mg/m3", "ug/m3").tolist()
    [600.0, 10000.0]
    """
    array = np.asarray(values, dtype=float)
    a, b = get_unit(source), get_unit(target)
    if a.dimension == b.dimension:
        factor, offset = _linear(a.code, b.code)
        return array * factor + offset if offset else array * factor
    if {a.dimension, b.dimension} == {"volume fraction", "mass concentration"}:
        if gas is None:
            raise UnitMismatch(f"{a.symbol} into {b.symbol} needs the gas, its temperature and pressure (GasCondition).")
        if a.dimension == "volume fraction":
            return array * _linear(a.code, "[ppm]")[0] * gas.ug_m3_per_ppm * _linear("ug/m3", b.code)[0]
        return array * _linear(a.code, "ug/m3")[0] / gas.ug_m3_per_ppm * _linear("[ppm]", b.code)[0]
    raise UnitMismatch(f"{a.code} ({a.dimension}) cannot be converted into {b.code} ({b.dimension}).")


@functools.cache
def _registry() -> pint.UnitRegistry[float]:
    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True, cache_folder=None)


@functools.lru_cache(maxsize=1024)
def _linear(source: str, target: str) -> tuple[float, float]:
    """Factor and offset between two units of one dimension: pint is asked once a pair, arrays never pass through it."""
    if source == target:
        return 1.0, 0.0
    registry = _registry()
    a: Any = registry.Quantity(get_unit(source).pint)
    b: Any = registry.Quantity(get_unit(target).pint)
    if a.dimensionless:
        return float(a.to("dimensionless").m / b.to("dimensionless").m), 0.0
    zero = float(registry.Quantity(0.0, a.units).to(b.units).m)
    hundred = float(registry.Quantity(100.0, a.units).to(b.units).m)
    return (hundred - zero) / 100.0, zero


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, for people.

    >>> Quantity(82.7736, "ug/m3").format(1)
    '82.8 µg/m³'
    """

    value: float
    unit: str

    @property
    def definition(self) -> Unit:
        """The unit's row of the table."""
        return get_unit(self.unit)

    def to(self, unit: str, gas: GasCondition | None = None) -> Quantity:
        """The same quantity in another unit."""
        return Quantity(float(convert(self.value, self.unit, unit, gas)), unit)

    def format(self, digits: int = 1) -> str:
        """Printed with a space before the unit, none before % and °; a missing value is a dash."""
        symbol = self.definition.symbol
        if not np.isfinite(self.value):
            return "–"
        number = f"{self.value:.{digits}f}"
        return f"{number}{symbol}" if symbol in ("", "%", "°") else f"{number} {symbol}"
