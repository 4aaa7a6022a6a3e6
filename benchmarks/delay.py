"""How long a reading takes from a device's socket to the operator's screen: gateway, pipeline and web as processes of their own, with readings of other devices beside.

    python -m benchmarks.delay [--seconds 25] [--stations 10] [--beside 5000]

Stations send one HJ 212-2017 frame a second each (command 2011, one pollutant) over kept TCP connections; beside them `--beside` observations a second
come in by HTTP, 1,000 a body. A browser's stream, `/live/screen` of their town (where every thing is shown with its value), is read as a browser does.
The time counts from just before the frame's bytes go into the socket until the event that shows its value (or a later one of that station) has been
read and parsed. Limit (HOUSE): p99 ≤ 1 s; there at 50,000 observations/s.
"""

import argparse
import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks._house import Person, describe_load, find_free_ports, open_house, print_figures, quantile, run_processes, wait_for_page, wait_for_port

LIMIT_MS = 1000.0
POLLUTANT = "a34004-Rtd"
PASSWORD, SECRET = "123456", "river-stone"
LOGIN, LOGIN_PASSWORD = "operator", "a river stone by the bridge"
BESIDE, PER_BODY = 1000, 1000
CITY_ZONE = timezone(timedelta(hours=8))
WARM_S = 5.0
LEVELS = (("9901", "city"), ("990101", "county"), ("990101001", "town"))
TOWN = LEVELS[-1][0]


def build(stations: int) -> dict[str, str]:
    """Fill a house: one city, an operator, stations on HJ 212, and one source of many streams; returns station number → uid of its thing."""
    import shapely
    from django.conf import settings

    from zhongshu.config.cli.migrate import migrate_records
    from zhongshu.kernel.place.models import Division
    from zhongshu.kernel.record import SYSTEM, change
    from zhongshu.security.access import create_grant
    from zhongshu.security.identity import Organisation, User
    from zhongshu.sense.device.models import Product, Property, Thing
    from zhongshu.sense.device.publish import publish_all
    from zhongshu.sense.device.register import ThingRow, register_things

    migrate_records(0)
    with change(SYSTEM, "a city for a benchmark"):
        shape, city = bytes(shapely.to_wkb(shapely.box(114, 30, 114.2, 30.2))), None
        for depth, (code, level) in enumerate(LEVELS):
            city = Division(code=code, name=level, level=level, parent=city, left=1 + depth, right=2 * len(LEVELS) - depth, lon=114.1, lat=30.1, shape=shape)
            city.save()
        centre = Organisation(code="centre", name="城市运行中心", kind="centre", division=city, left=1, right=2)
        centre.save()
        user = User(username=LOGIN, name=LOGIN, organisation=centre)
        user.set_password(LOGIN_PASSWORD)
        user.save()
        create_grant(SYSTEM, "a benchmark", "duty-officer", user=user)
        sensor, load = Product(code="sensor", name="sensor"), Product(code="load", name="load")
        sensor.save()
        load.save()
        Property(product=sensor, code=POLLUTANT, name="PM2.5", unit="ug/m3", decimals=0, headline=True).save()
        Property.objects.bulk_create([Property(product=load, code=f"p{n}", name=f"p{n}") for n in range(BESIDE)])
    place: dict[str, Any] = {"division": TOWN, "organisation": "centre"}
    rows = [
        ThingRow(f"hj212:{name_station(n)}", f"站{n}", "sensor", 114.01 + n * 0.18 / stations, 30.1, protocol="hj212", profile={"zone": 8}, secret=PASSWORD, **place)
        for n in range(stations)
    ]
    register_things([*rows, ThingRow("http:load", "load", "load", protocol="http", secret=SECRET, **place)], SYSTEM, "a city for a benchmark")
    publish_all(settings.HOUSE)
    return {str(external): str(uid) for external, uid in Thing.objects.filter(product=sensor).values_list("external_id", "uid")}


def name_station(number: int) -> str:
    """Return the MN of a station: 24 signs (HJ 212-2017, 6.3.1)."""
    return f"A990100000000000000{number:05d}"


class Screen(threading.Thread):
    """Reads the live stream; `seen` holds (moment, uid of the thing, value)."""

    def __init__(self, person: Person, division: str) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, str, float]] = []
        self._line = HTTPConnection("127.0.0.1", person.port, timeout=120)
        self._line.request("GET", f"/live/screen?division={division}", headers={"Cookie": person.cookie})
        self._answer = self._line.getresponse()
        if self._answer.status != 200:
            sys.exit(f"the live stream is refused: {self._answer.status} {self._answer.read(300)!r}")

    def run(self) -> None:
        """Read until the server ends."""
        name = ""
        try:
            for raw in self._answer:
                if raw.startswith(b"event: "):
                    name = raw[7:].decode().strip()
                elif raw.startswith(b"data: ") and name == "map":
                    data = json.loads(raw[6:])
                    moment = time.perf_counter()
                    self.seen += [(moment, c["uid"], c["value"]) for c in data["changes"] if data["layer"] == "things" and c.get("value") is not None]
        except (OSError, ValueError):
            return


class Station(threading.Thread):
    """Sends one frame a second; the n-th carries the value n. `sent` holds the moments by value."""

    def __init__(self, number: int, port: int, until: float, offset: float) -> None:
        super().__init__(daemon=True)
        self.name_on_wire, self.sent, self.answers = name_station(number), [], 0
        self._until, self._offset, self._port = until, offset, port

    def run(self) -> None:
        """Send, and read the answer to each frame before the next."""
        from zhongshu.sense.protocol.hj212 import format_packet

        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            due = time.monotonic() + self._offset
            while due < self._until:
                time.sleep(max(0.0, due - time.monotonic()))
                now = datetime.now(CITY_ZONE)
                groups = [[("DataTime", f"{now:%Y%m%d%H%M%S}")], [(POLLUTANT, str(len(self.sent) + 1)), ("a34004-Flag", "N")]]
                frame = format_packet(
                    cn="2011", mn=self.name_on_wire, st="22", pw=PASSWORD, qn=f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}", groups=groups, is_answer_wanted=True
                )
                self.sent.append(time.perf_counter())
                line.sendall(frame)
                answer = b""
                while not answer.endswith(b"\r\n"):
                    answer += line.recv(4096)
                self.answers += b"CN=9014" in answer
                due += 1.0


class Beside(threading.Thread):
    """Sends readings of other streams at a steady rate; `taken` counts what was acknowledged."""

    def __init__(self, port: int, rate: int, until: float) -> None:
        super().__init__(daemon=True)
        self.taken = 0
        self._port, self._rate, self._until = port, rate, until

    def run(self) -> None:
        """Post bodies of 1,000."""
        line = HTTPConnection("127.0.0.1", self._port, timeout=30)
        names = [f"http:load/p{n}" for n in range(BESIDE)]
        head, due = {"Authorization": f"Bearer http:load:{SECRET}", "Content-Type": "application/json"}, time.monotonic()
        while due < self._until and self._rate:
            time.sleep(max(0.0, due - time.monotonic()))
            stamp = int(datetime.now(UTC).timestamp() * 1e6)
            body = {"streams": names, "stream": list(range(PER_BODY)), "t": [stamp] * PER_BODY, "value": [self.taken / 1000 + n for n in range(PER_BODY)]}
            line.request("POST", "/intake/v1/observations", json.dumps(body), head)
            answer = line.getresponse()
            said = answer.read()
            if answer.status != 200:
                sys.exit(f"intake refused: {answer.status} {said[:300]!r}")
            self.taken += PER_BODY
            due += PER_BODY / self._rate


def find_delays(stations: list[Station], screen: Screen, uids: dict[str, str], after: float) -> tuple[list[float], int]:
    """Return seconds from send to screen of every frame sent after `after`, and how many never showed."""
    delays, lost = [], 0
    for station in stations:
        uid = uids[f"hj212:{station.name_on_wire}"]
        shown = [(moment, value) for moment, of, value in screen.seen if of == uid]
        for number, sent in enumerate(station.sent, 1):
            if sent < after:
                continue
            moment = next((moment for moment, value in shown if value >= number), None)
            if moment is None:
                lost += 1
            else:
                delays.append(moment - sent)
    return delays, lost


def main() -> None:
    """Build the house, run it, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=25)
    parser.add_argument("--stations", type=int, default=10)
    parser.add_argument("--beside", type=int, default=5000, help="observations a second by HTTP beside the frames")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="zhongshu-bench-"))
    try:
        measure(work, options)
    finally:
        shutil.rmtree(work)


def measure(home: Path, options: argparse.Namespace) -> None:
    """One whole run in a folder."""
    web, tcp, intake = find_free_ports(3)
    open_house(home, web_port=str(web), gateway_hj212_port=str(tcp), gateway_intake_port=str(intake))
    from zhongshu.kernel.place.models import Division

    uids, log = build(options.stations), home / "processes.log"
    with run_processes(["gateway", "pipeline", "web"], log):
        wait_for_page(f"http://127.0.0.1:{web}/login/", log)
        wait_for_port(tcp, log)
        wait_for_port(intake, log)
        screen = Screen(Person(web, LOGIN, LOGIN_PASSWORD), str(Division.objects.get(code=TOWN).uid))
        screen.start()
        began, until = time.perf_counter(), time.monotonic() + WARM_S + options.seconds
        stations = [Station(n, tcp, until, n / options.stations) for n in range(options.stations)]
        beside = Beside(intake, options.beside, until)
        for thread in (*stations, beside):
            thread.start()
        for thread in (*stations, beside):
            thread.join()
        load = describe_load()
        time.sleep(3)
        delays, lost = find_delays(stations, screen, uids, began + WARM_S)
    answered = sum(station.answers for station in stations)
    rate = beside.taken / (WARM_S + options.seconds)
    print(f"{sum(len(s.sent) for s in stations)} frames of {options.stations} stations, {answered} acknowledged; {rate:,.0f} observations/s beside; {load}")
    if lost or not delays:
        sys.exit(f"{lost} frames never showed on the screen\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
    ratio = print_figures("frame in the socket → event on the screen", delays, LIMIT_MS, 0.99)
    print(f"delay: p50 {quantile(delays, 0.5) * 1000:.0f} ms, p99 at {ratio:.2f} of its limit (HOUSE asks for it at 50,000 observations/s; here {options.beside:,})")


if __name__ == "__main__":
    main()
