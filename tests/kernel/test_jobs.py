"""Jobs: what a worker that died leaves behind."""

from datetime import UTC, datetime, timedelta

import pytest

from zhongshu.kernel.job import Job, job, run_next
from zhongshu.kernel.job.run import ATTEMPTS
from zhongshu.kernel.registry import registry

pytestmark = pytest.mark.django_db

KIND = "probe.job_left_behind"
if registry.find("job", KIND) is None:
    job(KIND)(lambda run: {"taken": "up"})


def _leave(attempts: int) -> Job:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    return Job.objects.create(kind=KIND, state=Job.State.RUNNING, attempts=attempts, due_at=long_ago, leased_until=long_ago)


def test_a_job_that_kills_its_worker_each_time_is_given_up_and_says_so():
    left = _leave(ATTEMPTS)
    assert run_next() is False
    left.refresh_from_db()
    assert (left.state, left.attempts) == (Job.State.FAILED, ATTEMPTS)
    assert "died" in left.message


def test_a_job_whose_worker_died_once_is_taken_up_again():
    left = _leave(1)
    assert run_next() is True
    left.refresh_from_db()
    assert (left.state, left.attempts, left.result) == (Job.State.DONE, 2, {"taken": "up"})
