"""Jobs: longer work in the worker, with schedule, lease, progress and result."""

from .models import Job
from .run import JobKind, JobRun, enqueue, enqueue_due, job, run_next
from .tick import Tick, tick

__all__ = ["Job", "JobKind", "JobRun", "enqueue", "enqueue_due", "job", "run_next", "Tick", "tick"]
