"""The plan file: everything a simulator is told, so that it needs nothing of the installation it talks to."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

__all__ = ["FILE", "Plan", "read_plan", "read_streams", "write_plan"]

FILE = "plan.json"
STREAMS = "streams.arrow"


@dataclass(frozen=True)
class Plan:
    """Addresses, credentials and what to send.

    `seed` of the weather; `offset_s` the stations' clock ahead of UTC; `until_us` transport → first moment that is not known yet; `secrets` name of sender → password;
    `episode_start_us` and `episode` (stream number → height) as in `Episode`; `status` is where the simulator says how it goes. The streams lie beside the plan.
    """

    seed: int
    offset_s: int
    until_us: dict[str, int]
    hj212_host: str
    hj212_port: int
    mqtt_url: str
    mqtt_topic: str
    secrets: dict[str, str]
    episode_start_us: int
    episode: dict[str, float]
    status: str


def write_plan(folder: Path, plan: Plan, streams: pa.Table | None = None) -> Path:
    """Write the plan (mode 0600, it holds passwords) and, when given, its streams; returns the plan's path."""
    folder.mkdir(parents=True, exist_ok=True)
    if streams is not None:
        with pa.ipc.new_file(folder / STREAMS, streams.schema) as out:
            out.write_table(streams)
    scratch = folder / f".{FILE}"
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(asdict(plan), out)
    scratch.replace(folder / FILE)
    return folder / FILE


def read_plan(path: Path) -> Plan:
    """Read a plan; raises `FileNotFoundError`, and `TypeError` for one of another version."""
    return Plan(**json.loads(path.read_text(encoding="utf-8")))


def read_streams(path: Path) -> pa.Table:
    """Read the streams that lie beside a plan."""
    with pa.memory_map(str(path.parent / STREAMS)) as source:
        return pa.ipc.open_file(source).read_all()
