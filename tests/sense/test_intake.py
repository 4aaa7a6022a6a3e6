import asyncio
import io
import json

import pyarrow as pa
import pytest

from zhongshu.kernel.log import GroupCommitter, LogReader, LogWriter, RefusedStore
from zhongshu.sense.gateway.intake import PATH, Intake, Source

US = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z


@pytest.fixture
def gate(tmp_path):
    gate = Gate(tmp_path / "log" / "local.sqlite3")
    yield gate
    gate.close()


class Gate:
    def __init__(self, path, **options):
        self.writer, self.reader, self.refused = LogWriter(path), LogReader(path), RefusedStore(path)
        self.committer = GroupCommitter(self.writer)
        sources = {"good": Source("station", ("hj212:A/",)), "all": Source("hub", ("",))}
        self.intake = Intake(self.committer, sources.get, refused=self.refused, clock=lambda: US + 5, **options)

    def post(self, body, token="all", content_type="application/json", path=PATH, method="POST", parts=1, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        step = max(len(body) // parts, 1)
        messages = [{"type": "http.request", "body": body[n : n + step], "more_body": n + step < len(body)} for n in range(0, len(body), step)] or [
            {"type": "http.request"}
        ]
        sent = []

        async def receive():
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        given = [(b"content-type", content_type.encode()), (b"authorization", f"Bearer {token}".encode())]
        given += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        asyncio.run(self.intake({"type": "http", "path": path, "method": method, "headers": given}, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])

    def rows(self):
        return [row for e in self.reader.read(0) for row in pa.ipc.open_stream(e.body).read_all().to_pylist()]

    def close(self):
        self.committer.close(), self.writer.close(), self.reader.close(), self.refused.close()


def test_readings_are_on_the_log_when_the_answer_comes(gate):
    body = [{"stream": "a/1", "t": "2026-03-01T08:00:00+08:00", "value": 1.5}, {"stream": "a/2", "t": "2026-03-01T00:00:00.25Z", "value": None, "quality": 13, "sub": 2}]
    assert gate.post(body, parts=3) == (200, {"taken": 2, "repeated": False})
    assert gate.rows() == [
        {"stream": "a/1", "t": US, "sub": 0, "value": 1.5, "quality": 0},
        {"stream": "a/2", "t": US + 250_000, "sub": 2, "value": None, "quality": 13},
    ]
    [entry] = gate.reader.read(0)
    assert (entry.source, entry.kind, entry.received_at_us) == ("hub", "readings", US + 5)


def test_columns_and_arrow_say_the_same_as_readings(gate):
    assert gate.post({"streams": ["a", "b"], "stream": [1, 0], "t": [US, US // 1000], "value": [1, 2.5]})[0] == 200
    table = pa.table({"stream": ["b", "a"], "t": pa.array([US, US], pa.timestamp("us", tz="Asia/Shanghai")), "value": [1.0, 2.5]})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    assert gate.post(sink.getvalue(), content_type="application/vnd.apache.arrow.stream")[0] == 200
    rows = gate.rows()
    assert rows[:2] == rows[2:] == [{"stream": "b", "t": US, "sub": 0, "value": 1.0, "quality": 0}, {"stream": "a", "t": US, "sub": 0, "value": 2.5, "quality": 0}]


GOOD = {"stream": "a", "t": US, "value": 1.0}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        ([], "no reading"),
        ([GOOD, {"stream": "a", "value": 1}], "[1]"),
        ([GOOD, GOOD | {"value": "x"}], "[1].value"),
        ([GOOD, GOOD | {"t": "2026-03-01T00:00:00Z"}], "reading 1: t is text"),
        ([GOOD | {"t": "2026-03-01T00:00:00Z"}] * 5 + [GOOD | {"t": "2026-13-01T00:00:00Z"}], "reading 5: t '2026-13-01"),
        ([GOOD | {"t": "2026-03-01T00:00:00"}], "with a zone"),
        ([GOOD, GOOD | {"quality": 5}], "reading 1: quality"),
        ([GOOD, GOOD | {"quality": 1 << 70}], "quality"),
        ([GOOD | {"t": 1 << 63}], "t"),
        ([GOOD | {"t": 0}], "between 1971"),
        ([GOOD | {"sub": 256}], "sub-index"),
        ([GOOD | {"stream": ""}], "empty"),
        ([GOOD | {"stream": "x" * 300}], "longer"),
        ({"streams": ["a"], "stream": [0, 1], "t": [US, US], "value": [1, 2]}, "reading 1: stream '1'"),
        ({"streams": ["a"], "stream": [0, 0], "t": [US], "value": [1, 2]}, "one length"),
    ],
)
def test_a_wrong_body_is_refused_whole_with_what_is_wrong(gate, body, words):
    status, answer = gate.post(body)
    assert status == 400 and words in answer["error"], answer
    assert gate.rows() == []
    assert gate.refused.list_refused()[0].reason == answer["error"]


def test_a_broken_arrow_stream_is_refused(gate):
    for body in (b"", b"ARROW1 not really", pa.ipc.new_stream):
        if callable(body):
            sink = io.BytesIO()
            with pa.ipc.new_stream(sink, pa.schema([("x", pa.int8())])):
                pass
            body = sink.getvalue()
        assert gate.post(body, content_type="application/vnd.apache.arrow.stream")[0] == 400


def test_who_may_not_is_told_so(gate, tmp_path):
    assert gate.post([GOOD], token="nobody")[0] == 401
    status, answer = gate.post([GOOD | {"stream": "hj212:A/1"}, GOOD | {"stream": "hj212:B/1"}], token="good")
    assert status == 403 and "hj212:B/1" in answer["error"]
    assert gate.post([GOOD | {"stream": "hj212:A/1"}], token="good")[0] == 200
    assert gate.post([GOOD], path="/x")[0] == 404 and gate.post([GOOD], method="GET")[0] == 405
    assert gate.post(b"x", content_type="text/csv")[0] == 400
    assert gate.intake.counts == {"401": 1, "403": 1, "200": 1, "404": 1, "405": 1, "400": 1, "readings": 1}


def test_a_body_too_large_is_not_read_to_its_end(tmp_path):
    gate = Gate(tmp_path / "local.sqlite3", max_body=100)
    assert gate.post([GOOD] * 10, content_length="500")[0] == 413
    assert gate.post([GOOD] * 10, parts=5)[0] == 413
    assert gate.post([GOOD])[0] == 200 and gate.intake._waiting == 0
    gate.close()


def test_a_repeated_idempotency_key_writes_nothing(gate):
    assert gate.post([GOOD], idempotency_key="k1")[1] == {"taken": 1, "repeated": False}
    assert gate.post([GOOD], idempotency_key="k1")[1] == {"taken": 0, "repeated": True}
    assert gate.post([GOOD | {"stream": "hj212:A/1"}], token="good", idempotency_key="k1")[1]["taken"] == 1
    assert len(gate.rows()) == 2


def test_a_full_log_answers_come_again(tmp_path):
    gate = Gate(tmp_path / "local.sqlite3")
    gate.committer._max_log = 0
    status, answer = gate.post([GOOD])
    assert status == 503 and "behind" in answer["error"] and gate.rows() == []
    gate.close()
