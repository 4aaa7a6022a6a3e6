"""Two machines and NATS between them: what the far gateway acknowledged reaches the lake once, whatever NATS loses."""

import http.client
import json
import os
import shutil
import subprocess
import time

import pytest

from zhongshu.kernel.lake import Lake
from zhongshu.kernel.log import LogEntry, LogMirror, LogReader, OriginDiffers

from .conftest import Sender, free_port, wait_for

DAY = 86_400_000_000


class NatsServer:
    def __init__(self, binary, folder):
        self.port, self.folder = free_port(), folder
        self.command = [binary, "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(self.port)]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(require, tmp_path):
    made = NatsServer(require("nats"), tmp_path / "nats")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def machines(install, server):
    """The centre with pipeline and records, and a far machine that only takes in."""
    url = f"nats://127.0.0.1:{server.port}"
    centre, far = install("centre", nats_url=url), install("far", nats_url=url, nats_role="forward", gateway_partition="far")
    centre.build_city()
    shutil.copytree(centre.home / "dim", far.home / "dim")
    shutil.copy(centre.home / "secret.key", far.home / "secret.key")
    centre.start("pipeline", "receive")
    far.start("gateway", "forward")
    return centre, far


def count_waiting(home, partition="far"):
    path = home / "log" / f"{partition}.sqlite3"
    if not path.exists():
        return None
    reader = LogReader(path)
    waiting = reader.figures().entries
    reader.close()
    return waiting


def read_rows(home):
    lake = Lake(home / "lake")
    with lake.connect(("observation",)) as connection:
        rows = connection.execute("SELECT stream, t, value FROM observation").fetchall()
    lake.close()
    assert len(rows) == len({row[:2] for row in rows}), "an identity is there twice"
    return {(("http:one/heat", "http:one/wind")[stream % 2], t): value for stream, t, value in rows if stream < 2}


def post_large(far, acknowledged):
    """One body whose log entry is larger than a NATS message may be (1 MiB)."""
    start, rng = time.time_ns() // 1000 - DAY // 2, os.urandom(120_000)
    times = [start + n * 1000 + rng[n] for n in range(120_000)]
    values = [int.from_bytes(rng[n : n + 7], "big") / 2**50 - 30 for n in range(120_000)]
    body = json.dumps({"streams": ["http:one/wind"], "stream": [0] * len(times), "t": times, "value": values})
    connection = http.client.HTTPConnection("127.0.0.1", far.intake_port, timeout=20)
    connection.request("POST", "/intake/v1/observations", body, {"authorization": "Bearer http:one:river-stone", "content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()
    acknowledged.update({("http:one/wind", t): value for t, value in zip(times, values, strict=True)})


@pytest.mark.nats
def test_killing_and_losing_nats_and_our_own_processes_loses_nothing_acknowledged(machines, server):
    centre, far = machines
    sender = Sender(far)
    post_large(far, sender.acknowledged)
    sender.start()
    wait_for(lambda: count_waiting(centre.home) is not None and sender.number > 40, what="forwarding")

    server.kill()  # the far machine goes on taking in
    taken = sender.number
    wait_for(lambda: sender.number > taken + 40, what="intake without NATS")
    server.start()
    time.sleep(1.0)
    for process in (far.processes["forward"], centre.processes["receive"]):
        process.kill()
        process.wait()
    server.kill()
    shutil.rmtree(server.folder)  # the stream with all it held is gone
    server.start()
    far.start("forward")
    centre.start("receive")
    taken = sender.number
    wait_for(lambda: sender.number > taken + 40, what="intake after the loss")
    sender.stop()

    wait_for(lambda: count_waiting(far.home) == 0, 90, "the trimming of the far log")
    wait_for(lambda: count_waiting(centre.home) == 0, 30, "the emptying of the centre's copy")
    centre.stop()
    known = {key: value for key, value in sender.acknowledged.items() if not key[0].endswith("unknown")}
    stored = read_rows(centre.home)
    missing = set(known.items()) - set(stored.items())
    assert not missing, f"{len(missing)} of {len(known)} acknowledged readings are missing"
    assert set(stored) == set(known)


@pytest.mark.nats
def test_a_partition_name_of_the_centres_own_is_refused_and_nothing_is_trimmed(install, server):
    url = f"nats://127.0.0.1:{server.port}"
    centre = install("centre", nats_url=url)
    far = install("far", nats_url=url, nats_role="forward")
    centre.build_city()
    shutil.copytree(centre.home / "dim", far.home / "dim")
    shutil.copy(centre.home / "secret.key", far.home / "secret.key")
    centre.start("receive")
    far.start("gateway", "forward")
    sender = Sender(far)
    sender.send()
    pulse = far.home / "run" / "forward.json"
    wait_for(lambda: pulse.exists() and "cannot be forwarded here" in json.loads(pulse.read_text())["error"], what="the refusal")
    assert count_waiting(far.home, "local") == 1 and not (centre.home / "log" / "local.sqlite3").exists()


def test_a_mirror_keeps_numbers_drops_repetitions_and_refuses_another_log(tmp_path):
    mirror = LogMirror(tmp_path / "log" / "far.sqlite3")
    mirror.check_origin("a")
    entries = [LogEntry(seq, "readings", 1, "s", b"x") for seq in (5, 6, 9)]
    assert (mirror.store(entries), mirror.store(entries), mirror.have, mirror.trimmed) == (3, 0, 9, 4)
    reader = LogReader(mirror.path)
    assert [e.seq for e in reader.read(5)] == [6, 9]
    reader.trim(6)
    assert mirror.trimmed == 8
    reader.trim(9)
    assert (mirror.trimmed, mirror.have, mirror.store(entries)) == (9, 9, 0)
    with pytest.raises(OriginDiffers, match="new name"):
        mirror.check_origin("b")
    reader.close()
    mirror.close()
