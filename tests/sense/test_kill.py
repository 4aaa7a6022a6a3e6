"""Killed at any line: every acknowledged reading is in the lake, none twice. The sender keeps what was not acknowledged and sends it again."""

import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from zhongshu.kernel.lake import Lake
from zhongshu.kernel.log import LogReader
from zhongshu.sense.observe import publish_streams
from zhongshu.sense.pipeline import Pipeline, PipelineSettings

HERE = Path(__file__).parent
SOURCES = HERE.parent.parent / "src"
DAY = 86_400_000_000
STREAMS = 20


class Process:
    """One process of ours that is started again whenever it has died."""

    def __init__(self, home, script, *args):
        self.command = [sys.executable, str(HERE / script), str(home), *args]
        self.child, self.said, self.deaths = None, "", 0

    def start(self, kill_at=""):
        environment = {**os.environ, "PYTHONPATH": str(SOURCES), "ZHONGSHU_KILL_AT": kill_at}
        self.child = subprocess.Popen(self.command, stdout=subprocess.PIPE, env=environment, text=True)
        self.said = self.child.stdout.readline().strip()

    def revive(self):
        if self.child.poll() is not None:
            assert self.child.returncode == -signal.SIGKILL, f"{self.command[1:]} ended by itself with {self.child.returncode}"
            self.deaths += 1
            self.child.stdout.close()
            self.start()

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        if self.child is not None:
            self.child.terminate()
            try:
                self.child.wait(timeout=20)
            finally:
                self.child.stdout.close()


class Sender:
    """Sends batches in order; a batch is done when a 200 came for it, else it is sent again (so some arrive twice)."""

    def __init__(self, gateway):
        self.gateway, self.acknowledged, self.connection = gateway, {}, None

    def send(self, rows):
        body = json.dumps([{"stream": f"s/{stream}", "t": t, "value": value} for stream, t, value in rows])
        for _ in range(200):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", int(self.gateway.said), timeout=10)
                self.connection.request("POST", "/intake/v1/observations", body, {"authorization": "Bearer t", "content-type": "application/json"})
                answer = self.connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.acknowledged.update({(stream, t): value for stream, t, value in rows})
                    return
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.gateway.child.wait(timeout=0.5)
                self.gateway.revive()
        raise AssertionError("the gateway never answered")


@pytest.fixture
def house(tmp_path):
    publish_streams(pa.Table.from_pylist([{"ordinal": n, "external_id": f"s/{n}"} for n in range(STREAMS)]), tmp_path)
    processes = [Process(tmp_path, "house_gateway.py"), Process(tmp_path, "house_pipeline.py", "pipeline"), Process(tmp_path, "house_pipeline.py", "maintain")]
    yield tmp_path, processes
    for process in processes:
        if process.child is not None and process.child.poll() is None:
            process.kill()
        if process.child is not None:
            process.child.stdout.close()


def make_batch(rng, number, now):
    """Readings of now, of yesterday, and late ones of last week; values differ with every identity."""
    rows = {}
    for _ in range(40):
        stream = rng.randrange(STREAMS)
        t = now - rng.choice([0, 0, 0, DAY, 7 * DAY]) + number * 1000 + rng.randrange(900)
        rows[(stream, t)] = (stream, t, round(rng.random() * 100, 2))
    return list(rows.values())


def check(home, sender, processes):
    if sender.connection is not None:
        sender.connection.close()
    for process in processes:
        process.revive()
    reader = LogReader(home / "log" / "local.sqlite3")
    until = time.monotonic() + 60
    while reader.figures().entries and time.monotonic() < until:
        processes[1].revive()
        processes[2].revive()
        time.sleep(0.02)
    reader.close()
    for process in processes:
        process.stop()
    pipeline = Pipeline(PipelineSettings(home))
    while pipeline.step():
        pass
    pipeline.close()
    with Lake(home / "lake").connect(("observation", "correction")) as connection:
        rows = connection.execute("SELECT stream, t, value FROM observation").fetchall()
        corrections = connection.execute("SELECT count(*) FROM correction").fetchone()[0]
    stored = {(stream, t): value for stream, t, value in rows}
    assert len(rows) == len(stored), "an identity is there twice"
    assert not set(sender.acknowledged.items()) - set(stored.items()), "an acknowledged reading is not in the lake"
    assert corrections == 0
    return stored


CASES = [(0, "gateway.received:5"), (0, "log.committed:4"), (1, "lake.committed:3"), (1, "lake.synced:2"), (1, "facts.committed:3"), (2, "lake.compacting:1")]


@pytest.mark.parametrize(("victim", "point"), CASES)
def test_killed_at_a_named_point_nothing_acknowledged_is_lost_and_nothing_is_there_twice(house, victim, point):
    home, processes = house
    rng, now = random.Random(point), time.time_ns() // 1000 - 60_000_000
    for number, process in enumerate(processes):
        process.start(point if number == victim else "")
    sender, number = Sender(processes[0]), 0
    until = time.monotonic() + 40
    while not processes[victim].deaths and time.monotonic() < until:
        sender.send(make_batch(rng, number, now))
        number += 1
        processes[1].revive()
        processes[2].revive()
    assert processes[victim].deaths, f"{point} was never passed"
    for _ in range(5):
        sender.send(make_batch(rng, number, now))
        number += 1
    assert len(check(home, sender, processes)) >= len(sender.acknowledged) > 100


@pytest.mark.long
def test_killed_fifty_times_at_random_nothing_acknowledged_is_lost_and_nothing_is_there_twice(house):
    home, processes = house
    rng, now = random.Random(50), time.time_ns() // 1000 - 600_000_000
    for process in processes:
        process.start()
    sender, number = Sender(processes[0]), 0
    for _ in range(50):
        until = time.monotonic() + rng.random() * 1.5
        while time.monotonic() < until:
            sender.send(make_batch(rng, number, now))
            number += 1
        rng.choice(processes).kill()
        processes[0].revive()
        processes[1].revive()
        processes[2].revive()
    assert sum(process.deaths for process in processes) >= 50
    assert len(check(home, sender, processes)) >= len(sender.acknowledged)


def test_no_acknowledgement_leaves_before_its_bytes_are_synced(tmp_path):
    """The gateway under strace: between the WAL write of a request's readings and the 200 sent for it there is a sync of the WAL that succeeded."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    gateway = Process(tmp_path, "house_gateway.py")
    gateway.command = [strace, "-f", "-y", "-s", "64", "-e", "trace=pwrite64,write,sendto,sendmsg,writev,fsync,fdatasync", "-o", str(trace), *gateway.command]
    gateway.start()
    sender = Sender(gateway)
    for number in range(10):
        sender.send([(1, 1_772_323_200_000_000 + number, float(number))])
    sender.connection.close()
    os.kill(int(trace.read_text().split(maxsplit=1)[0]), signal.SIGTERM)
    gateway.child.wait(timeout=20)
    gateway.child.stdout.close()
    answered, written, synced = 0, False, False
    for line in _joined(trace.read_text()):
        if "local.sqlite3-wal" in line and "pwrite64(" in line:
            written, synced = True, False
        elif "local.sqlite3-wal" in line and re.search(r"f(data)?sync\(", line) and line.endswith("= 0"):
            synced = written
        elif "HTTP/1.1 200" in line:
            assert written and synced, line
            answered, written, synced = answered + 1, False, False
    assert answered == 10


def _joined(text):
    """Put calls that strace cut in two together, at the place where they ended (sync) or began (send)."""
    begun = {}
    for line in text.splitlines():
        pid, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[pid] = call.removesuffix("<unfinished ...>")
            if "HTTP/1.1" in call:
                yield begun.pop(pid)
        elif call.startswith("<... "):
            if pid in begun:
                yield begun.pop(pid) + call.split("resumed>", 1)[1]
        else:
            yield call
