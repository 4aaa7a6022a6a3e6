"""`zhongshu run`: the processes of an installation."""

import importlib
import signal
import threading
from collections.abc import Callable

import click
from django.conf import settings

from zhongshu.config.cli.main import Failure
from zhongshu.config.web import run_web
from zhongshu.kernel.digest import DigestMismatch, check_digests
from zhongshu.kernel.home import House
from zhongshu.ops.supervise import supervise
from zhongshu.ops.worker import run_worker
from zhongshu.sense.gateway.broker import run_broker
from zhongshu.sense.gateway.process import run_gateway
from zhongshu.sense.pipeline import PipelineSettings, run

__all__ = ["command", "list_processes"]


def _run_pipeline(house: House, stop: threading.Event) -> None:
    run(PipelineSettings(house.home, house.city.zone), stop)


def _run_with_nats(module: str, function: str) -> Callable[[House, threading.Event], None]:
    """Return a process whose client library is an extra of the installation and only loaded where it is used."""

    def run_it(house: House, stop: threading.Event) -> None:
        if not house.nats.url:
            raise Failure("no NATS server is named; set [nats] url in zhongshu.toml")
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise Failure(f"{error.name} is missing: install zhongshu[nats]") from error
        getattr(found, function)(house, stop)

    return run_it


PROCESSES: dict[str, Callable[[House, threading.Event], None]] = {
    "broker": run_broker,
    "web": run_web,
    "gateway": run_gateway,
    "pipeline": _run_pipeline,
    "worker": run_worker,
    "forward": _run_with_nats("zhongshu.sense.gateway.forward", "run_forward"),
    "receive": _run_with_nats("zhongshu.sense.pipeline.receive", "run_receive"),
}
WHOLE = ("web", "gateway", "pipeline", "worker")


def list_processes(house: House) -> list[str]:
    """Return the processes this machine runs by its settings: all, or gateway and forwarding only; the small broker only where it is asked for."""
    if house.nats.url and house.nats.role == "forward":
        return ["gateway", "forward"]
    return [*(["broker"] if house.mqtt.embedded else []), *WHOLE, *(["receive"] if house.nats.url else [])]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PROCESSES)))
def command(names: tuple[str, ...]) -> None:
    """Run all processes of this installation, or the NAMED ones; Ctrl-C ends them.

    One name runs that process in the foreground, as a service manager wants it; more are watched and started again when they die.
    """
    house: House = settings.HOUSE
    try:
        check_digests()
    except DigestMismatch as error:
        raise Failure(str(error)) from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if len(names) == 1:
        PROCESSES[names[0]](house, stop)
    else:
        supervise(names or list_processes(house), house.path("run"), stop)
