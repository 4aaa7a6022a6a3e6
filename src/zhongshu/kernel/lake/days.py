"""Civil days of the city's zone for arrays of UTC microseconds."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["CivilDays"]

_QUARTER_US = 900_000_000
_DENSE = 1 << 20
_EPOCH = date(1970, 1, 1)


class CivilDays:
    """Converts phenomenon times to civil days. Zone offsets change on quarter hours only (IANA, since 1972), so one conversion per quarter hour is enough."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._info = ZoneInfo(zone)

    def compute(self, t: np.ndarray) -> np.ndarray:
        """Return days since 1970-01-01 (int32, civil) for `t` in UTC µs (int64), of the same shape."""
        if len(t) == 0:
            return np.empty(0, np.int32)
        quarter = t // _QUARTER_US
        low, high = int(quarter.min()), int(quarter.max())
        if high - low < _DENSE:
            days = self._convert(np.arange(low, high + 1))
            return days[quarter - low] if days[0] != days[-1] else np.full(len(t), days[0], np.int32)
        known, place = np.unique(quarter, return_inverse=True)
        return self._convert(known)[place]

    def _convert(self, quarter: np.ndarray) -> np.ndarray:
        instants = pa.array(quarter * _QUARTER_US, pa.timestamp("us", tz=self.zone))
        local = pc.cast(pc.local_timestamp(instants), pa.date32(), safe=False)
        return local.view(pa.int32()).to_numpy()

    def on(self, t_us: int) -> date:
        """Return the civil day of one instant."""
        return _EPOCH + timedelta(days=int(self.compute(np.array([t_us]))[0]))

    def start_us(self, day: date) -> int:
        """Return the first instant of a civil day in UTC µs."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self._info).timestamp()) * 1_000_000

    @staticmethod
    def as_date(number: int) -> date:
        """Return the date of a day number."""
        return _EPOCH + timedelta(days=int(number))
