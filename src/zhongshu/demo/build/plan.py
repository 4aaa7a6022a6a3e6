"""The simulators' plan of one installation: made with it, brought up to date at every start."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from zhongshu.demo.city.episode import Episode
from zhongshu.demo.city.readings import iter_readings
from zhongshu.demo.simulate.plan import FILE, Plan, read_plan, write_plan
from zhongshu.kernel.home import House

from .home import DemoState, write_state

__all__ = ["FOLDER", "choose_episode", "make_plan", "refresh_plan"]

FOLDER = "simulate"
STATUS = "simulator.json"
HOUR_US = 3_600_000_000
DUST = {"a34002": 260.0, "a34004": 10.0}
"""µg/m³ of PM10 and PM2.5 that the episode adds at its height: far above the feed's limit for PM10, and below it for PM2.5."""

DUSTY = "a34002-Avg"
COLUMNS = ("stream", "external_id", "thing", "model", "period_s", "phase_s", "digits", "transport", "density", "roadside", "sender", "wire")


def make_plan(house: House, state: DemoState, streams: pa.Table, secrets: dict[str, str]) -> None:
    """Write the plan of a new installation with the streams (columns of `Wiring.streams`)."""
    plan = Plan(
        seed=state.weather,
        offset_s=8 * 3600,
        until_us=state.until_us,
        hj212_host=house.gateway.host,
        hj212_port=house.gateway.hj212_port,
        mqtt_url=house.mqtt.url,
        mqtt_topic=house.mqtt.topic,
        secrets=secrets,
        episode_start_us=0,
        episode={},
        status=str(house.path("run", STATUS)),
    )
    write_plan(house.path(FOLDER), plan, streams.select(list(COLUMNS)))


def refresh_plan(house: House, state: DemoState, now_us: int) -> tuple[Path, DemoState]:
    """Bring addresses and episode up to date; returns the plan's path and the state as it is now. An episode that goes on is left alone."""
    episode = Episode(int(state.episode.get("start_us", 0)), {int(n): h for n, h in state.episode.get("streams", {}).items()})
    if now_us >= episode.end_us:
        start = now_us // HOUR_US * HOUR_US - (0 if _has_spoken(house, now_us) else HOUR_US)
        episode = Episode(start, choose_episode(house.path(FOLDER), state.seed, state.weather, start))
        state = replace(state, episode=asdict(episode))
        write_state(house.home, state)
    url = f"mqtt://127.0.0.1:{house.mqtt.port}" if house.mqtt.embedded else house.mqtt.url
    plan = replace(
        read_plan(house.path(FOLDER, FILE)),
        hj212_port=house.gateway.hj212_port,
        mqtt_url=url,
        episode_start_us=episode.start_us,
        episode={str(number): height for number, height in episode.streams.items()},
        status=str(house.path("run", STATUS)),
    )
    return write_plan(house.path(FOLDER), plan), state


def choose_episode(folder: Path, seed: int, weather: int, start_us: int) -> dict[int, float]:
    """Return stream number → height of the dust at one station: for a seed always the same one, or the next that does not miss the first two hours."""
    with pa.memory_map(str(folder / "streams.arrow")) as source:
        streams = pa.ipc.open_file(source).read_all()
    stations = streams.filter(pc.and_(pc.equal(pc.cast(streams["transport"], pa.string()), "tcp"), pc.invert(streams["roadside"])))
    means = stations.filter(pc.equal(stations["wire"], DUSTY))
    readings = pa.concat_tables(list(iter_readings(means, start_us, start_us + 2 * HOUR_US, weather)))
    missing = set(readings.filter(pc.not_equal(readings["quality"], 0))["stream"].to_pylist())
    things = means["thing"].to_pylist()
    whole = [thing for thing, stream in zip(things, means["stream"].to_pylist(), strict=True) if stream not in missing] or things
    after = [thing for thing in whole if thing >= things[seed % len(things)]] or whole
    own = stations.filter(pc.equal(stations["thing"], after[0]))
    pairs = zip(own["stream"].to_pylist(), own["wire"].to_pylist(), strict=True)
    return {number: DUST[wire.partition("-")[0]] for number, wire in pairs if wire.partition("-")[0] in DUST}


def _has_spoken(house: House, now_us: int) -> bool:
    """Whether the simulators ran within the last two hours: then the hour before has been sent already, and would be corrected by an episode in it."""
    try:
        at = float(json.loads(house.path("run", STATUS).read_text(encoding="ascii"))["at"])
    except (OSError, ValueError, KeyError):
        return False
    return time.time() - at < 7200 and now_us > 0
