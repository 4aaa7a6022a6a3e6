"""Writing records of any kind for a caller: validated, inside the caller's scope before and after, audited with a reason."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Model, ProtectedError, QuerySet
from django.forms import ModelForm, modelform_factory
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from zhongshu.kernel.derive import KindSpec, build_surface, get_kind
from zhongshu.kernel.record import Actor, Record, change
from zhongshu.kernel.units import get_symbol
from zhongshu.portal.render import FormSpec
from zhongshu.security.access import Scope

from .query import get_model, get_rows

__all__ = ["InUse", "ReasonForm", "build_form_class", "remove_record", "save_form"]


class ReasonForm(forms.Form):
    """Why something is done that others will ask about."""

    why = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=500, help_text=gettext_lazy("Stands in the trail beside your name."))


class InUse(ValueError):
    """A record cannot be removed because others point to it."""


def build_form_class(kind: KindSpec, scopes: Mapping[str, Scope]) -> "type[ModelForm[Any]]":
    """Make the form class of a kind; reference fields offer only what `scopes` (kind name → view scope) lets the caller see."""
    spec: FormSpec = build_surface(kind, "form")
    made = modelform_factory(get_model(kind), fields=list(spec.fields), formfield_callback=_form_field)
    for name, field in made.base_fields.items():
        target = kind.get_field(name).target
        if target and isinstance(field, forms.ModelChoiceField):
            scope = scopes.get(target)
            field.queryset = get_rows(get_kind(target), scope) if scope is not None else _none(field.queryset)
            field.to_field_name = "uid"
    return made


def save_form(form: "ModelForm[Any]", kind: KindSpec, scope: Scope, by: Actor, why: str) -> Record:
    """Save a valid form; raises `PermissionDenied` when the record would lie outside the caller's scope, before or after, and `Conflict` for a stale version."""
    with change(by, why):
        record: Record = form.save(commit=False)
        if record.pk is not None and not get_rows(kind, scope).filter(pk=record.pk).exists():
            raise PermissionDenied(_("You may not change this record."))
        record.save()
        if not get_rows(kind, scope).filter(pk=record.pk).exists():
            raise PermissionDenied(_("Your rights do not reach where this record would be."))
    return record


def remove_record(record: Record, by: Actor, why: str) -> None:
    """Remove a record; raises `InUse` naming what points to it."""
    try:
        with change(by, why):
            record.delete()
    except ProtectedError as error:
        first = next(iter(error.protected_objects))
        what = f"{first._meta.verbose_name} {first}" if isinstance(first, Model) else str(first)
        raise InUse(
            _("%(record)s is still used by %(what)s and %(count)s in all; remove or move them first.")
            % {"record": record, "what": what, "count": len(error.protected_objects)}
        ) from error


def _form_field(field: Any, **options: Any) -> Any:
    made = field.formfield(**options)
    if made is not None and hasattr(field, "unit") and field.unit:
        made.help_text = f"{get_symbol(field.unit)} {made.help_text}".strip()
    if isinstance(made, forms.DateField):
        made.widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return made


def _none(rows: QuerySet[Any] | None) -> QuerySet[Any] | None:
    return rows.none() if rows is not None else None
