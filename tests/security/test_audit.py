"""The trail: right before and after, never a password, and every tampering found."""

import stat

import pytest
from django.db import connection

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import Actor, change
from zhongshu.security.audit import HIDDEN, AppendOnly, AuditEntry, AuditSeal, SealKeyMissing, create_entry, list_trail, seal_due, verify_audit
from zhongshu.security.classify import DataClass
from zhongshu.security.identity.models import User

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor("person", "Li", "u-1", "10.0.0.1")


def _write(count: int = 6) -> None:
    for number in range(count):
        create_entry(ACTOR, "look", f"reason {number}", kind="security.User", record_uid=str(number), detail={"field": "phone"})


def _sql(text: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, values)


def _sealed(batches: int = 3) -> None:
    for _ in range(batches):
        _write(4)
        assert seal_due() == 4
    assert verify_audit().ok


def _kinds() -> list[str]:
    return [finding.kind for finding in verify_audit().findings]


def test_a_write_leaves_who_why_before_and_after():
    with change(ACTOR, "first entry"):
        made = Division(code="990100", name="江城", level="city")
        made.save()
    with change(ACTOR, "renamed by order"):
        made.name = "新江城"
        made.save()
    entry = AuditEntry.objects.order_by("-id").first()
    assert (entry.verb, entry.kind, entry.record_uid, entry.why) == ("change", "kernel.Division", str(made.uid), "renamed by order")
    assert (entry.by_kind, entry.by_name, entry.by_uid, entry.by_address) == ("person", "Li", "u-1", "10.0.0.1")
    assert (entry.before, entry.after) == ({"name": "江城"}, {"name": "新江城"})


def test_the_trail_of_a_record_is_masked_for_its_reader():
    user = User(username="wang", name="Wang", phone="13812341234", password="!x")
    with change(ACTOR, "new officer"):
        user.save()
    (line,) = list_trail("security.User", str(user.uid), DataClass.INTERNAL)
    assert (line.by, line.address, line.verb, line.sealed) == ("Li", "", "create", False)
    assert (line.after["name"], line.after["phone"], line.after["password"]) == ("Wang", "138****1234", "•••")
    seal_due()
    (line,) = list_trail("security.User", str(user.uid), DataClass.SENSITIVE)
    assert (line.after["phone"], line.address, line.sealed) == ("13812341234", "10.0.0.1", True)


def test_a_rolled_back_change_leaves_no_entry():
    with pytest.raises(RuntimeError, match="stop"), change(ACTOR, "fails"):
        Division(code="9", name="x", level="town").save()
        raise RuntimeError("stop")
    assert AuditEntry.objects.count() == 0


def test_a_bulk_write_is_one_entry_with_count_and_digest():
    with change(ACTOR, "load"):
        Division.objects.bulk_create([Division(code=str(n), name="x", level="town") for n in range(30)])
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.count, len(entry.digest)) == ("bulk_create", 30, 64)


def test_a_password_is_never_in_the_trail_only_that_it_changed():
    user = User(username="wang", name="Wang")
    user.set_password("river-stone-41")
    with change(ACTOR, "new officer"):
        user.save()
    first = user.password
    user.set_password("other-stone-42")
    with change(ACTOR, "new password"):
        user.save()
    text = "".join(e.before_json + e.after_json for e in AuditEntry.objects.all())
    assert "stone" not in text and first not in text and user.password not in text
    assert AuditEntry.objects.order_by("-id").first().after == {"password": HIDDEN}


def test_the_trail_cannot_be_changed_or_removed_through_the_models():
    _write(1)
    entry = AuditEntry.objects.get()
    rows = AuditEntry.objects
    for write in (entry.save, entry.delete, rows.all().delete, lambda: rows.update(why="x"), lambda: rows.bulk_update([entry], ["why"])):
        with pytest.raises(AppendOnly):
            write()


def test_an_untouched_trail_verifies_and_the_key_is_private(own_house):
    _sealed()
    _write(2)
    report = verify_audit()
    assert (report.ok, report.seals, report.entries, report.unsealed) == (True, 3, 12, 2)
    assert stat.S_IMODE(own_house.path("audit", "seal.key").stat().st_mode) == 0o600


def test_nothing_to_seal_makes_no_seal():
    assert seal_due() == 0
    assert AuditSeal.objects.count() == 0


def test_an_entry_committed_late_with_a_lower_id_is_sealed_and_verifies():
    _write(3)
    first = AuditEntry.objects.order_by("id").first()
    row = {f.attname: getattr(first, f.attname) for f in AuditEntry._meta.concrete_fields}
    _sql("DELETE FROM security_auditentry WHERE id = %s", first.pk)
    assert seal_due() == 2
    AuditEntry(**row).save(force_insert=True)
    assert seal_due() == 1
    assert AuditEntry.objects.get(pk=first.pk).position == 3
    assert verify_audit().ok


def test_a_changed_entry_is_found():
    _sealed()
    _sql("UPDATE security_auditentry SET why = 'nothing' WHERE position = 6")
    (found,) = verify_audit().findings
    assert (found.kind, found.where) == ("changed", 6)


def test_a_changed_entry_whose_batch_was_hashed_again_is_found():
    from zhongshu.security.audit.seal import chain

    _sealed()
    _sql("UPDATE security_auditentry SET why = 'nothing' WHERE position = 6")
    running = AuditEntry.objects.get(position=5).hash
    for entry in AuditEntry.objects.filter(position__gte=6).order_by("position"):
        running = chain(running, entry)
        _sql("UPDATE security_auditentry SET hash = %s WHERE id = %s", running, entry.pk)
    found = verify_audit().findings[0]
    assert (found.kind, found.where) == ("changed", 8)


def test_a_removed_entry_is_found():
    _sealed()
    _sql("DELETE FROM security_auditentry WHERE position = 7")
    (found,) = verify_audit().findings
    assert (found.kind, found.where) == ("removed", 7)


def test_a_removed_seal_with_its_entries_is_found():
    _sealed()
    _sql("DELETE FROM security_auditentry WHERE position BETWEEN 5 AND 8")
    _sql("DELETE FROM security_auditseal WHERE number = 2")
    (found,) = verify_audit().findings
    assert (found.kind, found.where) == ("removed", 5)


def test_an_entry_inserted_without_the_installations_key_is_found_after_sealing():
    _sealed()
    _sql(
        "INSERT INTO security_auditentry (at, change_uid, by_kind, by_name, by_uid, by_address, why, verb, kind, record_uid, "
        "before_json, after_json, count, digest, mark, hash) "
        "VALUES ('2026-01-01 00:00:00', '', 'person', 'Li', '', '', 'x', 'look', '', '', '{}', '{}', 1, '', 'abc', '')"
    )
    assert seal_due() == 1
    assert _kinds() == ["inserted"]


def test_an_entry_inserted_behind_or_before_the_sealed_ones_is_found():
    _sealed()
    for position in (99, 0):
        _write(1)
        _sql("UPDATE security_auditentry SET position = %s, hash = 'ab' WHERE position IS NULL", position)
    assert [(f.kind, f.where) for f in verify_audit().findings] == [("inserted", 0), ("inserted", 99)]


def test_a_truncated_tail_is_found_and_stays_visible_when_sealing_goes_on():
    _sealed()
    _sql("DELETE FROM security_auditentry WHERE position > 8")
    _sql("DELETE FROM security_auditseal WHERE number = 3")
    (found,) = verify_audit().findings
    assert (found.kind, found.where) == ("truncated", 9)
    _write(2)
    seal_due()
    assert [(f.kind, f.where) for f in verify_audit().findings] == [("removed", 9)]


def test_an_entry_cut_off_under_its_seal_is_found():
    _sealed()
    _sql("DELETE FROM security_auditentry WHERE position = 12")
    assert [(f.kind, f.where) for f in verify_audit().findings] == [("removed", 12)]


def test_a_trail_sealed_anew_with_another_key_is_found(own_house):
    _sealed(1)
    public = own_house.path("audit", "seal.pub").read_text()
    for name in ("seal.key", "seal.pub", "head.json"):
        own_house.path("audit", name).unlink()
    _sql("DELETE FROM security_auditseal")
    _sql("UPDATE security_auditentry SET position = NULL, hash = ''")
    seal_due()
    own_house.path("audit", "seal.pub").write_text(public)
    assert _kinds() == ["seal"]


def test_a_lost_key_stops_sealing_instead_of_beginning_anew(own_house):
    _sealed(1)
    own_house.path("audit", "seal.key").unlink()
    _write(1)
    with pytest.raises(SealKeyMissing, match="bring it back"):
        seal_due()


def test_a_crash_between_the_seal_and_the_head_file_is_no_finding(own_house):
    _sealed(1)
    head = own_house.path("audit", "head.json").read_text()
    _write(1)
    seal_due()
    own_house.path("audit", "head.json").write_text(head)
    assert verify_audit().ok
    _write(1)
    seal_due()
    assert verify_audit().ok
