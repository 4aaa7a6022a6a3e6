"""HJ 212 over real sockets into a real log."""

import asyncio
import contextlib
import io
import json

import pyarrow as pa
import pytest

from zhongshu.kernel.log import GroupCommitter, LogReader, LogWriter, RefusedStore
from zhongshu.security.identity.credential import hash_secret
from zhongshu.sense.gateway.batch import Batcher
from zhongshu.sense.gateway.counters import GatewayCounters, read_counters
from zhongshu.sense.gateway.hj212 import Intake212
from zhongshu.sense.gateway.quarantine import Quarantine
from zhongshu.sense.gateway.sources import SourceDirectory, SourceSpec, write_sources
from zhongshu.sense.gateway.tcp import Server212
from zhongshu.sense.protocol.hj212 import format_packet, format_packets

MN = "A110000000000000000000001"
PASSWORD = "123456"


def upload(qn="20260801100000001", when="20260801090000", value="35.5", pw=PASSWORD, mn=MN, flags=True, cn="2061"):
    group = [("a34004-Avg", value), *([("a34004-Flag", "N")] if flags else [])]
    return format_packet(cn=cn, mn=mn, st="22", pw=pw, qn=qn, groups=[[("DataTime", when)], group], is_answer_wanted=True)


class Field:
    """A gateway on a free port with its own log."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log" / "test.sqlite3"
        write_sources(folder / "dim", 1, [SourceSpec(f"hj212:{MN}", "u-1", "hj212", {"zone": 8}, hash_secret(f"hj212:{MN}", PASSWORD))])

    async def __aenter__(self):
        self.writer = LogWriter(self.log)
        self.committer = GroupCommitter(self.writer)
        self.reader = LogReader(self.log)
        self.counters = GatewayCounters(self.folder / "run")
        self.quarantine = Quarantine(self.log)
        self.directory = SourceDirectory(self.folder / "dim")
        self.batcher = Batcher(self.committer, "test")
        self.batcher.start()
        self.intake = Intake212(self.directory, self.counters, self.quarantine, self.reader.find_seen)
        self.server = Server212(self.intake, self.batcher, max_connections=3, idle_s=5)
        await self.server.start("127.0.0.1", 0)
        return self

    async def __aexit__(self, *error):
        await self.server.close()
        await self.batcher.close()
        self.committer.close(), self.writer.close(), self.reader.close()
        self.quarantine.close()

    @contextlib.asynccontextmanager
    async def device(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            await writer.wait_closed()

    def entries(self, kind):
        reader = LogReader(self.log)
        found = [row for e in reader.read(0) if e.kind == kind for row in pa.ipc.open_stream(io.BytesIO(e.body)).read_all().to_pylist()]
        reader.close()
        return found

    def refused(self):
        store = RefusedStore(self.log)
        found = store.list_refused()
        store.close()
        return found


async def answer(reader, timeout=5):
    async with asyncio.timeout(timeout):
        return await reader.readuntil(b"\r\n")


def run(folder, story):
    async def tell():
        async with Field(folder) as field:
            await story(field)
        return field

    return asyncio.run(tell())


def test_an_upload_is_on_the_log_when_its_9014_arrives(tmp_path):
    async def story(field):
        async with field.device() as (reader, writer):
            writer.write(upload())
            got = await answer(reader)
            assert b"CN=9014" in got and b"QN=20260801100000001" in got
            rows = field.entries("readings")
            assert rows == [{"stream": f"hj212:{MN}/a34004-Avg", "t": 1_785_546_000_000_000, "sub": 0, "value": 35.5, "quality": 0}]
            assert [f["state"] for f in field.entries("frames")] == [0]

    run(tmp_path, story)


def test_no_answer_leaves_before_the_commit(tmp_path):
    async def story(field):
        order = []
        append = field.writer.append_group
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(group, within=None):
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(10)
            order.append("committed")
            return append(group, within)

        field.writer.append_group = slow
        async with field.device() as (reader, writer):
            writer.write(upload())
            with pytest.raises(TimeoutError):
                await answer(reader, timeout=0.3)
            gate.set()
            await answer(reader)
            order.append("answered")
        assert order[:2] == ["committed", "answered"]

    run(tmp_path, story)


def test_glued_cut_and_dirty_packets_are_told_apart(tmp_path):
    async def story(field):
        frames = [upload(qn=f"202608011000000{n:02}", when=f"202608010{n}0000", value=str(n)) for n in range(4)]
        stream = b"noise" + frames[0] + frames[1][:-6] + b"0000\r\n" + frames[2] + frames[3]
        async with field.device() as (reader, writer):
            for at in range(0, len(stream), 37):
                writer.write(stream[at : at + 37])
                await writer.drain()
            got = [await answer(reader) for _ in range(3)]
        assert [b"QN=20260801100000000" in got[0], b"QN=20260801100000002" in got[1], b"QN=20260801100000003" in got[2]] == [True] * 3

    field = run(tmp_path, story)
    assert [row["value"] for row in field.entries("readings")] == [0.0, 2.0, 3.0]
    reasons = [r.reason.split(":")[0] for r in field.refused()]
    assert sorted(reasons) == ["crc", "rubbish"]
    assert field.counters.of(f"hj212:{MN}").refused["crc"] == 1
    assert [f["state"] for f in field.entries("frames")] == [0, 2, 0, 0]


def test_a_resent_frame_is_answered_but_not_kept_twice_even_after_a_restart(tmp_path):
    async def once(field):
        async with field.device() as (reader, writer):
            writer.write(upload() + upload())
            await answer(reader), await answer(reader)

    run(tmp_path, once)
    field = run(tmp_path, once)
    assert len(field.entries("readings")) == 1 and len(field.entries("frames")) == 1
    assert field.counters.of(f"hj212:{MN}").repeated >= 2


def test_an_unknown_station_is_quarantined_not_acknowledged_and_welcome_once_it_is_registered(tmp_path):
    other = "B220000000000000000000002"

    async def story(field):
        async with field.device() as (reader, writer):
            writer.write(upload(mn=other))
            with pytest.raises(TimeoutError):
                await answer(reader, timeout=0.3)
            spec = SourceSpec(f"hj212:{other}", "u-2", "hj212")
            write_sources(field.folder / "dim", 2, [spec])
            async with asyncio.timeout(4):
                while True:
                    writer.write(upload(mn=other))
                    with contextlib.suppress(TimeoutError):
                        if b"CN=9014" in await answer(reader, timeout=0.2):
                            break

    field = run(tmp_path, story)
    refused = field.refused()
    assert refused[0].source == f"hj212:{other}" and refused[0].reason.startswith("unknown-source: ")
    assert refused[0].body == upload(mn=other).strip()
    assert len(field.entries("readings")) == 1


def test_a_wrong_password_is_refused_and_a_command_is_told_so(tmp_path):
    async def story(field):
        async with field.device() as (reader, writer):
            writer.write(upload(pw="654321"))
            request = format_packet(cn="3019", mn=MN, st="22", pw="654321", qn="20260801100000009", groups=[[("PolId", "a34004")]], is_answer_wanted=True)
            writer.write(request)
            got = await answer(reader)
            assert b"CN=9011" in got and b"QnRtn=3" in got

    field = run(tmp_path, story)
    assert field.entries("readings") == []
    assert field.counters.of(f"hj212:{MN}").refused["password"] == 2


def test_a_missing_hour_is_a_row_with_quality(tmp_path):
    async def story(field):
        async with field.device() as (reader, writer):
            groups = [[("DataTime", "20260801090000")], [("a34004-Flag", "B")]]
            writer.write(format_packet(cn="2061", mn=MN, st="22", pw=PASSWORD, qn="20260801100000001", groups=groups, is_answer_wanted=True))
            await answer(reader)

    rows = run(tmp_path, story).entries("readings")
    assert [(r["value"], r["quality"]) for r in rows] == [(None, 16)]


def test_each_packet_of_a_divided_message_is_kept_and_answered_for_itself(tmp_path):
    async def story(field):
        qns = (f"202608011000000{n:02}" for n in range(9))
        groups = [[("DataTime", "20260801090000")], *([(f"a{34000 + n}-Avg", "1.5"), (f"a{34000 + n}-Flag", "N")] for n in range(60))]
        packets = format_packets(cn="2061", mn=MN, st="22", pw=PASSWORD, qns=qns, groups=groups, is_answer_wanted=True)
        assert len(packets) > 1
        async with field.device() as (reader, writer):
            for count, packet in enumerate(packets, 1):
                writer.write(packet)
                await answer(reader)
                assert len(field.entries("frames")) == count

    assert len(run(tmp_path, story).entries("readings")) == 60


def test_more_connections_than_allowed_are_turned_away_and_counted(tmp_path):
    async def story(field):
        async with field.device(), field.device(), field.device() as (reader, writer):
            writer.write(upload())
            await answer(reader)
            async with field.device() as (extra, _):
                async with asyncio.timeout(5):
                    assert await extra.read() == b""
        field.counters.write(partition="test")

    field = run(tmp_path, story)
    assert field.counters.turned_away == 1
    kept = read_counters(tmp_path / "run")["sources"][f"hj212:{MN}"]
    assert kept["frames"] == 1 and kept["readings"] == 1 and kept["address"].startswith("127.0.0.1:")
    assert json.dumps(kept)


def test_a_connection_whose_profile_is_wrong_is_refused_with_the_key_that_is_wrong(tmp_path):
    async def story(field):
        write_sources(tmp_path / "dim", 2, [SourceSpec(f"hj212:{MN}", "u-1", "hj212", {"label": "middle"})])
        field.directory._looked = float("-inf")
        async with field.device() as (reader, writer):
            writer.write(upload())
            with pytest.raises(TimeoutError):
                await answer(reader, timeout=0.3)

    refused = run(tmp_path, story).refused()
    assert refused[0].reason.startswith("profile: ") and "middle" in refused[0].reason
