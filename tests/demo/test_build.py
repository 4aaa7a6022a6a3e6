"""The demonstration as its user meets it: one command builds it, builds it equal again, and runs it."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from zhongshu.demo.build.home import DemoState, HomeRefused, choose_ports, prepare_home, read_state
from zhongshu.kernel.lake import Lake

SOURCE = Path(__file__).parent.parent.parent / "src"
THINGS, DAYS, SEED = 100, 2, 11


def start(home, *options):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ZHONGSHU_", "DJANGO_"))}
    environment["PYTHONPATH"] = str(SOURCE)
    command = [sys.executable, "-m", "zhongshu", "demo", "--home", str(home), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def build(home, *options):
    process = start(home, "--things", str(THINGS), "--days", str(DAYS), "--seed", str(SEED), "--no-run", *options)
    output, _ = process.communicate(timeout=180)
    return process.returncode, output


def query(home, text):
    with contextlib.closing(sqlite3.connect(home / "records.sqlite3", timeout=10)) as connection:
        return connection.execute(text).fetchall()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo") / "home"
    code, output = build(home)
    assert code == 0, output
    return home, output


def test_records_are_as_many_as_the_city_has(demo):
    home, _ = demo
    counts = {
        table: query(home, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("kernel_division", "sense_thing", "security_user", "security_post", "environment_airstation")
    }
    assert counts["sense_thing"] == THINGS
    assert counts["environment_airstation"] == 12
    assert counts["security_user"] == counts["security_post"] > 100
    assert counts["kernel_division"] > 1000
    assert query(home, "SELECT count(*) FROM kernel_divisioncode")[0][0] == counts["kernel_division"]
    assert query(home, "SELECT count(*) FROM kernel_divisionedge")[0][0] == counts["kernel_division"] - 1
    assert query(home, 'SELECT count(*) FROM kernel_division WHERE "left" < 1 OR "right" < "left"') == [(0,)]
    for table in ("sense_thing", "sense_stream", "kernel_division", "security_user"):
        assert query(home, f"SELECT count(*) FROM {table}_history") >= query(home, f"SELECT count(*) FROM {table}")


def test_children_lie_inside_the_interval_of_their_parent(demo):
    home, _ = demo
    wrong = 'SELECT count(*) FROM kernel_division c JOIN kernel_division p ON c.parent_id = p.id WHERE NOT (p."left" < c."left" AND c."right" <= p."right")'
    assert query(home, wrong) == [(0,)]


def test_printed_passwords_are_kept_as_hashes_only(demo):
    home, output = demo
    passwords = re.findall(r"^  ([a-z-]+)\s+(\w{14})\s", output, re.MULTILINE)
    assert len(passwords) == 9
    usable = query(home, "SELECT username, password FROM security_user WHERE password NOT LIKE '!%'")
    assert {name for name, _ in usable} == {name for name, _ in passwords}
    assert all(text.startswith("argon2") for _, text in usable)
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert not any(password.encode() in stored for _, password in passwords)


def test_the_plan_with_device_passwords_is_readable_by_the_owner_only(demo):
    home, _ = demo
    plan = home / "simulate" / "plan.json"
    assert plan.stat().st_mode & 0o777 == 0o600
    secrets = json.loads(plan.read_text())["secrets"]
    assert len(secrets) == query(home, "SELECT count(*) FROM sense_connection")[0][0] == query(home, "SELECT count(*) FROM security_credential")[0][0]


def test_the_past_left_cases_in_different_states(demo):
    home, _ = demo
    states = dict(query(home, "SELECT state, count(*) FROM work_case GROUP BY state"))
    assert {"opened", "accepted", "assigned", "acting", "checking", "closed"} <= states.keys()
    assert query(home, "SELECT count(*) FROM work_casestep WHERE act = 'pass'")[0][0] >= 1
    assert query(home, "SELECT count(*) FROM work_casestep s JOIN work_case c ON s.case_id = c.id WHERE s.at < c.opened_at") == [(0,)]


def test_index_and_roll_ups_are_there_for_the_past(demo):
    home, _ = demo
    hours = query(home, "SELECT count(*) FROM environment_airindex WHERE scale = 'hour' AND station_id IS NOT NULL")[0][0]
    assert hours > 0.9 * 12 * 24 * DAYS
    lake = Lake(home / "lake", "Asia/Shanghai", check=False)
    with lake.connect(("observation", "rollup_hour")) as connection:
        raw, rolled = connection.execute("SELECT count(*) FROM observation").fetchone(), connection.execute("SELECT sum(n) FROM rollup_hour").fetchone()
    assert raw[0] == rolled[0] > 30_000


def test_another_size_in_the_same_folder_is_refused_in_words(demo):
    home, _ = demo
    with pytest.raises(HomeRefused, match="--things 100, not 200; add --fresh"):
        prepare_home(home, things=200, seed=None, days=None)
    assert read_state(home).is_whole


def test_a_folder_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(HomeRefused, match="holds something that is not a demonstration"):
        prepare_home(tmp_path, things=None, seed=None, days=None, fresh=True)
    assert (tmp_path / "letters.txt").read_text() == "mine"


def test_a_build_that_was_broken_off_is_begun_anew(tmp_path):
    assert prepare_home(tmp_path, things=300, seed=5, days=1) == DemoState(seed=5, things=300, days=1)
    (tmp_path / "records.sqlite3").write_text("half")
    assert prepare_home(tmp_path, things=None, seed=None, days=None).things == 300
    assert not (tmp_path / "records.sqlite3").exists()


def test_a_taken_port_is_stepped_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        ports = choose_ports(is_free=lambda _host, port: port not in (8000, 8010))
        assert ports["web", "port"] == 8001 and ports["gateway", "intake_port"] == 8011
        with pytest.raises(HomeRefused, match="no port"):
            choose_ports(is_free=lambda _host, _port: False)
        assert number not in choose_ports().values()


def test_the_same_seed_makes_the_same_records_again(demo):
    home, _ = demo
    tables = {
        "kernel_division": 'code, name, name_en, level, "left", "right", lon, lat, area_km2, population',
        "security_organisation": 'code, name, kind, "left", "right"',
        "security_user": "username, name, phone",
        "sense_thing": "external_id, name, lon, lat, installed_on, division_id, organisation_id",
        "sense_stream": "ordinal, external_id, unit",
        "sense_connection": "source, protocol, profile",
        "environment_airstation": "station_no, name, kind, level, mn",
    }
    before = {table: query(home, f"SELECT {columns} FROM {table} ORDER BY id") for table, columns in tables.items()}
    code, output = build(home, "--fresh")
    assert code == 0, output
    for table, columns in tables.items():
        assert query(home, f"SELECT {columns} FROM {table} ORDER BY id") == before[table], table


def wait_until(check, process, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, process.stdout.read()
        if found := check():
            return found
        time.sleep(0.2)
    pytest.fail(f"not within {seconds} s")


def test_a_running_demonstration_takes_live_values_to_a_case_and_ends_cleanly(demo):
    home, _ = demo
    last = query(home, "SELECT max(id) FROM work_case")[0][0]
    process = start(home)
    try:
        case = wait_until(lambda: query(home, f"SELECT title FROM work_case WHERE id > {last}"), process, 60)
        assert "PM10" in case[0][0]
        status = home / "run" / "simulator.json"

        def is_all_there():
            figures = json.loads(status.read_text())
            return figures["stations"]["connected"] == 12 and figures["stations"]["answered"] >= 12 and figures["concentrators"]["answered"] > 3

        wait_until(is_all_there, process, 40)
        fresh = f"recorded_at > (SELECT recorded_at FROM work_case WHERE id = {last})"
        stations = "JOIN sense_thing t ON a.thing_id = t.id WHERE t.external_id LIKE 'hj212:%'"
        assert query(home, f"SELECT count(*) FROM sense_alarm a {stations} AND a.{fresh}") == [(1,)]
        pids = [int(path.read_text()) for path in (home / "run").glob("*.pid")]
        assert len(pids) == 6
        again = start(home)
        output, _ = again.communicate(timeout=60)
        assert again.returncode == 1 and "is running" in output
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "First live value" in output and "http://127.0.0.1:" in output
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    lake = Lake(home / "lake", "Asia/Shanghai", check=False)
    until = read_state(home).until_us
    with lake.connect(("observation",)) as connection:
        live = connection.sql(f"SELECT stream, t FROM observation WHERE t >= {until['mqtt']}").to_arrow_table()
    assert live.num_rows >= 4
    assert len(np.unique(np.stack([live["stream"].to_numpy(), live["t"].to_numpy()]), axis=1).T) == live.num_rows
    assert pc.max(live["t"]).as_py() < time.time_ns() // 1000
