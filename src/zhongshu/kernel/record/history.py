"""History: every version of every record, in a table of its own per kind, readable as of any moment."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, models
from django.db.models import Q

if TYPE_CHECKING:
    from .model import Record

__all__ = ["RecordHistory", "build_history", "copy_to_history", "list_history", "values_as_of"]

PIECE = 500


class RecordHistory(models.Model):
    """One version of one record: known to the system from `recorded_from` until `recorded_until` (null: still)."""

    history_id = models.BigAutoField(primary_key=True)
    record_id = models.BigIntegerField(db_index=True)
    recorded_from = models.DateTimeField()
    recorded_until = models.DateTimeField(null=True)
    change_uid = models.CharField(max_length=36)
    changed_by = models.CharField(max_length=200)
    changed_why = models.CharField(max_length=500)

    class Meta:
        abstract = True


def build_history(model: type["Record"]) -> type[RecordHistory]:
    """Make the history model of a record kind: the same columns, no constraints, plus validity and who and why."""
    name = f"{model.__name__}History"
    columns = {f.name: _copy(f) for f in model._meta.local_concrete_fields if f.name != "id"}

    class Meta:
        app_label = model._meta.app_label
        db_table = f"{model._meta.db_table}_history"
        default_permissions = ()
        indexes = [models.Index(fields=["record_id", "recorded_from"], name=f"{model._meta.app_label}_{model._meta.model_name}_hx"[:30])]

    return type(name, (RecordHistory,), {"__module__": model.__module__, "__qualname__": name, "Meta": Meta, **columns})


def _copy(source: Any) -> Any:
    if isinstance(source, models.ForeignKey):
        return models.ForeignKey(
            source.remote_field.model, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="+", db_index=False, db_column=source.column
        )
    copied = source.clone()
    copied._unique = False
    copied.db_index = False
    copied.auto_created = False
    if isinstance(copied, models.DateTimeField):
        copied.auto_now = copied.auto_now_add = False
    return copied


def column_names(model: type["Record"]) -> list[str]:
    """Return the attribute names (foreign keys as `x_id`) that history keeps, in a fixed order."""
    return [f.attname for f in model._meta.local_concrete_fields if f.name != "id"]


def copy_to_history(model: type["Record"], ids: Sequence[int], stamp: Mapping[str, Any]) -> None:
    """Open a version of each of these records as they stand in the table now, inside the database: building the rows in Python took longer than writing the records.

    `stamp` holds the columns of `RecordHistory` that say since when, by whom and why.
    """
    history, quote = model.history_model, connection.ops.quote_name
    fields: list[Any] = [history._meta.get_field(name) for name in stamp]
    kept = [quote(str(f.column)) for f in model._meta.local_concrete_fields if f.name != "id"]
    columns = ", ".join([quote("record_id"), *(quote(f.column) for f in fields), *kept])
    copied = ", ".join([quote("id"), *(["%s"] * len(fields)), *kept])
    insert = f"INSERT INTO {quote(history._meta.db_table)} ({columns}) SELECT {copied} FROM {quote(model._meta.db_table)} WHERE {quote('id')} "  # noqa: S608 (names of the model's own columns)
    values = [f.get_db_prep_save(stamp[f.name], connection) for f in fields]
    with connection.cursor() as cursor:
        if ids and max(ids) - min(ids) + 1 == len(set(ids)):
            cursor.execute(f"{insert}BETWEEN %s AND %s ORDER BY 1", [*values, min(ids), max(ids)])
            return
        for start in range(0, len(ids), PIECE):
            part = ids[start : start + PIECE]
            cursor.execute(f"{insert}IN ({', '.join(['%s'] * len(part))}) ORDER BY 1", [*values, *part])


def values_as_of(model: type["Record"], moment: datetime) -> models.QuerySet[Any]:
    """Return history rows of a kind as the system knew them at `moment`, one per record that existed then."""
    rows: models.QuerySet[Any] = model.history_model._default_manager.all()
    return rows.filter(Q(recorded_until__isnull=True) | Q(recorded_until__gt=moment), recorded_from__lte=moment)


def list_history(record: "Record") -> list[Any]:
    """Return all versions of one record, newest first."""
    return list(record.history_model._default_manager.filter(record_id=record.pk).order_by("-recorded_from", "-history_id"))
