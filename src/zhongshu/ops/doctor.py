"""The doctor: is everything here that this installation needs, and does it work together?"""

import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlparse

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from zhongshu.kernel.digest import DigestMismatch, check_digests
from zhongshu.kernel.event import Delivery
from zhongshu.kernel.home import House
from zhongshu.kernel.job import Job
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
        ("nats", _nats),
        ("deliveries and jobs", _deliveries),
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
    if not (root / "lake.json").exists():
        return Finding("lake", True, "empty")
    try:
        with closing(Lake(root, house.city.zone)) as lake:
            files = sum(len(lake.files(table)) for table in lake.tables if (root / table).exists())
            anew = _find_log_anew(house, lake) if (root / "observation").exists() else ""
    except LakeError as error:
        return Finding("lake", False, str(error), "do what the message says before starting the pipeline (docs/guides/operate.md, 'The lake is damaged')")
    if anew:
        text = f"the log of partition {anew} begins anew below what the lake has read of it: its entries would be skipped"
        return Finding("lake", False, text, "give [gateway] partition a new name, or restore the log from a backup")
    return Finding("lake", True, f"readable, {files} files")


def _find_log_anew(house: House, lake: Lake) -> str:
    for file in house.path("log").glob("*.sqlite3"):
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as log:
                row = log.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchone()
        except sqlite3.DatabaseError:
            continue  # told by the check of the logs
        if (lake.version(f"log:{file.stem}") or 0) > (row[0] if row else 0):
            return file.stem
    return ""


def _logs(house: House) -> Finding:
    broken = []
    files = sorted(house.path("log").glob("*.sqlite3"))
    for file in files:
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as log:
                whole = log.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        except sqlite3.DatabaseError:
            whole = False
        if not whole:
            broken.append(file.name)
    text = f"damaged: {', '.join(broken)}" if broken else f"whole, {len(files)} files"
    return Finding("logs", not broken, text, "stop the gateway, move the file aside and restore it from a backup; what the lake holds is safe")


def _broker(house: House) -> Finding:
    if not house.mqtt.url and not house.mqtt.embedded:
        return Finding("broker", True, "no MQTT configured")
    return _reach("broker", house.mqtt.url or f"mqtt://127.0.0.1:{house.mqtt.port}", {"mqtts": 8883}.get(urlparse(house.mqtt.url).scheme, 1883), "[mqtt]")


def _nats(house: House) -> Finding:
    return _reach("nats", house.nats.url, 4222, "[nats]") if house.nats.url else Finding("nats", True, "no forwarding configured")


def _reach(name: str, url: str, usual: int, section: str) -> Finding:
    found = urlparse(url)
    host, port = found.hostname or "127.0.0.1", found.port or usual
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError as error:
        return Finding(name, False, f"{host}:{port}: {error}", f"start the server or correct {section} url")
    return Finding(name, True, f"{host}:{port} answers")


def _deliveries(house: House) -> Finding:
    try:
        dead = Delivery.objects.filter(state=Delivery.State.DEAD).count()
        failed = Job.objects.filter(state=Job.State.FAILED, ended_at__gt=datetime.now(UTC) - timedelta(days=1)).count()
    except DatabaseError as error:
        return Finding("deliveries and jobs", False, f"cannot be read: {error}", "see records")
    return Finding("deliveries and jobs", not dead and not failed, f"{dead} dead deliveries, {failed} jobs failed today", "look at them on the administrator's page")


def _processes(house: House) -> Finding:
    pulses = read_pulses(house.path("run"))
    silent = [name for name, figures in pulses.items() if figures["age_s"] > STALE_S]
    text = ", ".join(f"{name} {figures['age_s']:.0f} s ago" for name, figures in pulses.items()) or "none has run yet"
    return Finding("processes", not silent, text, f"silent: {', '.join(silent)}; start them with 'zhongshu run'")
