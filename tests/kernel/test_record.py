"""Records: written only inside a change, with version, history and audit."""

import pytest

from zhongshu.kernel.place.models import Division
from zhongshu.kernel.record import SYSTEM, Conflict, WriteOutsideChange, change, list_history, uuid7, values_as_of

pytestmark = pytest.mark.django_db


def _division(code: str = "990100", **values) -> Division:
    with change(SYSTEM, "set up a test"):
        made = Division(code=code, name="江城", level="city", **values)
        made.save()
    return made


def test_a_write_outside_a_change_is_refused_on_every_path():
    made = _division()
    for write in (
        made.save,
        made.delete,
        lambda: Division.objects.create(code="1", name="x", level="town"),
        lambda: Division.objects.filter(code="990100").update(name="y"),
        lambda: Division.objects.all().delete(),
        lambda: Division.objects.bulk_create([Division(code="2", name="x", level="town")]),
        lambda: Division.objects.bulk_update([made], ["name"]),
    ):
        with pytest.raises(WriteOutsideChange):
            write()
    assert Division.objects.get().name == "江城"


def test_each_version_is_in_the_history_and_readable_as_of_its_time():
    made = _division()
    first = made.changed_at
    with change(SYSTEM, "renamed by order"):
        made.name = "新江城"
        made.save()
    versions = list_history(made)
    assert [v.name for v in versions] == ["新江城", "江城"]
    assert versions[1].recorded_until == versions[0].recorded_from == made.changed_at
    assert values_as_of(Division, first).get(record_id=made.pk).name == "江城"
    assert versions[0].changed_why == "renamed by order"


def test_bulk_writes_keep_history_too():
    with change(SYSTEM, "load"):
        Division.objects.bulk_create([Division(code=str(n), name=f"n{n}", level="town") for n in range(20)])
    with change(SYSTEM, "raise all"):
        assert Division.objects.filter(code__in=["3", "4"]).update(name="changed") == 2
    row = Division.objects.get(code="3")
    assert (row.version, [h.name for h in list_history(row)]) == (2, ["changed", "n3"])
    row.name = "bulk"
    with change(SYSTEM, "bulk"):
        Division.objects.bulk_update([row], ["name"])
    assert [h.name for h in list_history(row)] == ["bulk", "changed", "n3"]
    with change(SYSTEM, "remove"):
        Division.objects.filter(code="3").delete()
    assert values_as_of(Division, row.changed_at).filter(code="3").count() == 1
    assert Division.history_model._default_manager.filter(code="3", recorded_until__isnull=True).count() == 0


def test_bulk_history_holds_every_column_whether_the_ids_lie_together_or_apart():
    with change(SYSTEM, "load"):
        Division.objects.bulk_create([Division(code=str(n), name=f"n{n}", level="town", shape=b"\x01", lon=n / 3, population=n or None) for n in range(1200)])
    with change(SYSTEM, "every second"):
        Division.objects.filter(population__isnull=False).extra(where=["id %% 2 = 0"]).update(name_en="even")
    columns = [f.attname for f in Division._meta.concrete_fields if f.name != "id"]
    open_now = Division.history_model._default_manager.filter(recorded_until__isnull=True)
    assert list(open_now.order_by("record_id").values_list("record_id", *columns)) == list(Division.objects.order_by("id").values_list("id", *columns))
    assert 590 < Division.history_model._default_manager.filter(changed_why="every second").count() < 610


def test_a_stale_copy_cannot_overwrite_a_newer_version():
    made = _division()
    stale = Division.objects.get(pk=made.pk)
    with change(SYSTEM, "first"):
        made.name = "甲"
        made.save()
    stale.name = "乙"
    with pytest.raises(Conflict, match="version 2, yours 1"), change(SYSTEM, "second"):
        stale.save()
    assert Division.objects.get().name == "甲"


def test_an_error_rolls_back_record_history_and_audit():
    with pytest.raises(RuntimeError, match="stop"), change(SYSTEM, "fails"):
        Division(code="9", name="x", level="town").save()
        raise RuntimeError("stop")
    assert Division.objects.count() == 0
    assert Division.history_model._default_manager.count() == 0


def test_identities_sort_by_time():
    made = [uuid7() for _ in range(2000)]
    assert made == sorted(made)
    assert {u.version for u in made} == {7}
