"""A house of a benchmark's own: a data folder, free ports, its records in this process, its other processes beside it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, RemoteDisconnected
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

__all__ = ["Person", "describe_load", "find_free_ports", "open_house", "print_figures", "quantile", "run_processes", "wait_for_page", "wait_for_port"]


def find_free_ports(count: int) -> list[int]:
    """Return ports of the loopback nobody listens on now."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def open_house(home: Path, **settings: str) -> None:
    """Make `home` this process's installation, with every declaration made; settings as `section_key="value"`. Once a process, before anything reads settings."""
    for name in [name for name in os.environ if name.startswith("ZHONGSHU_")]:
        del os.environ[name]
    os.environ["ZHONGSHU_HOME"] = str(home)
    os.environ |= {f"ZHONGSHU_{name.upper()}": value for name, value in settings.items()}
    from zhongshu.config.boot import boot  # settings are read at import

    boot()


@contextmanager
def run_processes(names: Iterable[str], log: Path) -> Iterator[list[int]]:
    """Run `zhongshu run <name>` for each name with this process's settings; gives their ids and ends them afterwards. What they say goes to `log`."""
    with log.open("ab") as out:
        started = [subprocess.Popen([sys.executable, "-m", "zhongshu", "run", name], stdout=out, stderr=out) for name in names]
        try:
            yield [process.pid for process in started]
            ended = [process.args for process in started if process.poll() is not None]
            if ended:
                sys.exit(f"ended before its time: {ended[0]}\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
        finally:
            for process in started:
                process.terminate()
            for process in started:
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def wait_for_page(url: str, log: Path, seconds: float = 60) -> None:
    """Return once something answers at `url`; ends the benchmark with the log when nothing does in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"{url} does not answer:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def wait_for_port(port: int, log: Path, seconds: float = 60) -> None:
    """Return once somebody listens on a port of the loopback."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nobody listens on port {port}:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


class Person:
    """Somebody logged in through the page, on one kept connection."""

    def __init__(self, port: int, login: str, password: str) -> None:
        self.port, self._cookies = port, SimpleCookie()
        self._line = HTTPConnection("127.0.0.1", port, timeout=120)
        self.get("/login/")
        form = urlencode({"username": login, "password": password, "csrfmiddlewaretoken": self._cookies["csrftoken"].value})
        status, _body = self._ask("POST", "/login/", form, {"Content-Type": "application/x-www-form-urlencoded"})
        if status != 302:
            sys.exit(f"{login} was not let in: {status}")

    @property
    def cookie(self) -> str:
        """The header that says who asks."""
        return "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; a connection the server closed while nothing was asked is opened again."""
        try:
            return self._ask("GET", path, None, {})
        except RemoteDisconnected:
            self._line.close()
            return self._ask("GET", path, None, {})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._line.request(method, path, body, {"Cookie": self.cookie, **headers})
        answer = self._line.getresponse()
        for value in answer.headers.get_all("Set-Cookie") or ():
            self._cookies.load(value)
        return answer.status, answer.read()


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-round(len(ordered) * share * 1e6) // 10**6) - 1)]


def print_figures(name: str, seconds: Sequence[float], limit_ms: float, share: float) -> float:
    """Print one line of times in ms, the one at `share` against its limit; returns that ratio."""
    at = quantile(seconds, share) * 1000
    middle, most = quantile(seconds, 0.5) * 1000, max(seconds) * 1000
    times = f"p50 {middle:>7.1f}  p{share * 100:.0f} {at:>7.1f}  max {most:>7.1f} ms"
    print(f"{name:<44} n {len(seconds):>5}  {times}  {at / limit_ms:>5.2f} of the limit of {limit_ms:.0f} ms")
    return at / limit_ms


def describe_load() -> str:
    """Return the machine's load average: figures of a busy machine are not those of a quiet one."""
    return "load average {:.1f} {:.1f} {:.1f}".format(*os.getloadavg())
