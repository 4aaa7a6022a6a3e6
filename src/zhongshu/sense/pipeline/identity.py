"""One row per (stream, phenomenon time, sub-index): equal repetitions are dropped, another value is a correction, the first is kept."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from zhongshu.kernel.lake import Lake
from zhongshu.sense.pipeline.batch import Rows

__all__ = ["Identified", "identify", "sort_rows"]


@dataclass(frozen=True)
class Identified:
    """Sorted rows with what each is: `new`, `correction` (then `first`, `first_quality` hold what was first known), or neither: an equal repetition."""

    rows: Rows
    new: np.ndarray
    correction: np.ndarray
    first: np.ndarray
    first_quality: np.ndarray


def sort_rows(rows: Rows) -> tuple[Rows, np.ndarray]:
    """Return the rows by (stream, t, sub, arrival) and a mask of those that open a new identity."""
    if not len(rows):
        return rows, np.empty(0, bool)
    low, width = int(rows.t.min()), int(rows.sub.max()) + 1
    span = int(rows.t.max()) - low + 1
    if (int(rows.stream.max()) + 1) * span * width < 1 << 62:
        key = (rows.stream * span + (rows.t - low)) * width + rows.sub
        order = np.argsort(key)
        opens = np.concatenate([[True], np.diff(key[order]) != 0])
        if not opens.all():
            # only equal keys need the order of arrival
            order = np.argsort(key, kind="stable")
        return rows.take(order), opens
    order = np.lexsort((rows.sub, rows.t, rows.stream))
    rows = rows.take(order)
    changed = (np.diff(rows.stream) != 0) | (np.diff(rows.t) != 0) | (np.diff(rows.sub) != 0)
    return rows, np.concatenate([[True], changed])


def identify(rows: Rows, seen: np.ndarray, lake: Lake) -> Identified:
    """Tell new rows from repetitions and corrections. `rows` are as they came; `seen` gives the highest t known per ordinal row (NEVER for none), same order.

    Rows later than anything seen of their stream cannot be in the lake; the others are looked up there in one query.
    """
    order_seen = Rows(rows.stream, rows.t, rows.sub, rows.value, rows.quality, rows.offset, rows.log, rows.received_at, np.arange(len(rows)))
    ordered, opens = sort_rows(order_seen)
    place = ordered.name
    rows = rows.take(place)
    n = len(rows)
    old = np.flatnonzero(opens & (rows.t <= seen[place]))
    stored = np.zeros(n, bool)
    before, before_quality = np.full(n, np.nan), np.zeros(n, np.int8)
    first, first_quality = np.full(n, np.nan), np.zeros(n, np.int8)
    if len(old):
        at, *values = _look_up(rows.take(old), lake)
        stored[old[at]] = True
        for target, value in zip((first, first_quality, before, before_quality), values, strict=True):
            target[old[at]] = value
    if opens.all():
        same = stored & _equal(rows.value, rows.quality, before, before_quality)
        return Identified(rows, ~stored, stored & ~same, first, first_quality)
    head = np.maximum.accumulate(np.where(opens, np.arange(n), 0))
    follows = ~opens
    before[follows], before_quality[follows] = rows.value[:-1][follows[1:]], rows.quality[:-1][follows[1:]]
    # what was first known of the identity: the lake's row, or the first of this batch
    first, first_quality = np.where(stored[head], first[head], rows.value[head]), np.where(stored[head], first_quality[head], rows.quality[head])
    same = (stored | follows) & _equal(rows.value, rows.quality, before, before_quality)
    return Identified(rows, opens & ~stored, (stored | follows) & ~same, first, first_quality.astype(np.int8))


def _equal(value: np.ndarray, quality: np.ndarray, other: np.ndarray, other_quality: np.ndarray) -> np.ndarray:
    """Equal readings: same value (missing equals missing) and same quality; our own range code counts as good, since limits may have changed meanwhile."""
    mine, theirs = np.where(quality == 1, 0, quality), np.where(other_quality == 1, 0, other_quality)
    return ((value == other) | (np.isnan(value) & np.isnan(other))) & (mine == theirs)


def _look_up(rows: Rows, lake: Lake) -> tuple[np.ndarray, ...]:
    """Return (place in rows, first value, first quality, current value, current quality) of the identities that the lake holds."""
    days = frozenset(_as_dates(lake, rows.t))
    keys = pa.table({"i": np.arange(len(rows)), "stream": rows.stream, "t": rows.t, "sub": rows.sub})
    with lake.connect(("observation", "observation_first"), days) as connection:
        connection.register("wanted", keys)
        window = f"stream BETWEEN {int(rows.stream.min())} AND {int(rows.stream.max())} AND t BETWEEN {int(rows.t.min())} AND {int(rows.t.max())}"
        corrected = bool(lake.files("correction", days))

        def ask(view: str) -> pa.Table:
            return connection.sql(
                f"SELECT w.i, o.value, o.quality FROM wanted w JOIN (SELECT * FROM {view} WHERE {window}) o "  # noqa: S608 - numbers and our own view names
                "ON o.stream = w.stream AND o.t = w.t AND o.sub = w.sub ORDER BY w.i"
            ).to_arrow_table()

        first = ask("observation_first")
        current = ask("observation") if corrected else first

    def numbers(table: pa.Table, name: str) -> np.ndarray:
        column = table.column(name)
        return (column.cast(pa.float64()).fill_null(np.nan) if name == "value" else column).to_numpy()

    return (
        numbers(first, "i"),
        numbers(first, "value"),
        numbers(first, "quality"),
        numbers(current, "value"),
        numbers(current, "quality"),
    )


def _as_dates(lake: Lake, t: np.ndarray) -> list[date]:
    return [lake.days.as_date(number) for number in np.unique(lake.days.compute(t))]
