"""`zhongshu demo`: an invented city with everything running, from one command."""

import fcntl
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from zhongshu.config.boot import boot
from zhongshu.config.cli.main import Failure
from zhongshu.demo.build.home import LOCK, DemoState, HomeRefused, prepare_home
from zhongshu.kernel.home import House, SettingsError, load_house
from zhongshu.ops.supervise import Child, supervise

__all__ = ["command"]


@click.command()
@click.option("--home", default="var/demo", show_default=True, type=click.Path(file_okay=False, path_type=Path), help="Data folder of the demonstration.")
@click.option("--things", type=click.IntRange(100, 1_000_000), help="How many devices the city has (default 1000).")
@click.option("--seed", type=click.IntRange(0), help="Which city; the same seed makes the same one (default 7).")
@click.option("--days", type=click.IntRange(1, 366), help="How many days of past (default 30; cities above 2,700 devices have a shorter one but for air stations).")
@click.option("--mqtt", default="", metavar="URL", help="A broker outside, mqtt://user:password@host:port; without it a small one of our own runs.")
@click.option("--fresh", is_flag=True, help="Remove the demonstration that is in the folder and make it anew.")
@click.option("--no-run", is_flag=True, help="Build only, start nothing.")
def command(home: Path, things: int | None, seed: int | None, days: int | None, mqtt: str, fresh: bool, no_run: bool) -> None:
    """Build an invented city and run it: web pages, gateway, pipeline, worker and simulated devices. Ctrl-C ends everything."""
    began_us = time.time_ns() // 1000
    home = home.absolute()
    with _hold(home):
        try:
            state = prepare_home(home, things=things, seed=seed, days=days, mqtt=mqtt, fresh=fresh)
            os.environ["ZHONGSHU_HOME"] = str(home)
            house = load_house(home)
        except (HomeRefused, SettingsError) as error:
            raise Failure(str(error)) from error
        passwords: dict[str, str] | None = None
        if not state.is_whole:
            click.echo(f"Building a city with {state.things:,} things and {state.days} days of past in {home}")
        boot()
        _import("zhongshu.config.cli.migrate").migrate_records(verbosity=0)
        if not state.is_whole:
            built = _import("zhongshu.demo.build.build").build_demo(house, state, click.echo)
            state, passwords = built.state, built.passwords
            click.echo(", ".join(f"{count:,} {name}" for name, count in built.figures.items()))
        _print_accounts(passwords, home)
        if not no_run:
            _run(house, state, began_us)


def _import(name: str) -> Any:
    # these modules need a settled installation, which this command has just made
    return importlib.import_module(name)


@contextmanager
def _hold(home: Path) -> Iterator[None]:
    """One demonstration a folder at a time."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Failure(f"the demonstration in {home} is running; end it first, or name another folder with --home") from error
        yield


def _print_accounts(passwords: dict[str, str] | None, home: Path) -> None:
    accounts = _import("zhongshu.demo.build.accounts").ACCOUNTS
    width = max(len(account.login) for account in accounts)
    if passwords is None:
        click.echo("Accounts (passwords were shown when the city was built; --fresh builds it anew):")
    else:
        click.echo("Accounts; the passwords are shown this once and kept as hashes only:")
    for account in accounts:
        click.echo(f"  {account.login:<{width}}  {(passwords or {}).get(account.login, ''):<16}  {account.what}")


def _run(house: House, state: DemoState, began_us: int) -> None:
    plan, _ = _import("zhongshu.demo.build.plan").refresh_plan(house, state, time.time_ns() // 1000)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    broker = f"embedded, port {house.mqtt.port}" if house.mqtt.embedded else "outside"
    click.echo(f"Pages:   http://{house.web.host}:{house.web.port}/")
    click.echo(f"HJ 212:  {house.gateway.host}:{house.gateway.hj212_port}   intake: http://{house.gateway.host}:{house.gateway.intake_port}/intake   MQTT: {broker}")
    click.echo("Ctrl-C ends everything.")
    threading.Thread(target=_tell_first, args=(house, began_us, stop), daemon=True).start()
    simulator = Child("simulate", [sys.executable, "-m", "zhongshu.demo.simulate", str(plan)])
    supervise(_import("zhongshu.config.cli.run").list_processes(house), house.path("run"), stop, [simulator])


def _tell_first(house: House, began_us: int, stop: threading.Event) -> None:
    started_us = time.time_ns() // 1000
    at = _import("zhongshu.demo.build.live").wait_for_live(house.home, started_us, stop)
    if at is not None:
        click.echo(f"First live value {(at - began_us) / 1e6:.1f} s after the command began.")
