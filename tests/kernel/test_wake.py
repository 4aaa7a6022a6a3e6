"""Wake-ups: who listens hears what was written, after the commit and not before."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from zhongshu.kernel.event import WakeSocket, wake
from zhongshu.kernel.home import House
from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, WAKE, change, get_generation, list_written_since


@pytest.fixture
def house(tmp_path):
    return House(home=tmp_path)


@pytest.fixture
def told(monkeypatch):
    class Ear:
        def __init__(self):
            self.kinds = []

        def tell(self, kinds):
            self.kinds.append(kinds)

    ear = Ear()
    monkeypatch.setattr(WAKE, "_adapter", ear)
    return ear.kinds


def test_every_listener_hears_a_topic_once(house):
    ears = [WakeSocket(house), WakeSocket(house)]
    wake(house, "sense.Alarm work.Case")
    assert [ear.read() for ear in ears] == [{"sense.Alarm", "work.Case"}] * 2
    assert [ear.read() for ear in ears] == [set(), set()]
    for ear in ears:
        ear.close()
    assert not list(house.path("run").glob("wake-*"))


def test_nobody_listening_is_no_error_and_a_dead_listener_is_cleaned_away(house):
    wake(house, "sense.Alarm")
    ear = WakeSocket(house)
    ear._socket.close()
    wake(house, "sense.Alarm")
    assert not ear.path.exists()


def test_full_listener_makes_nobody_wait(house):
    ear = WakeSocket(house)
    for _ in range(5000):
        wake(house, "sense.Alarm")
    assert ear.read() == {"sense.Alarm"}
    ear.close()


def test_folder_with_a_very_long_name_works_too(tmp_path):
    house = House(home=tmp_path / ("x" * 120))
    ear = WakeSocket(house)
    wake(house, "work.Case")
    assert ear.read() == {"work.Case"}
    ear.close()


@pytest.mark.django_db(transaction=True)
def test_kinds_are_told_after_the_commit_and_once_per_change(told):
    with change(SYSTEM, "two divisions"):
        Division(code="99", name="a", level="province").save()
        Division(code="9901", name="b", level="city").save()
        assert told == []
    assert told == [frozenset({"kernel.Division"})]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_told_of_a_change_that_failed_or_wrote_nothing(told):
    with pytest.raises(RuntimeError), change(SYSTEM, "fails"):
        Division(code="99", name="a", level="province").save()
        raise RuntimeError
    with change(SYSTEM, "writes nothing"):
        pass
    assert told == []


@pytest.mark.django_db(transaction=True)
def test_generation_moves_with_every_write_and_names_what_was_written():
    start = get_generation(Division)
    with change(SYSTEM, "one"):
        one = Division(code="99", name="a", level="province")
        one.save()
    made = get_generation(Division)
    assert made != start and list_written_since(Division, start, 10) == [one.pk]
    with change(SYSTEM, "remove"):
        one.delete()
    assert get_generation(Division) not in (start, made)
    assert list_written_since(Division, start, 0) is None


SCRIPT = """
import os, sys, threading
os.environ["DJANGO_SETTINGS_MODULE"] = "zhongshu.config.settings"
import django; django.setup()
from zhongshu.kernel.event import listen_database
from zhongshu.kernel.event.wake import RecordsWake
heard, came, stop = [], threading.Event(), threading.Event()
def on_topic(topics):
    heard.append(topics)
    came.set()
thread = listen_database(on_topic, stop)
assert came.wait(10), "not connected"
came.clear()
RecordsWake().tell(frozenset({"sense.Alarm"}))
assert came.wait(5), "not heard"
stop.set(); thread.join(5)
print(heard)
"""


@pytest.mark.postgres
def test_other_machines_hear_through_postgresql(tmp_path):
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not binaries:
        if "postgres" in os.environ.get("ZHONGSHU_REQUIRE", ""):
            pytest.fail("PostgreSQL is required and not here")
        pytest.skip("PostgreSQL is not here")
    folder = binaries[-1].parent
    data = tmp_path / "pg"
    data.mkdir()
    run = _as_server(data)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run([*run, str(folder / "initdb"), "-D", str(data), "-A", "trust", "-U", "zs"], check=True, capture_output=True)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"
    subprocess.run([*run, str(folder / "pg_ctl"), "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start"], check=True, capture_output=True)
    try:
        src = Path(__file__).resolve().parents[2] / "src"
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(src),
            "ZHONGSHU_HOME": str(tmp_path / "home"),
            "ZHONGSHU_RECORDS_URL": f"postgres://zs@127.0.0.1:{port}/postgres",
        }
        found = subprocess.run([sys.executable, "-c", SCRIPT], env=given, capture_output=True, text=True, timeout=60)
        assert found.returncode == 0, found.stderr
        assert found.stdout.strip() == "[{'*'}, {'sense.Alarm'}]"
    finally:
        subprocess.run([*run, str(folder / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], check=True, capture_output=True)


def _as_server(data):
    """PostgreSQL refuses to run as root: become somebody else there."""
    if os.getuid() != 0:
        return []
    top = Path(tempfile.gettempdir()).resolve()
    for folder in (data, *(parent for parent in data.resolve().parents if top in parent.parents)):
        folder.chmod(0o755)
    shutil.chown(data, "nobody")
    return ["setpriv", "--reuid", "nobody", "--clear-groups"]
