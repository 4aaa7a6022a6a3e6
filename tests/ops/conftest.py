"""A whole installation as its administrator has it: a data folder, the command line, processes."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(truth, timeout=30.0, what="it"):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if found := truth():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen in time")


class Installation:
    """One data folder; `run` is the command line, `start` a process of `zhongshu run`."""

    def __init__(self, home, records_url="", **settings):
        self.home, self.processes = Path(home), {}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ZHONGSHU_")}
        self.environment |= {"PYTHONPATH": str(ROOT / "src"), "ZHONGSHU_HOME": str(home), "ZHONGSHU_RECORDS_URL": records_url}
        self.intake_port = free_port()
        self.environment |= {"ZHONGSHU_GATEWAY_INTAKE_PORT": str(self.intake_port), "ZHONGSHU_GATEWAY_HJ212_PORT": str(free_port())}
        self.environment |= {f"ZHONGSHU_{key.upper()}": str(value) for key, value in settings.items()}

    def run(self, *arguments, text=None, check=True, timeout=120):
        command = [sys.executable, "-m", "zhongshu", *arguments]
        done = subprocess.run(command, env=self.environment, input=text, capture_output=True, text=True, timeout=timeout, cwd=self.home.parent)
        if check:
            assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def build_city(self):
        done = subprocess.run([sys.executable, str(HERE / "house_city.py")], env=self.environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def start(self, *names):
        for name in names:
            command = [sys.executable, "-m", "zhongshu", "run", name]
            with (self.home / f"{name}.out").open("ab") as out:
                self.processes[name] = subprocess.Popen(command, env=self.environment, stdout=out, stderr=out)
        if "gateway" in names:
            wait_for(lambda: self.is_open(self.intake_port), what="the gateway's opening")

    def is_open(self, port):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return True
        return False

    def stop(self, kill=False):
        for process in self.processes.values():
            process.kill() if kill else process.terminate()
        for process in self.processes.values():
            process.wait(20)
        self.processes.clear()


class Sender(threading.Thread):
    """Posts batches until `stop`; `acknowledged` holds (stream, t) → value of everything answered with 200, in order."""

    def __init__(self, installation, first=0):
        super().__init__(daemon=True)
        self.port, self.acknowledged, self.over, self.number = installation.intake_port, {}, threading.Event(), first
        self.begun_at = time.time_ns() // 1000 - 3_600_000_000

    def run(self):
        while not self.over.is_set():
            self.send()

    def send(self):
        self.number += 1
        rows = []
        for place in range(20):
            age = 0 if place % 5 else 7 * 86_400_000_000  # a fifth is late
            t = self.begun_at - age + self.number * 1000 + place
            rows.append(("http:one/heat" if place % 2 else "http:one/wind", t, float(self.number % 100)))
        rows.append(("http:one/unknown", self.begun_at + self.number, 1.0))
        body = json.dumps([{"stream": stream, "t": t, "value": value} for stream, t, value in rows])
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", "/intake/v1/observations", body, {"authorization": "Bearer http:one:river-stone", "content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        self.acknowledged.update({(stream, t): value for stream, t, value in rows})

    def stop(self):
        self.over.set()
        self.join(20)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """An empty installation on SQLite, migrated once; copied for each test."""
    made = Installation(tmp_path_factory.mktemp("migrated") / "home")
    made.run("migrate")
    return made.home


@pytest.fixture
def install(migrated, tmp_path):
    """`install(name, records_url, **settings)` makes an installation whose processes end with the test."""
    made = []

    def build(name="home", records_url="", **settings):
        installation = Installation(tmp_path / name, records_url, **settings)
        made.append(installation)
        if records_url:
            installation.home.mkdir()
            installation.run("migrate")
        else:
            shutil.copytree(migrated, installation.home)
        return installation

    yield build
    for installation in made:
        installation.stop(kill=True)
