"""Backup and restore: what was acknowledged before the backup began is there afterwards, once, and new entries are not taken for old ones."""

import contextlib
import dataclasses
import io
import json
import tarfile
import time

import pyarrow as pa
import pytest
from django.conf import settings as django_settings

from zhongshu.kernel.event import Offset
from zhongshu.kernel.lake import Lake
from zhongshu.kernel.log import Entry, LogReader, LogWriter, raise_sequence
from zhongshu.ops.backup import BackupError, create_backup, restore_backup, take
from zhongshu.sense.observe.reading import encode_readings
from zhongshu.sense.pipeline import Pipeline, PipelineSettings, Quarantine

from .conftest import Sender, wait_for


def read_stored(home):
    lake = Lake(home / "lake")
    with lake.connect(("observation",)) as connection:
        rows = connection.execute("SELECT stream, t, value FROM observation").fetchall()
    lake.close()
    assert len(rows) == len({row[:2] for row in rows}), "an identity is there twice"
    return {(("http:one/heat", "http:one/wind")[stream % 2], t): value for stream, t, value in rows if stream < 2}


def list_quarantined(home):
    reader = Quarantine(home / "log" / "quarantine.sqlite3")
    found = set()
    for entry in reader._reader.read(0):
        with pa.ipc.open_stream(entry.body) as stream:
            found.update(stream.read_all().column("t").to_pylist())
    reader.close()
    return found


def wait_until_drained(home):
    reader = LogReader(home / "log" / "local.sqlite3")
    wait_for(lambda: reader.figures().entries == 0, 60, "the emptying of the log")
    reader.close()


@pytest.mark.parametrize(("source", "target"), [("sqlite", "sqlite"), ("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_backup_under_running_intake_is_restored_without_loss_and_without_doubles(install, request, tmp_path, source, target):
    url = request.getfixturevalue("postgres_database") if "postgres" in (source, target) else ""
    old = install("old", url if source == "postgres" else "")
    old.run("user", "create", "wang", "--name", "Wang", "--role", "duty-officer", text="river-stone-41\n")
    old.build_city()
    old.start("gateway", "pipeline", "worker")
    sender = Sender(old)
    sender.start()
    wait_for(lambda: (old.home / "lake" / "observation").exists() and (old.home / "audit" / "head.json").exists() and sender.number > 60, what="intake")
    before = dict(sender.acknowledged)
    archive = tmp_path / "city.tar"
    told = old.run("backup", str(archive)).stderr
    assert "lake observation" in told and "work.case" in told
    sender.stop()
    old.stop()
    assert len(sender.acknowledged) > len(before), "intake went on while the backup was taken"
    assert "exists already" in old.run("backup", str(archive), check=False).stderr

    new = install("new", url if target == "postgres" else "")
    new.run("restore", str(archive))
    assert "already holds records" in new.run("restore", str(archive), check=False).stderr
    assert "the trail is whole" in new.run("verify-audit").stdout
    assert (new.home / "secret.key").read_text() == (old.home / "secret.key").read_text()
    new.start("gateway", "pipeline", "worker")
    later = Sender(new, first=1_000_000)
    for _ in range(15):
        later.send()
    wait_until_drained(new.home)
    doctor = json.loads(new.run("doctor", "--json", check=False).stdout)
    assert {f["name"] for f in doctor if not f["ok"]} <= {"front-end files"}
    new.stop()

    stored, quarantined = read_stored(new.home), list_quarantined(new.home)
    for acknowledged, what in ((before, "before the backup"), (later.acknowledged, "after the restore")):
        known = {key: value for key, value in acknowledged.items() if not key[0].endswith("unknown")}
        missing = set(known.items()) - set(stored.items())
        assert not missing, f"{len(missing)} of {len(known)} readings acknowledged {what} are missing"
        unknown = {t for stream, t in acknowledged if stream.endswith("unknown")}
        assert unknown <= quarantined, f"quarantined readings of {what} are missing"
    assert "the trail is whole" in new.run("verify-audit").stdout


@pytest.fixture
def house(settings, tmp_path, monkeypatch):
    """A data folder of its own with the test's database, which nobody else writes: it needs no snapshot (Django's tests allow no second database)."""
    monkeypatch.setattr(take, "_snapshot", lambda house, stage: contextlib.nullcontext("default"))
    settings.HOUSE = dataclasses.replace(settings.HOUSE, home=tmp_path / "a")
    settings.HOUSE.home.mkdir()
    settings.HOUSE.path("secret.key").write_text(settings.SECRET_KEY)
    return settings.HOUSE


def quiet(_what, _count):
    pass


def build_entry(number):
    now = time.time_ns() // 1000
    return Entry("readings", encode_readings(pa.array(["s/nobody"]), [0], [now - 10_000_000 + number], pa.array([1.0]), [0], [0]), now, "test")


@pytest.mark.django_db(transaction=True)
def test_numbers_the_lake_has_read_are_not_given_again(house, settings, tmp_path, monkeypatch):
    """Between the copy of the log and that of the lake the pipeline goes on: the lake is ahead of the log's copy."""
    log, pipeline = LogWriter(house.path("log", "local.sqlite3")), Pipeline(PipelineSettings(house.home))
    log.append([build_entry(n) for n in range(3)])
    copy = take.copy_commits

    def go_on_and_copy(source, target):
        if source.name == "observation":
            log.append([build_entry(n) for n in range(3, 10)])
            while pipeline.step():
                pass
        return copy(source, target)

    pipeline.step()
    monkeypatch.setattr(take, "copy_commits", go_on_and_copy)
    Offset.objects.create(consumer="sense.facts", position=77)
    create_backup(house, tmp_path / "x.tar", quiet)
    pipeline.close()
    log.close()
    settings.HOUSE = other = dataclasses.replace(house, home=tmp_path / "b")
    restore_backup(other, tmp_path / "x.tar", quiet)

    log = LogWriter(other.path("log", "local.sqlite3"))
    assert log.append([build_entry(10)]) == 11
    log.close()
    facts = LogReader(other.path("log", "facts.sqlite3"))
    assert facts.last_seq() == 77
    facts.close()
    pipeline = Pipeline(PipelineSettings(other.home))
    assert pipeline.step() == 1 and pipeline.step() == 0
    pipeline.close()
    assert len(list_quarantined(other.home)) == 11


def test_a_sequence_is_only_ever_raised(tmp_path):
    path = tmp_path / "log" / "local.sqlite3"
    assert raise_sequence(path, 40) == 40
    log = LogWriter(path)
    assert log.append([build_entry(1)]) == 41
    assert raise_sequence(path, 12) == 41
    assert log.append([build_entry(2)]) == 42
    log.close()


def change_archive(source, target, change):
    """Write the archive again with `change(name, bytes) -> bytes | None`."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            if member.isfile() and (text := change(member.name, old.extractfile(member).read())) is not None:
                member.size = len(text)
                new.addfile(member, io.BytesIO(text))


def newer(name, text):
    return json.dumps(json.loads(text) | {"version": "99.0.0"}).encode() if name == "manifest.json" else text


@pytest.mark.django_db(transaction=True)
def test_archives_that_cannot_be_used_are_refused_in_a_plain_sentence_and_change_nothing(house, settings, tmp_path):
    good = tmp_path / "good.tar"
    Pipeline(PipelineSettings(house.home)).close()
    create_backup(house, good, quiet)
    settings.HOUSE = other = dataclasses.replace(house, home=tmp_path / "b")
    bad = tmp_path / "bad.tar"
    cases = [
        (lambda name, text: b"x" + text[1:] if name.startswith("records/kernel.job") else text, "is damaged: records/kernel.job"),
        (lambda name, text: None if name == "lake/lake.json" else text, "is damaged: lake/lake.json"),
        (lambda name, text: None if name == "manifest.json" else text, "not a backup of zhongshu, or it is damaged"),
        (newer, "taken with version 99.0.0"),
    ]
    for change, said in cases:
        change_archive(good, bad, change)
        with pytest.raises(BackupError, match=said):
            restore_backup(other, bad, quiet)
        assert not other.path("lake").exists() and not other.path("log").exists()
    bad.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    with pytest.raises(BackupError, match="damaged"):
        restore_backup(other, bad, quiet)
    with pytest.raises(BackupError, match="does not exist"):
        restore_backup(other, tmp_path / "none.tar", quiet)
    with pytest.raises(BackupError, match="zone Asia/Shanghai, this installation says Europe/Paris"):
        restore_backup(dataclasses.replace(other, city=dataclasses.replace(other.city, zone="Europe/Paris")), good, quiet)
    log = LogWriter(other.path("log", "local.sqlite3"))
    log.append([build_entry(1)])
    log.close()
    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(other, good, quiet)
    assert django_settings.HOUSE is other
