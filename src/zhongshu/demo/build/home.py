"""The folder of a demonstration: whose it is, its settings file, and free ports. Nothing here needs the records."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from zhongshu.kernel.home import FILE

__all__ = ["LOCK", "DemoState", "HomeRefused", "choose_ports", "prepare_home", "read_state", "write_state"]

STATE = "demo.json"
LOCK = ".demo.lock"
"""Held by the command that builds or runs; it alone does not make a folder somebody else's."""

PORTS = {("web", "port"): 8000, ("gateway", "intake_port"): 8010, ("gateway", "hj212_port"): 8212, ("mqtt", "port"): 1883}
SPAN = 200


class HomeRefused(RuntimeError):
    """The folder cannot be the demonstration's; the message says why and what to do."""


@dataclass(frozen=True)
class DemoState:
    """What a demonstration folder says of itself in `demo.json`.

    `weather` is the seed of what devices say (see `weather.choose_weather`); `until_us` maps a transport to the first moment that is not in the history; `episode` is the
    pollution that is played at present (`episode.Episode` as a mapping, empty before the first run). `is_whole` turns true when everything is loaded.
    """

    seed: int
    things: int
    days: int
    is_whole: bool = False
    weather: int = 0
    until_us: dict[str, int] = field(default_factory=dict)
    episode: dict[str, Any] = field(default_factory=dict)


def read_state(home: Path) -> DemoState | None:
    """Return what the folder says, or None when it is no demonstration's."""
    try:
        found = json.loads((home / STATE).read_text(encoding="utf-8"))
        return DemoState(**{name: found[name] for name in DemoState.__dataclass_fields__})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_state(home: Path, state: DemoState) -> None:
    """Replace `demo.json`."""
    new = home / f".{STATE}"
    new.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
    new.replace(home / STATE)


def prepare_home(home: Path, *, things: int | None, seed: int | None, days: int | None, mqtt: str = "", fresh: bool = False) -> DemoState:
    """Make or take up the folder: its settings file has free ports afterwards. Returns its state; `is_whole` False means that everything is still to be loaded.

    None for `things`, `seed` or `days` means what the folder has, else 1000, 7 and 30. A build that was broken off is begun anew.
    Raises `HomeRefused` for a folder that holds something else, or a demonstration with other figures.
    """
    found = _check(home, fresh)
    if found is not None:
        _compare(found, {"things": things, "seed": seed, "days": days}, home)
    if found is None or not found.is_whole:
        wanted = DemoState(seed=7 if seed is None else seed, things=1000 if things is None else things, days=30 if days is None else days)
        state = replace(found, is_whole=False) if found is not None else wanted
        _clear(home)
        home.mkdir(parents=True, exist_ok=True)
        write_state(home, state)
    else:
        state = found
    (home / FILE).write_text(_render_settings(mqtt), encoding="utf-8")
    return state


def _check(home: Path, fresh: bool) -> DemoState | None:
    """Return the state of a demonstration that is to be kept, or None for an empty folder; with `fresh` an old demonstration is removed."""
    if not home.exists() or all(item.name == LOCK for item in home.iterdir()):
        return None
    found = read_state(home)
    if found is None:
        raise HomeRefused(f"{home} holds something that is not a demonstration (no {STATE}); name another folder with --home")
    if fresh:
        _clear(home)
        return None
    return found


def _compare(found: DemoState, given: dict[str, int | None], home: Path) -> None:
    for name, value in given.items():
        has = getattr(found, name)
        if value is not None and value != has:
            raise HomeRefused(f"the demonstration in {home} was made with --{name} {has}, not {value}; add --fresh to make it anew, or name another folder with --home")


def _clear(home: Path) -> None:
    if not home.exists():
        return
    for item in home.iterdir():
        if item.name == LOCK:
            continue
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def _render_settings(mqtt: str) -> str:
    ports = choose_ports()
    lines = [
        "# Written by `zhongshu demo` at every start; an invented city, nothing in it is real.",
        "[city]",
        'name = "汀澜市"',
        'zone = "Asia/Shanghai"',
        'language = "zh-hans"',
        "[web]",
        f"port = {ports['web', 'port']}",
        "[gateway]",
        f"intake_port = {ports['gateway', 'intake_port']}",
        f"hj212_port = {ports['gateway', 'hj212_port']}",
        "[mqtt]",
        f"url = {json.dumps(mqtt)}" if mqtt else "embedded = true",
        f"port = {ports['mqtt', 'port']}",
    ]
    return "\n".join(lines) + "\n"


def choose_ports(host: str = "127.0.0.1", is_free: Callable[[str, int], bool] | None = None) -> dict[tuple[str, str], int]:
    """Return a port for every listener: the usual one, or the next above it that nobody listens on. Raises `HomeRefused` when there is none."""
    free = is_free or _is_free
    chosen: dict[tuple[str, str], int] = {}
    for name, first in PORTS.items():
        port = next((p for p in range(first, first + SPAN) if p not in chosen.values() and free(host, p)), None)
        if port is None:
            raise HomeRefused(f"no port from {first} to {first + SPAN - 1} is free for [{name[0]}] {name[1]}")
        chosen[name] = port
    return chosen


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
