"""Building a demonstration from nothing: one step after the other, each told with how long it took."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from zhongshu.demo.city import City, build_city
from zhongshu.kernel.job import enqueue, run_next
from zhongshu.kernel.home import House
from zhongshu.kernel.lake import Lake
from zhongshu.sense.device.feed import sync_feeds
from zhongshu.sense.device.publish import publish_all
from zhongshu.sense.observe.rollup import roll_up

from .accounts import create_passwords, load_people
from .bulk import BUILDER
from .devices import load_connections, load_products, load_responsibilities, load_stations, load_things
from .history import Span, plan_history, write_history
from .home import DemoState, write_state
from .past import PastFacts, play_past
from .places import load_divisions, load_organisations
from .plan import make_plan
from .weather import choose_weather
from .wiring import Wiring, build_wiring

__all__ = ["Built", "Progress", "build_demo"]

Tell = Callable[[str], None]
JOBS = ("environment.air.index", "brain.indicator.compute")


@dataclass
class Progress:
    """Tells steps as lines `name … seconds`; `seconds` keeps them."""

    tell: Tell
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[float], None]]:
        """Time one step; the value is called with the share done."""
        began, last = time.monotonic(), 0.0

        def show(share: float) -> None:
            nonlocal last
            if time.monotonic() - last > 5 and time.monotonic() - began > 5:
                last = time.monotonic()
                self.tell(f"  {name}: {share:.0%}")

        yield show
        self.seconds[name] = time.monotonic() - began
        self.tell(f"  {name}: {self.seconds[name]:.1f} s")


@dataclass(frozen=True)
class Built:
    """What was built: the state as stored, passwords by log-in (known nowhere else), and figures to tell."""

    state: DemoState
    passwords: dict[str, str]
    figures: dict[str, int]
    seconds: dict[str, float]


def build_demo(house: House, state: DemoState, tell: Tell) -> Built:
    """Fill an empty, migrated installation. Broken off half-way it is begun anew at the next start."""
    progress = Progress(tell)
    now_us = time.time_ns() // 1000
    hashing = ThreadPoolExecutor(1)
    passwords = hashing.submit(create_passwords)
    hashing.shutdown(wait=False)
    with progress.step("city"):
        city = build_city(state.seed, state.things)
        wiring = build_wiring(city)
        weather = choose_weather(wiring.streams.slice(0, wiring.hourly), state.seed, now_us, state.days)
        spans = plan_history(wiring.streams.slice(0, wiring.hourly), now_us, state.days)
        state = replace(state, weather=weather, until_us={name: span.end_us for name, span in spans.items()})
    secrets = _load_records(city, wiring, passwords, progress)
    with progress.step("dimension files and plan"):
        publish_all(house)
        make_plan(house, state, wiring.streams, secrets)
    figures = _load_past(house, state, spans, progress)
    state = replace(state, is_whole=True)
    write_state(house.home, state)
    figures_of_city = {"things": len(city.things), "streams": len(wiring.streams), "divisions": len(city.divisions)}
    plain = {login: password for login, (password, _) in passwords.result().items()}
    return Built(state, plain, {**figures_of_city, **figures}, progress.seconds)


def _load_records(city: City, wiring: Wiring, passwords: Future[dict[str, tuple[str, str]]], progress: Progress) -> dict[str, str]:
    with progress.step("places and people"):
        divisions = load_divisions(city)
        organisations = load_organisations(city, divisions)
        load_people(city, divisions, organisations, passwords.result())
    with progress.step("devices"):
        sync_feeds(BUILDER)
        things = load_things(city, wiring, load_products(), divisions, organisations)
        secrets = load_connections(wiring, things, organisations)
        load_stations(city, things, divisions, organisations)
        load_responsibilities(divisions, organisations)
    return secrets


def _load_past(house: House, state: DemoState, spans: dict[str, Span], progress: Progress) -> dict[str, int]:
    lake = Lake(house.path("lake"), house.city.zone)
    past = PastFacts(house.home)
    try:
        with progress.step("history") as show:
            readings = write_history(lake, spans, state.weather, show, past.check)
        with progress.step("hourly roll-ups"):
            roll_up(lake)
    finally:
        lake.close()
    with progress.step("alarms and cases") as show:
        hourly = spans["tcp"].streams
        always = set(hourly.filter(pc.match_substring(pc.cast(hourly["wire"], pa.string()), "-Avg"))["stream"].to_pylist())
        figures = play_past(house.home, past, always, state.seed, show)
    with progress.step("air quality index and indicators"):
        for name in JOBS:
            enqueue(name)
        while run_next():
            pass
    return {"readings": readings, **figures}
