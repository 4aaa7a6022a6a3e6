"""The worker process: facts to records, deliveries, rules, jobs, sealing."""

import logging
import threading
import time
from datetime import UTC, datetime

from django.db import close_old_connections

from zhongshu.kernel.event import deliver_due
from zhongshu.kernel.home import House
from zhongshu.kernel.job import Tick, enqueue_due, run_next
from zhongshu.kernel.pulse import write_pulse
from zhongshu.kernel.registry import registry

__all__ = ["run_worker"]

IDLE_S = 0.1
ERROR_PAUSE_S = 2.0
PULSE_S = 2.0
log = logging.getLogger(__name__)


def run_worker(house: House, stop: threading.Event) -> None:
    """Run until `stop` is set: ticks and deliveries in this thread, long jobs in a second one.

    Every piece of work commits for itself; the process may be killed at any line and continues from its offsets.
    """
    jobs = threading.Thread(target=_run_jobs, args=(stop,), name="jobs", daemon=True)
    jobs.start()
    ticks = [_Due(t) for t in registry.list("tick").values()]
    figures = {"deliveries": 0, "rounds": 0}
    said = 0.0
    while not stop.is_set():
        busy = _guard("deliveries", lambda: _count(figures, "deliveries", deliver_due(50)))
        for due in ticks:
            busy |= due.call()
        figures["rounds"] += 1
        if time.monotonic() - said > PULSE_S:
            said = time.monotonic()
            write_pulse(house.path("run"), "worker", {**figures, "failing": len(_failed_until)})
        if not busy:
            stop.wait(IDLE_S)
    jobs.join(timeout=30)


def _count(figures: dict[str, int], name: str, done: int) -> bool:
    figures[name] += done
    return done > 0


def _run_jobs(stop: threading.Event) -> None:
    while not stop.is_set():
        _guard("schedule", _enqueue)
        if not _guard("jobs", run_next):
            stop.wait(1.0)


def _enqueue() -> bool:
    enqueue_due(datetime.now(UTC))
    return False


class _Due:
    def __init__(self, declared: Tick) -> None:
        self._tick, self._next = declared, 0.0

    def call(self) -> bool:
        """Call the tick when its time has come; returns whether it had something to do."""
        if time.monotonic() < self._next:
            return False
        busy = _guard(self._tick.name, self._tick.work)
        self._next = 0.0 if busy else time.monotonic() + self._tick.every_s
        return busy


_failed_until: dict[str, float] = {}


def _guard(name: str, work: object) -> bool:
    if time.monotonic() < _failed_until.get(name, 0.0):
        return False
    try:
        done = bool(work())  # type: ignore[operator]
        _failed_until.pop(name, None)
        return done
    except Exception:
        log.exception("%s failed; trying again in %s s", name, ERROR_PAUSE_S)
        close_old_connections()
        _failed_until[name] = time.monotonic() + ERROR_PAUSE_S
        return False
