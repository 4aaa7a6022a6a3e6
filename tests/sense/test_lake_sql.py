"""Questions to the lake: what is answered, what is refused, and what a scope leaves of it."""

import json
from datetime import date

import pyarrow as pa
import pytest
from click.testing import CliRunner

from zhongshu.config.cli import decode
from zhongshu.config.cli import lake as lake_command
from zhongshu.kernel.home import House
from zhongshu.kernel.lake import Lake
from zhongshu.security.access.scope import Clause, Scope
from zhongshu.sense.observe import publish_dimension, publish_streams
from zhongshu.sense.observe.sql import OPERATOR, QueryRefused, query_lake
from zhongshu.sense.protocol.hj212 import format_packet


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("lake")
    house = House(home=tmp_path)
    t = 1_785_546_000_000_000
    kept = Lake(house.path("lake"))
    rows = pa.table({"stream": [0, 0, 1], "t": [t, t + 1, t], "sub": [0, 0, 0], "value": [1.0, 2.0, 10.0], "quality": [0, 0, 0]})
    kept.append("observation", rows)
    frame = {"connection": ["hj212:x"], "received_at": [t], "raw": [b"PW=123456"], "state": [0], "reason": [""], "forgiven": [""]}
    kept.append("frame", pa.table(frame))
    kept.sync()
    kept.close()
    streams = pa.table({"ordinal": [0, 1], "external_id": ["a/flow", "b/flow"], "division_left": [5, 9], "organisation": [1, 1], "class_level": [1, 1]})
    publish_streams(streams, house.home)
    publish_dimension("thing", pa.table({"uid": ["u", "v"], "name": ["A", "B"], "division_left": [5, 9], "organisation": [1, 1]}), house.home)
    (tmp_path / "secret.parquet").write_bytes(b"x")
    return house


def test_a_select_over_the_known_tables_is_answered(house):
    answer = query_lake(
        house,
        "WITH m AS (SELECT stream, avg(value) AS mean FROM observation GROUP BY stream) "
        "SELECT s.external_id, mean FROM m JOIN stream s ON s.ordinal = m.stream ORDER BY 1",
    )
    assert (answer.columns, answer.rows, answer.is_cut) == (("external_id", "mean"), (("a/flow", 1.5), ("b/flow", 10.0)), False)
    assert query_lake(house, "SELECT DISTINCT day FROM observation").rows == ((date(2026, 8, 1),),)
    cut = query_lake(house, "SELECT * FROM range(10)", limit=3)
    assert len(cut.rows) == 3 and cut.is_cut


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_parquet('{home}/secret.parquet')",
        "SELECT * FROM '{home}/secret.parquet'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')",
        "SELECT content FROM (SELECT * FROM read_blob('/etc/hostname'))",
        "SELECT (SELECT count(*) FROM read_csv('/etc/hostname'))",
        "SELECT 1 WHERE EXISTS (FROM duckdb_settings())",
        "SELECT * FROM hidden_frame",
        "SELECT * FROM hidden_observation",
        "SELECT * FROM main.observation",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM duckdb_views",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('hidden_frame')",
        "SELECT current_setting('memory_limit')",
        "SELECT getenv('HOME')",
        "WITH hidden AS (SELECT * FROM hidden_frame) SELECT * FROM hidden",
        "SELECT raw FROM frame",
        "SELECT * FROM observation; SELECT 1",
        "COPY observation TO '{home}/out.csv'",
        "ATTACH '{home}/x.db'",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW observation",
        "PRAGMA database_list",
        "INSTALL httpfs",
        "SET memory_limit='9GB'",
        "SHOW TABLES",
        "SELECT nothing FROM observation",
        "SELEKT",
        "",
    ],
)
def test_anything_else_is_refused_in_a_sentence(house, sql):
    with pytest.raises(QueryRefused) as refused:
        query_lake(house, sql.format(home=house.home))
    assert str(refused.value).strip()


def test_a_question_that_takes_too_long_is_ended(house):
    with pytest.raises(QueryRefused, match="longer than"):
        query_lake(house, "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b", seconds=0.5)


def test_a_scope_leaves_only_its_streams_in_every_table(house):
    scope = Scope((Clause(((5, 6),), None, 1, frozenset({"view"})),))
    assert query_lake(house, "SELECT stream, value FROM observation ORDER BY t", scope).rows == ((0, 1.0), (0, 2.0))
    assert query_lake(house, "SELECT external_id FROM stream", scope).rows == (("a/flow",),)
    assert query_lake(house, "SELECT name FROM thing", scope).rows == (("A",),)
    with pytest.raises(QueryRefused, match="no table 'frame'"):
        query_lake(house, "SELECT * FROM frame", scope)
    assert query_lake(house, "SELECT count(*) FROM observation", Scope((Clause(None, None, 0, frozenset({"view"})),))).rows == ((0,),)
    assert query_lake(house, "SELECT size, connection FROM frame", OPERATOR).rows == ((9, "hj212:x"),)


def test_the_command_prints_tables_csv_and_json_and_fails_in_words(house, settings):
    settings.HOUSE = house
    run = CliRunner().invoke
    sql = "SELECT day, sum(value) AS total FROM observation GROUP BY day"
    assert run(lake_command.command, [sql, "--output", "csv"]).output == "day,total\n2026-08-01,13.0\n"
    assert json.loads(run(lake_command.command, [sql, "--output", "json"]).output) == [{"day": "2026-08-01", "total": 13.0}]
    assert run(lake_command.command, [sql]).output.splitlines()[2].split() == ["2026-08-01", "13.0"]
    failed = run(lake_command.command, ["SELECT * FROM elsewhere"])
    assert failed.exit_code == 1 and "there is no table 'elsewhere'" in failed.output


def test_decode_prints_one_json_line_a_frame_and_fails_when_one_is_refused():
    frame = format_packet(cn="2061", mn="M1", st="22", pw="1", qn="20260801100000001", groups=[[("DataTime", "20260801090000")]]).decode().strip()
    good = CliRunner().invoke(decode.command, ["hj212", frame])
    assert good.exit_code == 0 and json.loads(good.output)["message"]["head"]["MN"] == "M1"
    both = CliRunner().invoke(decode.command, ["hj212"], input=f"{frame}\n\n##0000bad\n")
    answers = [json.loads(line) for line in both.output.splitlines()]
    assert both.exit_code == 1 and [a["ok"] for a in answers] == [True, False] and answers[1]["error"]
    unknown = CliRunner().invoke(decode.command, ["nothing", frame])
    assert unknown.exit_code == 1 and "hj212" in unknown.output
