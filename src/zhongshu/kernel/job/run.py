"""Declaring, asking for and running jobs."""

import logging
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from zhongshu.kernel.record.change import transaction
from zhongshu.kernel.registry import registry

from .models import Job

__all__ = ["JobKind", "JobRun", "enqueue", "enqueue_due", "job", "run_next"]

LEASE = timedelta(minutes=2)
ATTEMPTS = 3
DIED = "the worker died in this job each time it was tried"
log = logging.getLogger(__name__)
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class JobKind:
    """A kind of job; `every_s` 0 means only on request."""

    name: str
    work: Callable[["JobRun"], Any]
    every_s: int = 0

    def digest_text(self) -> str:
        """Return what must be equal in every process."""
        return str(self.every_s)


class JobRun:
    """What a running job sees: its arguments, and a way to tell how far it is."""

    def __init__(self, row: Job) -> None:
        self._row = row
        self.arguments: dict[str, Any] = row.arguments

    def progress(self, share: float, message: str = "") -> None:
        """Tell how far the work is (0 to 1) and renew the lease; call it at least every minute of long work."""
        _note(self._row, progress=share, message=message[:300], leased_until=datetime.now(UTC) + LEASE)


def job(name: str, every: str = "") -> Callable[[Callable[[JobRun], Any]], Callable[[JobRun], Any]]:
    """Declare a kind of job; `every` such as "30 s", "5 min", "1 h", "1 d" puts it on the schedule.

    The function must be safe to run again from the start: a killed worker's job is run again, three times at most.
    """
    parts = re.fullmatch(r"(\d+) (s|min|h|d)", every) if every else None
    if every and parts is None:
        raise ValueError(f"job {name}: {every!r} is not a pace such as '5 min'")
    seconds = int(parts[1]) * UNITS[parts[2]] if parts else 0

    def declare(work: Callable[[JobRun], Any]) -> Callable[[JobRun], Any]:
        registry.add("job", name, JobKind(name, work, seconds))
        return work

    return declare


def enqueue(kind: str, arguments: dict[str, Any] | None = None, dedupe: str | None = None, asked_by: str = "", due_at: datetime | None = None) -> Job:
    """Ask for a job; with `dedupe` a second call returns the job asked for before."""
    registry.get("job", kind)
    values = {"kind": kind, "arguments": arguments or {}, "asked_by": asked_by, "due_at": due_at or datetime.now(UTC)}
    if dedupe is None:
        with transaction():
            return Job.objects.create(**values)
    return Job.objects.get_or_create(dedupe=f"{kind}:{dedupe}", defaults=values)[0]


def enqueue_due(now: datetime) -> None:
    """Put every scheduled job of the current period in the queue, once; old schedule rows are removed after a week."""
    for kind in registry.list("job").values():
        if kind.every_s:
            period = int(now.timestamp()) // kind.every_s
            name = f"{kind.name}:{period}"
            if not Job.objects.filter(Q(dedupe=name) | Q(kind=kind.name, state__in=[Job.State.WAITING, Job.State.RUNNING])).exists():
                enqueue(kind.name, dedupe=str(period))
    Job.objects.filter(dedupe__isnull=False, state=Job.State.DONE, ended_at__lt=now - timedelta(days=7)).delete()


def run_next() -> bool:
    """Claim and run one due job; returns whether there was one."""
    row = _claim()
    if row is None:
        return False
    kind: JobKind = registry.get("job", row.kind)
    try:
        result = kind.work(JobRun(row))
    except Exception as error:
        log.exception("job %s failed", row.kind)
        last = row.attempts >= ATTEMPTS
        _note(
            row,
            state=Job.State.FAILED if last else Job.State.WAITING,
            error=traceback.format_exc(limit=-6)[-4000:],
            message=str(error)[:300],
            due_at=datetime.now(UTC) + timedelta(seconds=10 * 2**row.attempts),
            ended_at=datetime.now(UTC),
        )
        return True
    _note(row, state=Job.State.DONE, progress=1.0, result=result, error="", ended_at=datetime.now(UTC))
    return True


def _note(row: Job, **values: Any) -> None:
    """Write what became of a job in the queue of writers: a bare statement starves behind a busy one and a job of minutes is lost to "database is locked"."""
    with transaction():
        Job.objects.filter(pk=row.pk).update(**values)


def _claim() -> Job | None:
    now = datetime.now(UTC)
    with transaction():
        died = Job.objects.filter(state=Job.State.RUNNING, leased_until__lt=now, attempts__gte=ATTEMPTS)
        died.update(state=Job.State.FAILED, message=DIED, error=DIED, ended_at=now)
        free = Q(state=Job.State.WAITING) | Q(state=Job.State.RUNNING, leased_until__lt=now)
        due = Job.objects.filter(free, due_at__lte=now).order_by("due_at", "id")
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        row = due.first()
        if row is not None:
            row.state, row.attempts, row.started_at, row.leased_until = Job.State.RUNNING, row.attempts + 1, now, now + LEASE
            row.save()
    return row
