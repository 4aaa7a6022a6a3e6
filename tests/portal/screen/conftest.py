"""One small city with a real web server in a process of its own, and clients for its pages and streams."""

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Person:
    city: "CityServer"
    name: str
    session: str
    token: str

    def get(self, path: str, **headers: str) -> Answer:
        return self.city.get(path, {"Cookie": f"sessionid={self.session}", **{k.replace("_", "-"): v for k, v in headers.items()}})

    def listen(self, path: str, **headers: str) -> "Stream":
        return Stream(self.city.port, path, {"Cookie": f"sessionid={self.session}", **{k.replace("_", "-"): v for k, v in headers.items()}})


@dataclass
class Event:
    name: str
    data: Any
    id: str
    at: float


@dataclass
class Stream:
    """A reader of server-sent events in a thread; `ended` once the server closed."""

    port: int
    path: str
    headers: dict[str, str]
    status: int = 0
    seen: list[Event] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._queue: queue.Queue[Event] = queue.Queue()
        self._line = HTTPConnection("127.0.0.1", self.port, timeout=30)
        self._line.request("GET", self.path, headers=self.headers)
        self._answer = self._line.getresponse()
        self.status = self._answer.status
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        name = id = data = ""
        try:
            for raw in self._answer:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("id: "):
                    id = line[4:]
                elif line.startswith("data: "):
                    data = line[6:]
                elif not line and data:
                    self._queue.put(Event(name, json.loads(data), id, time.monotonic()))
                    name = id = data = ""
        except (OSError, ValueError):
            pass
        self.ended.set()

    def wait(self, name: str, test: Callable[[Any], bool] = lambda data: True, timeout: float = 5.0) -> Event:
        """Return the next event of a name that passes the test; fails after `timeout` seconds."""
        until = time.monotonic() + timeout
        while True:
            try:
                event = self._queue.get(timeout=max(0.001, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {name} within {timeout} s; seen: {[e.name for e in self.seen[-20:]]}") from None
            self.seen.append(event)
            if event.name == name and test(event.data):
                return event

    def close(self) -> None:
        if self._line.sock is not None:
            self._line.sock.shutdown(socket.SHUT_RDWR)
        self.ended.wait(5)
        self._line.close()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class CityServer:
    """The process; `do(name, …)` runs one of its commands."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home, self._names = home, 0
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ZHONGSHU_")} | {"PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, str(Path(__file__).parent / "city_server.py"), str(home), str(self.port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.facts = self._answer()

    def do(self, name: str, /, **given: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": name, **given}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the city's process ended; its error is above"
        return json.loads(line)

    def person(self, role: str = "duty-officer", division: str = "", language: str = "zh-hans") -> Person:
        self._names += 1
        name = f"person{self._names}"
        return Person(self, name, **self.do("user", name=name, role=role, division=division, language=language))

    def division(self, code: str) -> str:
        return str(self.facts["divisions"][code])

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        line = HTTPConnection("127.0.0.1", self.port, timeout=20)
        line.request("GET", path, headers=headers or {})
        answer = line.getresponse()
        found = Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        line.close()
        return found

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CityServer]:
    made = CityServer(tmp_path_factory.mktemp("city"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def officer(city: CityServer) -> Person:
    """Sees the whole city."""
    return city.person()


@pytest.fixture(scope="session")
def county_officer(city: CityServer) -> Person:
    """Sees the first county only."""
    return city.person(division="990101")
