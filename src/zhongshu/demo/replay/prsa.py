"""The Beijing multi-site air-quality files (PRSA_Data_<station>_….csv, also gzipped) as hours of HJ 212 fields.

Source: UCI Machine Learning Repository, "Beijing Multi-Site Air-Quality Data": hourly, µg/m³ throughout (CO too), hPa, °C, m/s;
the label is the hour's start in Beijing time.
"""

import gzip
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

__all__ = ["FACTORS", "Hours", "PrsaError", "Station", "read_prsa"]

MAX_BYTES = 256 << 20
FACTORS = {
    "PM2.5": ("a34004", 0),
    "PM10": ("a34002", 0),
    "SO2": ("a21026", 0),
    "NO2": ("a21004", 0),
    "CO": ("a21005", -3),
    "O3": ("a05024", 0),
    "TEMP": ("a01001", 0),
    "PRES": ("a01006", -1),
    "WSPM": ("a01007", 0),
}
"""Column → factor code of HJ 212-2017 and power of ten to its unit on the wire: CO from the file's µg/m³ to mg/m³, pressure from hPa to kPa, the rest as it is."""

_NEEDED = ("year", "month", "day", "hour", "station", *FACTORS)
Station = str


class PrsaError(ValueError):
    """A file that cannot be played; the message says which and why."""


@dataclass(frozen=True)
class Hours:
    """One station's series in order: `start` local time of each hour's beginning, `values` text per factor code (None: missing), as they will stand on the wire."""

    station: Station
    start: tuple[datetime, ...]
    values: dict[str, tuple[str | None, ...]]

    def __len__(self) -> int:
        return len(self.start)

    def groups(self, index: int) -> Iterator[list[tuple[str, str]]]:
        """Fields of one hour as HJ 212 groups: value and flag N, or for a missing value the flag B (no communication) alone (HJ 212-2017, table of data flags)."""
        yield [("DataTime", f"{self.start[index]:%Y%m%d%H%M%S}")]
        for code, values in self.values.items():
            value = values[index]
            yield [(f"{code}-Flag", "B")] if value is None else [(f"{code}-Avg", value), (f"{code}-Flag", "N")]

    def last(self, count: int) -> "Hours":
        """Return the last `count` hours."""
        return replace(self, start=self.start[-count:], values={code: values[-count:] for code, values in self.values.items()})

    def until(self, end: datetime) -> "Hours":
        """Return the hours that are over at `end`."""
        kept = sum(1 for start in self.start if start + timedelta(hours=1) <= end)
        return replace(self, start=self.start[:kept], values={code: values[:kept] for code, values in self.values.items()})

    def shift_days(self, today: datetime) -> tuple["Hours", int]:
        """Move the series by whole days so that its last day is `today` (hour of day kept), without hours that are not over yet; returns it with the days moved."""
        days = (today.date() - self.start[-1].date()).days
        moved = tuple(start + timedelta(days=days) for start in self.start)
        return replace(self, start=moved).until(today.replace(tzinfo=None)), days


def read_prsa(path: Path) -> Hours:
    """Read one file. Raises `PrsaError` for what is not such a file, for gaps in the hours, and for values that are no numbers."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as source:
            data = source.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise PrsaError(f"{path} is larger than {MAX_BYTES >> 20} MB when unpacked")
        strings = {name: pa.string() for name in _NEEDED}
        options = pc.ConvertOptions(column_types=strings, include_columns=list(_NEEDED), strings_can_be_null=False)
        table = pc.read_csv(pa.BufferReader(data), convert_options=options)
    except (OSError, EOFError, zlib.error) as error:
        raise PrsaError(f"{path} cannot be read: {error}") from error
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise PrsaError(f"{path} is not a PRSA file: {str(error).splitlines()[0]}") from error
    if table.num_rows == 0:
        raise PrsaError(f"{path} holds no hours")
    return _build_hours(path, table.to_pydict())


def _build_hours(path: Path, columns: dict[str, list[str]]) -> Hours:
    parts = [columns[name] for name in ("year", "month", "day", "hour")]
    try:
        start = tuple(datetime(*map(int, row)) for row in zip(*parts, strict=True))  # type: ignore[arg-type] # noqa: DTZ001 local time of the station's logger
    except ValueError as error:
        raise PrsaError(f"{path}: an hour is not a time: {error}") from error
    for before, after in itertools.pairwise(start):
        if after - before != timedelta(hours=1):
            raise PrsaError(f"{path}: {after:%Y-%m-%d %H:%M} follows {before:%Y-%m-%d %H:%M}; the hours must be without gaps")
    values = {code: tuple(_convert(path, name, power, text) for text in columns[name]) for name, (code, power) in FACTORS.items()}
    return Hours(columns["station"][0], start, values)


def _convert(path: Path, name: str, power: int, text: str) -> str | None:
    text = text.strip()
    if text in ("NA", ""):  # the files have blanks besides NA
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise PrsaError(f"{path}: {name} = {text!r} is not a number") from None
    return format(number.scaleb(power), "f") if power else text
