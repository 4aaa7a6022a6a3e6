"""The doctor: is everything here that this installation needs, and does it work together?"""

import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from zhongshu.kernel.digest import DigestMismatch, check_digests
from zhongshu.kernel.home import House
from zhongshu.kernel.lake import Lake, LakeError
from zhongshu.kernel.port import list_ports
from zhongshu.kernel.pulse import read_pulses

__all__ = ["Finding", "examine"]

FREE_BYTES = 2 * 1024**3
STALE_S = 15.0
VENDOR = Path(__file__).parent.parent / "portal" / "static" / "vendor"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `ok`, what was found, and what to do when it is not well."""

    name: str
    ok: bool
    text: str
    remedy: str = ""


def examine(house: House) -> Iterator[Finding]:
    """Look at everything in turn; each check stands for itself, so that one failure hides no other."""
    checks: list[tuple[str, Callable[[House], Finding]]] = [
        ("python", _python),
        ("data folder", _folder),
        ("records", _records),
        ("code and records", _digests),
        ("ports", _ports),
        ("front-end files", _vendor),
        ("lake", _lake),
        ("logs", _logs),
        ("broker", _broker),
        ("processes", _processes),
    ]
    for name, check in checks:
        try:
            yield check(house)
        except Exception as error:
            yield Finding(name, False, f"{type(error).__name__}: {error}", "look at the error; the check itself could not run")


def _python(house: House) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), f"CPython {version}, SQLite {sqlite3.sqlite_version}", "use CPython 3.11 or newer")


def _folder(house: House) -> Finding:
    if not house.home.exists():
        return Finding("data folder", False, f"{house.home} does not exist", "run 'zhongshu migrate'")
    free = shutil.disk_usage(house.home).free
    return Finding("data folder", free > FREE_BYTES, f"{house.home}, {free / 1e9:.1f} GB free", "free some disk: below 2 GB intake may stop")


def _records(house: House) -> Finding:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return Finding("records", False, f"{connection.vendor}: {error}", "check [records] url and that the server runs")
    return Finding("records", not waiting, f"{connection.vendor}, {len(waiting)} migrations waiting", "run 'zhongshu migrate'")


def _digests(house: House) -> Finding:
    try:
        check_digests()
    except (DigestMismatch, DatabaseError) as error:
        return Finding("code and records", False, str(error), "run 'zhongshu migrate'")
    return Finding("code and records", True, "the database was migrated for this code")


def _ports(house: House) -> Finding:
    missing = [name for name, met in list_ports().items() if not met]
    return Finding("ports", not missing, f"{len(list_ports())} ports, unmet: {', '.join(missing) or 'none'}", "an app is missing from the installation")


def _vendor(house: House) -> Finding:
    found = VENDOR.is_dir() and any(VENDOR.iterdir())
    return Finding("front-end files", found, "packed" if found else "missing", "run 'make install' (or python frontend/vendor.py)")


def _lake(house: House) -> Finding:
    root = house.path("lake")
    if not root.exists():
        return Finding("lake", True, "empty")
    try:
        with closing(Lake(root, house.city.zone)) as lake:
            files = len(lake.files("observation"))
    except LakeError as error:
        return Finding("lake", False, str(error), "restore the named file from a backup before starting the pipeline")
    return Finding("lake", True, f"readable, {files} observation files")


def _logs(house: House) -> Finding:
    broken = []
    for file in sorted(house.path("log").glob("*.sqlite3")):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as log:
            if log.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                broken.append(file.name)
    return Finding("logs", not broken, f"damaged: {', '.join(broken)}" if broken else "whole", "restore from a backup; what the lake holds is safe")


def _broker(house: House) -> Finding:
    if not house.mqtt.url and not house.mqtt.embedded:
        return Finding("broker", True, "no MQTT configured")
    host, _, port = house.mqtt.url.removeprefix("mqtt://").partition(":") if house.mqtt.url else ("127.0.0.1", ":", str(house.mqtt.port))
    try:
        socket.create_connection((host, int(port or 1883)), timeout=2).close()
    except OSError as error:
        return Finding("broker", False, f"{host}:{port or 1883}: {error}", "start the broker or correct [mqtt] url")
    return Finding("broker", True, f"{host}:{port or 1883} answers")


def _processes(house: House) -> Finding:
    pulses = read_pulses(house.path("run"))
    silent = [name for name, figures in pulses.items() if figures["age_s"] > STALE_S]
    text = ", ".join(f"{name} {figures['age_s']:.0f} s ago" for name, figures in pulses.items()) or "none has run yet"
    return Finding("processes", not silent, text, f"silent: {', '.join(silent)}; start them with 'zhongshu run'")
