"""What tables the lake has (docs/house.md, "Lake tables"). Delta knows no unsigned integers, so small codes are int8 and int16."""

from dataclasses import dataclass

import pyarrow as pa

__all__ = ["TABLES", "LakeTable"]


@dataclass(frozen=True)
class LakeTable:
    """One Delta table.

    `partition` is `day` (civil day of column `time`), `arrival` (one partition per commit, in order) or None. `packed` columns are stored
    DELTA_BINARY_PACKED, `coded` ones with a dictionary, others plain. `sort` orders rewritten days; `identity` columns are unique in them. With `newest_by`,
    a later row of the same identity replaces the earlier (highest value of that column).
    """

    name: str
    schema: pa.Schema
    partition: str | None = "day"
    time: str = "t"
    sort: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    packed: tuple[str, ...] = ()
    coded: tuple[str, ...] = ()
    newest_by: str | None = None

    @property
    def stored(self) -> pa.Schema:
        """The whole Delta schema, partition column first."""
        if self.partition is None:
            return self.schema
        kind = pa.date32() if self.partition == "day" else pa.int64()
        return pa.schema([pa.field(self.partition, kind), *self.schema])


_ROW = [("stream", pa.int64()), ("t", pa.int64()), ("sub", pa.int16()), ("value", pa.float64()), ("quality", pa.int8())]
_IDENTITY = ("stream", "t", "sub")
_CODED = ("stream", "sub", "value", "quality")

TABLES: dict[str, LakeTable] = {
    table.name: table
    for table in (
        LakeTable("observation", pa.schema(_ROW), sort=_IDENTITY, identity=_IDENTITY, packed=("t",), coded=_CODED),
        LakeTable("late", pa.schema([("day", pa.date32()), *_ROW]), partition="arrival", sort=_IDENTITY, packed=("t",), coded=("day", *_CODED)),
        LakeTable(
            "correction",
            pa.schema(
                [
                    *_ROW[:3],
                    ("first", pa.float64()),
                    ("first_quality", pa.int8()),
                    *_ROW[3:],
                    ("app", pa.string()),
                    ("offset", pa.int64()),
                    ("recorded_at", pa.int64()),
                ]
            ),
            sort=(*_IDENTITY, "recorded_at", "app", "offset"),
            packed=("t", "recorded_at"),
            coded=("stream", "sub", "app"),
        ),
        LakeTable(
            "observation_other",
            pa.schema([*_ROW[:3], ("value", pa.string()), ("quality", pa.int8()), ("app", pa.string()), ("offset", pa.int64())]),
            sort=(*_IDENTITY, "offset"),
            identity=_IDENTITY,
            newest_by="offset",
            packed=("t", "offset"),
            coded=("stream", "sub", "value", "quality", "app"),
        ),
        LakeTable(
            "frame",
            pa.schema(
                [
                    ("connection", pa.string()),
                    ("received_at", pa.int64()),
                    ("raw", pa.binary()),
                    ("state", pa.int8()),
                    ("reason", pa.string()),
                    ("forgiven", pa.string()),
                ]
            ),
            time="received_at",
            sort=("connection", "received_at"),
            packed=("received_at",),
            coded=("connection", "state", "reason", "forgiven"),
        ),
        LakeTable(
            "rollup_hour",
            pa.schema(
                [
                    ("stream", pa.int64()),
                    ("hour", pa.int64()),
                    ("n", pa.int64()),
                    ("n_valid", pa.int64()),
                    ("sum", pa.float64()),
                    ("min", pa.float64()),
                    ("max", pa.float64()),
                    ("revision", pa.int64()),
                ]
            ),
            time="hour",
            identity=("stream", "hour"),
            newest_by="revision",
            sort=("stream", "hour", "revision"),
            packed=("hour", "n", "n_valid"),
            coded=("stream", "revision"),
        ),
        LakeTable(
            "batch",
            pa.schema([("app", pa.string()), ("offset", pa.int64()), ("arrived_at", pa.int64()), ("rows", pa.int64())]),
            time="arrived_at",
            sort=("app", "offset"),
            identity=("app", "offset"),
            packed=("offset", "arrived_at", "rows"),
            coded=("app",),
        ),
    )
}
