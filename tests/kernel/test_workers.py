"""Two workers at once: every event takes effect once and in the order of its aggregate, every job is run by one of them."""

import threading
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from zhongshu.kernel.event import Delivery, deliver_due, event_kind, publish, subscribe
from zhongshu.kernel.event.delivery import _note_failure
from zhongshu.kernel.job import Job, enqueue, job, run_next
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, change

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS, AGGREGATES, JOBS = 60, 5, 24
_stumbled: set[int] = set()
_ran: list[int] = []

event_kind("probe.workers.happened", about="only for this test")


@subscribe("probe.workers.happened", "probe.workers")
def _write_down(event):
    """The effect is a row of the database, so that it stands or falls with the delivery; every seventh event fails once."""
    number = event.data["n"]
    Job.objects.create(kind="probe.effect", arguments={"n": number, "aggregate": event.aggregate}, due_at=datetime.now(UTC) + timedelta(days=1))
    if number % 7 == 3 and number not in _stumbled:
        _stumbled.add(number)
        raise RuntimeError("stumbled once")


@job("probe.workers.job")
def _run_once(run):
    _ran.append(run.arguments["n"])
    return {"n": run.arguments["n"]}


def _in_threads(work, count=2):
    errors = []

    def call():
        try:
            work()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors, errors


def test_two_workers_deliver_each_event_once_and_in_the_order_of_its_aggregate():
    _stumbled.clear()
    for number in range(EVENTS):
        with change(SYSTEM, "something happened"):
            publish("probe.workers.happened", f"thing-{number % AGGREGATES}", {"n": number})

    def work():
        while Delivery.objects.filter(state=Delivery.State.WAITING).exists():
            if not deliver_due(5):
                # pauses after a failure are not waited for here
                Delivery.objects.filter(state=Delivery.State.WAITING).update(due_at=datetime.now(UTC))

    _in_threads(work)
    effects = [row["arguments"] for row in Job.objects.filter(kind="probe.effect").order_by("id").values("arguments")]
    assert Counter(e["n"] for e in effects) == Counter(range(EVENTS)) and len(_stumbled) == 9
    by_aggregate = defaultdict(list)
    for effect in effects:
        by_aggregate[effect["aggregate"]].append(effect["n"])
    assert all(numbers == sorted(numbers) for numbers in by_aggregate.values()) and len(by_aggregate) == AGGREGATES
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.DONE}


def test_a_failure_noted_late_does_not_undo_what_another_worker_delivered():
    with change(SYSTEM, "something happened"):
        publish("probe.workers.happened", "thing", {"n": 1})
    assert deliver_due() == 1
    _note_failure(Delivery.objects.get().pk, "the other worker's error")
    delivered = Delivery.objects.get()
    assert (delivered.state, delivered.attempts, delivered.error, deliver_due()) == (Delivery.State.DONE, 1, "", 0)


def test_an_event_exists_only_when_its_change_was_committed():
    with pytest.raises(RuntimeError, match="stop"), change(SYSTEM, "will fail"):
        publish("probe.workers.happened", "thing", {"n": 1})
        Division(code="990100", name="x", level="city").save()
        raise RuntimeError("stop")
    assert (Delivery.objects.count(), Division.objects.count()) == (0, 0)


def test_two_workers_run_each_job_once():
    _ran.clear()
    for number in range(JOBS):
        enqueue("probe.workers.job", {"n": number}, dedupe=str(number))
        enqueue("probe.workers.job", {"n": number}, dedupe=str(number))

    def work():
        while run_next():
            pass

    _in_threads(work)
    assert Counter(_ran) == Counter(range(JOBS))
    assert {row["attempts"] for row in Job.objects.values("attempts")} == {1}


def test_two_workers_change_one_record_one_after_the_other():
    with change(SYSTEM, "set up"):
        Division(code="990100", name="0", level="city").save()

    def work():
        for _ in range(10):
            with change(SYSTEM, "count up"):
                row = Division.objects.select_for_update().get(code="990100")
                row.name = str(int(row.name) + 1)
                row.save()

    _in_threads(work)
    row = Division.objects.get()
    assert (row.name, row.version, Division.history_model._default_manager.filter(record_id=row.pk).count()) == ("20", 21, 21)


@job("probe.workers.long")
def _tell_progress(run):
    run.progress(0.5, "half of it")
    if run.arguments["fails"]:
        raise RuntimeError("half is enough")


@pytest.mark.parametrize("fails", [False, True])
def test_whatever_is_noted_of_a_job_queues_with_all_other_writers(fails):
    bare = []

    def watch(execute, sql, params, many, context):
        if "kernel_job" in sql and not sql.startswith("SELECT") and not connection.in_atomic_block:
            bare.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        asked = enqueue("probe.workers.long", {"fails": fails})
        assert run_next()
    assert bare == [], "a bare statement does not take the write lock and starves behind who does"
    asked.refresh_from_db()
    assert (asked.state, asked.progress) == (("waiting", 0.5) if fails else ("done", 1.0))
