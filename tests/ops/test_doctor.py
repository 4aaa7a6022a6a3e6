"""The doctor finds each broken state, and health and metrics tell how the processes are."""

import json
import os
import shutil
import sqlite3
import time
import urllib.error
import urllib.request

import pytest

from zhongshu.kernel.log import Entry, LogWriter

from .conftest import Sender, free_port, wait_for


def examine(installation):
    done = installation.run("doctor", "--json", check=False)
    assert "Traceback" not in done.stderr
    findings = {f["name"]: f for f in json.loads(done.stdout)}
    bad = {name for name, f in findings.items() if not f["ok"]} - {"front-end files"}
    assert done.returncode == (0 if all(f["ok"] for f in findings.values()) else 1)
    assert all(f["remedy"] for f in findings.values() if not f["ok"])
    return bad, findings


def test_a_fresh_installation_is_well(install):
    bad, findings = examine(install())
    assert not bad and findings["records"]["text"] == "sqlite, 0 migrations waiting"


def empty_last_commit(lake):
    sorted((lake / "observation" / "_delta_log").glob("*.json"))[-1].write_bytes(b"")


def cut_data_file(lake):
    file = next((lake / "observation").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-10])


@pytest.fixture
def filled(install):
    """An installation whose lake and log hold something."""
    made = install()
    made.build_city()
    made.start("gateway", "pipeline")
    Sender(made).send()
    wait_for(lambda: list((made.home / "lake" / "observation").rglob("*.parquet")), what="the first commit")
    made.stop()
    shutil.rmtree(made.home / "run")
    return made


def test_damaged_lake_files_and_logs_are_named(filled):
    assert examine(filled)[0] == set()
    shutil.copytree(filled.home / "lake", filled.home / "whole")
    for damage, said in ((empty_last_commit, "is empty, as after a power cut"), (cut_data_file, "1 files are damaged")):
        damage(filled.home / "lake")
        bad, findings = examine(filled)
        assert bad == {"lake"} and said in findings["lake"]["text"]
        shutil.rmtree(filled.home / "lake")
        shutil.copytree(filled.home / "whole", filled.home / "lake")
    log = LogWriter(filled.home / "log" / "local.sqlite3")
    log.append([Entry("readings", b"x" * 100_000, 1, "s") for _ in range(20)])
    log.close()
    with (filled.home / "log" / "local.sqlite3").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 65536)
    bad, findings = examine(filled)
    assert bad == {"logs"} and "local.sqlite3" in findings["logs"]["text"]
    for file in (filled.home / "log").glob("local.sqlite3*"):
        file.unlink()
    LogWriter(filled.home / "log" / "local.sqlite3").close()
    bad, findings = examine(filled)
    assert bad == {"lake"} and "the log of partition local begins anew" in findings["lake"]["text"]


def test_missing_migrations_other_code_a_silent_process_and_servers_that_are_down_are_found(install):
    made = install(mqtt_url=f"mqtt://user:secret@127.0.0.1:{free_port()}", nats_url=f"nats://127.0.0.1:{free_port()}")
    with sqlite3.connect(made.home / "records.sqlite3") as records:
        records.execute("UPDATE kernel_registrystate SET digest = 'x' WHERE part = 'sense'")
        records.execute("DELETE FROM django_migrations WHERE app = 'work'")
    records.close()
    pulse = made.home / "run" / "worker.json"
    pulse.parent.mkdir()
    pulse.write_text('{"pid": 1}')
    os.utime(pulse, (time.time() - 60, time.time() - 60))
    bad, findings = examine(made)
    assert bad == {"records", "code and records", "broker", "nats", "processes"}
    assert "sense" in findings["code and records"]["text"] and "worker" in findings["processes"]["remedy"]
    assert "secret" not in json.dumps(findings)
    refused = made.run("run", "gateway", check=False)
    assert refused.returncode == 1 and "other code for sense" in refused.stderr and "Traceback" not in refused.stderr


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_and_metrics_follow_the_processes(install):
    port = free_port()
    made = install(web_port=port)
    made.build_city()
    made.start("web", "gateway", "pipeline")
    wait_for(lambda: made.is_open(port), what="the opening of the pages")
    wait_for(lambda: {"gateway", "pipeline", "web"} <= {f.stem for f in (made.home / "run").glob("*.json")}, what="the pulses")
    status, text = get(f"http://127.0.0.1:{port}/health")
    assert (status, json.loads(text)["status"]) == (200, "ok") and set(json.loads(text)["parts"]) == {"web", "gateway", "pipeline", "records"}
    Sender(made).send()
    wait_for(lambda: json.loads((made.home / "run" / "pipeline.json").read_text())["new"] == 20, what="the pipeline's count")
    status, text = get(f"http://127.0.0.1:{port}/metrics")
    assert status == 200 and 'zhongshu_new{part="",process="pipeline"} 20.0' in text
    made.processes["pipeline"].kill()
    made.processes["pipeline"].wait()
    silent = made.home / "run" / "pipeline.json"
    os.utime(silent, (time.time() - 60, time.time() - 60))
    status, text = get(f"http://127.0.0.1:{port}/health")
    assert (status, json.loads(text)["parts"]["pipeline"]) == (503, "silent")


@pytest.mark.postgres
def test_a_records_server_that_is_away_is_found(install, require, postgres_database):
    made = install(records_url=postgres_database)
    assert examine(made)[1]["records"]["text"] == "postgresql, 0 migrations waiting"
    made.environment["ZHONGSHU_RECORDS_URL"] = f"postgres://nobody@127.0.0.1:{free_port()}/none"
    bad, _ = examine(made)
    assert bad == {"records", "code and records", "deliveries and jobs"}
