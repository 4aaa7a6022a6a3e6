"""One read-only question to the lake in SQL: parsed by DuckDB's own parser, refused unless it reads nothing but the known tables, bounded, cut to a scope."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from zhongshu.kernel.home import House
from zhongshu.kernel.lake import Lake, LakeError
from zhongshu.security.access.scope import Clause, Scope
from zhongshu.security.classify import DataClass

from .dimension import read_dimension

__all__ = ["OPERATOR", "Answer", "QueryRefused", "query_lake"]

OPERATOR = Scope((Clause(None, None, DataClass.INTERNAL, frozenset({"view"}), "operation of this machine"),))
"""Who may read the data folder may ask about all of it, up to internal data."""

READINGS = ("observation", "observation_other", "correction", "rollup_hour")
OPERATION = ("frame", "batch")
"""For the operator only. Frames come without their bytes: device passwords stand in them."""

DIMENSIONS = ("stream", "thing", "division")
MAX_SQL = 20_000
MEMORY = "1GB"
SECONDS = 60.0
_TABLE_FUNCTIONS = {"range", "generate_series", "unnest"}
_FORBIDDEN = (
    "read_",
    "duckdb_",
    "pragma_",
    "sniff_",
    "parquet_",
    "pg_",
    "query",
    "glob",
    "getenv",
    "getvariable",
    "current_setting",
    "write_log",
    "which_secret",
    "nextval",
    "currval",
)
_FRAME = "SELECT day, connection, received_at, octet_length(raw) AS size, state, reason, forgiven FROM hidden_frame"


class QueryRefused(ValueError):
    """A question that is not answered; the message says why in a sentence."""


@dataclass(frozen=True)
class Answer:
    """Column names and rows; `is_cut` when there were more rows than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool


def query_lake(house: House, sql: str, scope: Scope = OPERATOR, *, limit: int = 1000, seconds: float = SECONDS) -> Answer:
    """Answer one SELECT over `observation`, `observation_other`, `correction`, `rollup_hour`, `stream`, `thing`, `division` (the operator also `frame`, `batch`).

    Only rows inside `scope` exist for the question. Raises `QueryRefused` for anything else than one SELECT over these, for errors in it, and when it takes too long.
    """
    tables = [*READINGS, *DIMENSIONS, *(OPERATION if scope is OPERATOR else ())]
    connection = _open(house, scope, tables)
    try:
        _check(connection, sql, set(tables))
        return _run(connection, sql, limit, seconds)
    finally:
        connection.close()


def _open(house: House, scope: Scope, tables: list[str]) -> duckdb.DuckDBPyConnection:
    try:
        lake = Lake(house.path("lake"), house.city.zone, check=False)
        names = [name for name in tables if name not in DIMENSIONS]
        connection = lake.connect((), threads=2, memory=MEMORY)
    except LakeError as error:
        raise QueryRefused(f"the lake cannot be opened: {error}") from error
    for name in DIMENSIONS:
        _add_dimension(connection, house, name, scope)
    lake.add_views(connection, names)
    for name in names:
        connection.execute(f"ALTER VIEW {name} RENAME TO hidden_{name}")
        if name in READINGS:
            body = f"SELECT r.* FROM hidden_{name} r SEMI JOIN stream s ON r.stream = s.ordinal" if scope is not OPERATOR else f"SELECT * FROM hidden_{name}"  # noqa: S608
        else:
            body = _FRAME if name == "frame" else f"SELECT * FROM hidden_{name}"  # noqa: S608
        connection.execute(f"CREATE VIEW {name} AS {body}")
    folder = str(house.path("lake").resolve()).replace("'", "''")
    connection.execute("SET temp_directory=''")
    connection.execute(f"SET allowed_directories=['{folder}/']")
    connection.execute("SET enable_external_access=false")
    connection.execute("SET lock_configuration=true")
    return connection


def _add_dimension(connection: duckdb.DuckDBPyConnection, house: House, name: str, scope: Scope) -> None:
    table = read_dimension(name, house.home)
    if table is None:
        columns = "ordinal BIGINT, external_id VARCHAR" if name == "stream" else "uid VARCHAR, name VARCHAR"
        connection.execute(f"CREATE TABLE {name} ({columns})")
        return
    connection.register("given", table)
    condition, parameters = "TRUE", list[int]()
    if name != "division":
        condition, parameters = scope.sql("division_left", "organisation", "class_level" if name == "stream" else None)
    hidden = " EXCLUDE (thresholds)" if name == "stream" else ""
    connection.execute(f"CREATE TABLE {name} AS SELECT *{hidden} FROM given WHERE {condition}", parameters)  # noqa: S608 made by the scope's compiler
    connection.unregister("given")


def _check(connection: duckdb.DuckDBPyConnection, sql: str, known: set[str]) -> None:
    if len(sql) > MAX_SQL:
        raise QueryRefused(f"a question has at most {MAX_SQL} characters")
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    if tree["error"]:
        words = tree.get("error_message", "it cannot be read")
        raise QueryRefused("only SELECT is answered here" if "Only SELECT" in words else f"the question cannot be read: {words}")
    if len(tree["statements"]) != 1:
        raise QueryRefused("one SELECT at a time, please")
    named = {entry["key"].lower() for node in _walk(tree) for entry in _list_ctes(node)}
    for node in _walk(tree):
        _check_node(node, known | named, known)


def _list_ctes(node: dict[str, Any]) -> list[dict[str, Any]]:
    ctes = node.get("cte_map")
    return ctes["map"] if isinstance(ctes, dict) else []


def _check_node(node: dict[str, Any], names: set[str], known: set[str]) -> None:
    kind = node.get("type")
    if kind == "BASE_TABLE":
        path = [part for part in node.get("qualified_name", {}).get("path", [node.get("table_name", "")]) if part]
        if len(path) != 1 or path[0].lower() not in names or node.get("at_clause"):
            raise QueryRefused(f"there is no table {'.'.join(path)!r} here; known are {', '.join(sorted(known))}")
    elif kind in ("SHOW_REF", "PIVOT", "DELIM_GET", "COLUMN_DATA"):
        raise QueryRefused("only SELECT over the known tables is answered here")
    function = node.get("function") if kind == "TABLE_FUNCTION" else None
    if function is not None and function.get("function_name", "").lower() not in _TABLE_FUNCTIONS:
        raise QueryRefused(f"the table function {function.get('function_name')!r} is not available here")
    name = str(node.get("function_name", "")).lower()
    if name.startswith(_FORBIDDEN) or (len(node.get("qualified_name", {}).get("path", [])) > 1 and kind == "FUNCTION"):
        raise QueryRefused(f"the function {name!r} is not available here")


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _run(connection: duckdb.DuckDBPyConnection, sql: str, limit: int, seconds: float) -> Answer:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        cursor = connection.execute(sql)
        columns = tuple(column[0] for column in cursor.description or ())
        rows = cursor.fetchmany(limit + 1)
    except duckdb.InterruptException as error:
        raise QueryRefused(f"the question took longer than {seconds:.0f} s; ask for fewer days (column day) or streams") from error
    except duckdb.OutOfMemoryException as error:
        raise QueryRefused(f"the question needs more than {MEMORY} of memory; ask for fewer days (column day) or group less finely") from error
    except duckdb.Error as error:
        raise QueryRefused(str(error).splitlines()[0]) from error
    finally:
        timer.cancel()
    return Answer(columns, tuple(map(tuple, rows[:limit])), len(rows) > limit)
