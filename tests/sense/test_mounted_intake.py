"""`/intake` on the web origin: the same promise and the same credentials as at the gateway, over the web process's own partition."""

import asyncio
import json

import pyarrow as pa
import pytest

from zhongshu.config.mounts import build_mounts
from zhongshu.kernel.home import House, Web
from zhongshu.kernel.log import LogReader
from zhongshu.security.identity.credential import hash_secret
from zhongshu.sense.gateway.intake import PATH
from zhongshu.sense.gateway.mounted import MountedIntake
from zhongshu.sense.gateway.sources import SourceSpec, write_sources

ROWS = [{"stream": "http:one/heat", "t": 1_772_323_200_000_000, "value": 21.5}]


@pytest.fixture
def mounted(tmp_path):
    write_sources(tmp_path / "dim", 1, [SourceSpec("http:one", "one", "http", {}, hash_secret("http:one", "river-stone"))])
    made = MountedIntake(House(home=tmp_path))
    yield made
    made.close()


def post(app, rows, token):
    sent, waiting = [], [{"type": "http.request", "body": json.dumps(rows).encode()}]

    async def receive():
        return waiting.pop()

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {token}".encode())]
    asyncio.run(app({"type": "http", "path": PATH, "method": "POST", "headers": headers}, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_a_connection_with_its_credential_is_taken_into_the_partition_of_the_web_process(mounted, tmp_path):
    assert not (tmp_path / "log").exists(), "nobody sent anything"
    assert post(mounted, ROWS, "http:one:river-stone") == (200, {"taken": 1, "repeated": False})
    reader = LogReader(tmp_path / "log" / "web.sqlite3")
    (entry,) = reader.read(0)
    reader.close()
    assert pa.ipc.open_stream(entry.body).read_all().column("value").to_pylist() == [21.5]


def test_no_credential_and_foreign_streams_are_refused(mounted):
    assert post(mounted, ROWS, "http:one:wrong")[0] == 401
    assert post(mounted, [{**ROWS[0], "stream": "http:two/heat"}], "http:one:river-stone")[0] == 403


def test_a_partition_that_cannot_be_opened_is_told_and_not_acknowledged(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "web.sqlite3").mkdir()
    app = MountedIntake(House(home=tmp_path))
    assert post(app, ROWS, "http:one:river-stone") == (503, {"error": "the log cannot be written at the moment"})


def test_the_settings_decide_whether_the_web_origin_takes_readings(tmp_path):
    assert "/intake/" in build_mounts(House(home=tmp_path))
    assert "/intake/" not in build_mounts(House(home=tmp_path, web=Web(intake=False)))
