"""`zhongshu run`: the processes of an installation."""

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


PROCESSES: dict[str, Callable[[House, threading.Event], None]] = {
    "broker": run_broker,
    "web": run_web,
    "gateway": run_gateway,
    "pipeline": _run_pipeline,
    "worker": run_worker,
}


def list_processes(house: House) -> list[str]:
    """Return the processes this installation consists of; the small broker only where the settings ask for it."""
    return [name for name in PROCESSES if name != "broker" or house.mqtt.embedded]


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
