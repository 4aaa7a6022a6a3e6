"""The hot questions people ask of observations, as plain DuckDB SQL. Hours are cut by integer arithmetic (`date_trunc` on zoned columns is six times slower)."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from zhongshu.kernel.lake import Lake

__all__ = ["HOUR_US", "count_qualities", "list_frames", "list_hourly", "list_hourly_raw", "list_series"]

HOUR_US = 3_600_000_000


def _days(lake: Lake, from_us: int, until_us: int) -> tuple[date, date]:
    return lake.days.on(from_us), lake.days.on(max(from_us, until_us - 1))


def list_series(lake: Lake, stream: int, from_us: int, until_us: int, limit: int = 100_000) -> pa.Table:
    """Return one stream's readings with `from_us <= t < until_us` in order: t int64 µs, sub, value (null missing), quality. At most the first `limit`."""
    with lake.connect(("observation",), _days(lake, from_us, until_us)) as connection:
        return connection.sql(
            "SELECT t, sub, value, quality FROM observation WHERE stream = $stream AND t >= $from AND t < $until ORDER BY t, sub LIMIT $limit",
            params={"stream": stream, "from": from_us, "until": until_us, "limit": limit},
        ).to_arrow_table()


def list_hourly(lake: Lake, streams: Sequence[int], from_us: int, until_us: int) -> pa.Table:
    """Return the hours of some streams from the roll-up: stream, hour (µs of its start), n, n_valid, mean, min, max; the last two and mean over good values, null
    where there is none. The window is of hours that begin in it."""
    with lake.connect(("rollup_hour",), _days(lake, from_us, until_us)) as connection:
        connection.register("wanted", pa.table({"stream": pa.array(streams, pa.int64())}))
        return connection.sql(
            """SELECT stream, hour, n, n_valid, CASE WHEN n_valid > 0 THEN sum / n_valid END AS mean, min, max
            FROM rollup_hour SEMI JOIN wanted USING (stream) WHERE hour >= $from AND hour < $until AND n > 0 ORDER BY stream, hour""",
            params={"from": from_us, "until": until_us},
        ).to_arrow_table()


def list_hourly_raw(lake: Lake, streams: Sequence[int], from_us: int, until_us: int) -> pa.Table:
    """Return the same as `list_hourly` from the raw readings with `from_us <= t < until_us`: slower, and never behind."""
    with lake.connect(("observation",), _days(lake, from_us, until_us)) as connection:
        connection.register("wanted", pa.table({"stream": pa.array(streams, pa.int64())}))
        return connection.sql(
            f"""SELECT stream, t // {HOUR_US} * {HOUR_US} AS hour, count(*) AS n, count(value) FILTER (quality = 0) AS n_valid,
                avg(value) FILTER (quality = 0) AS mean, min(value) FILTER (quality = 0) AS min, max(value) FILTER (quality = 0) AS max
            FROM observation SEMI JOIN wanted USING (stream) WHERE t >= $from AND t < $until GROUP BY ALL ORDER BY stream, hour""",  # noqa: S608
            params={"from": from_us, "until": until_us},
        ).to_arrow_table()


def list_frames(lake: Lake, connection_name: str, limit: int = 100, days: tuple[date, date] | None = None) -> pa.Table:
    """Return the newest frames of one connection, newest first: received_at, raw, state, reason, forgiven. `days` bounds how far back is looked."""
    with lake.connect(("frame",), days) as connection:
        return connection.sql(
            "SELECT received_at, raw, state, reason, forgiven FROM frame WHERE connection = $name ORDER BY received_at DESC LIMIT $limit",
            params={"name": connection_name, "limit": limit},
        ).to_arrow_table()


def count_qualities(lake: Lake, from_us: int, until_us: int, streams: Sequence[int] | None = None) -> pa.Table:
    """Return quality, n over a window, for some streams or all, by quality code."""
    with lake.connect(("observation",), _days(lake, from_us, until_us)) as connection:
        chosen = ""
        if streams is not None:
            connection.register("wanted", pa.table({"stream": pa.array(streams, pa.int64())}))
            chosen = "SEMI JOIN wanted USING (stream)"
        return connection.sql(
            f"SELECT quality, count(*) AS n FROM observation {chosen} WHERE t >= $from AND t < $until GROUP BY quality ORDER BY quality",  # noqa: S608
            params={"from": from_us, "until": until_us},
        ).to_arrow_table()
