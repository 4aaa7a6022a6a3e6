"""Declaration → spec: reads a record class once and tells what it says."""

import inspect
import re
from typing import Any

from django.apps import apps
from django.db import models

from zhongshu.kernel.record import CodeField, QuantityField, Record
from zhongshu.kernel.registry import registry

from .kind import FieldSpec, KindSpec, RelationSpec

__all__ = ["build_kind", "find_kind", "get_kind", "list_kinds", "register_kinds"]

HIDDEN = {"id", "uid", "version", "recorded_at", "changed_at"}
TYPES: tuple[tuple[type[models.Field], str], ...] = (
    (CodeField, "code"),
    (QuantityField, "quantity"),
    (models.BooleanField, "flag"),
    (models.ForeignKey, "ref"),
    (models.TextField, "long_text"),
    (models.DateTimeField, "time"),
    (models.DateField, "date"),
    (models.IntegerField, "integer"),
    (models.FloatField, "number"),
    (models.DecimalField, "number"),
    (models.JSONField, "json"),
    (models.BinaryField, "binary"),
    (models.UUIDField, "text"),
    (models.CharField, "text"),
)


def register_kinds() -> None:
    """Build and register the spec of every record kind of the installed apps, then freeze nothing: the registry is frozen by config."""
    for model in apps.get_models():
        if issubclass(model, Record):
            registry.add("kind", model._meta.label, build_kind(model))


def get_kind(name: str) -> KindSpec:
    """Return the spec of a kind by its name (`sense.Thing`); raises `RegistryError`."""
    return registry.get("kind", name)


def find_kind(slug: str) -> KindSpec | None:
    """Return the kind with this address part (`sense-thing`), or None."""
    return next((kind for kind in registry.list("kind").values() if kind.slug == slug), None)


def list_kinds() -> list[KindSpec]:
    """Return all kinds, sorted by name."""
    return list(registry.list("kind").values())


def build_kind(model: type[Record]) -> KindSpec:
    """Build the spec of one record class from its fields, `class Show` and `class Rights`. Raises `TypeError` for a declaration that names what is not there."""
    show, rights = _options(model, "Show"), _options(model, "Rights")
    levels: dict[str, str] = rights.get("levels", {})
    fields = tuple(_build_field(f, levels) for f in model._meta.concrete_fields if f.name not in HIDDEN)
    names = {f.name for f in fields}
    located = {"lon", "lat"} <= names
    columns = tuple(show.get("columns") or [f.name for f in fields if f.type not in ("binary", "json", "long_text")][:6])
    hidden, units = tuple(show.get("hidden", ())), tuple(sorted(show.get("units", {}).items()))
    unknown = [c for c in (*columns, *show.get("search", ()), *show.get("filters", ()), *levels, *hidden, *(name for name, _path in units)) if c not in names]
    if unknown:
        raise TypeError(f"{model._meta.label}: Show or Rights names {unknown[0]!r}, which is not a field")
    division = rights.get("division", "division" if "division" in names else "")
    return KindSpec(
        name=model._meta.label,
        app=model._meta.app_label,
        slug=f"{model._meta.app_label}-{_dashed(model.__name__)}",
        label=model._meta.verbose_name,
        label_plural=model._meta.verbose_name_plural,
        about=inspect.getdoc(model) or "",
        fields=fields,
        columns=columns,
        filters=tuple(show.get("filters") or [f.name for f in fields if f.type in ("code", "flag")]),
        search=tuple(show.get("search") or [f.name for f in fields if f.type == "text" and not f.classified][:3]),
        order=tuple(show.get("order", ("-id",))),
        title=show.get("title", ""),
        icon=show.get("icon", "file"),
        located=located,
        marker=show.get("marker", ""),
        scope_division=division,
        scope_organisation=rights.get("organisation", "organisation" if "organisation" in names else ""),
        level=rights.get("level", "internal"),
        menu=show.get("menu", True),
        related=show.get("related", True),
        writable=show.get("writable", True),
        relations=_build_relations(model),
        hidden=hidden,
        units=units,
    )


def _options(model: type[Record], name: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for klass in reversed(model.__mro__):
        inner = klass.__dict__.get(name)
        if inner is not None:
            merged.update({k: v for k, v in vars(inner).items() if not k.startswith("_")})
    return merged


def _build_field(field: Any, levels: dict[str, str]) -> FieldSpec:
    kind = next(word for base, word in TYPES if isinstance(field, base))
    return FieldSpec(
        name=field.name,
        type=kind,
        label=field.verbose_name,
        required=not (field.blank or field.null or field.has_default()),
        editable=field.editable and kind != "binary",
        unique=field.unique,
        unit=getattr(field, "unit", ""),
        low=getattr(field, "low", None),
        high=getattr(field, "high", None),
        max_length=field.max_length,
        codes=tuple(field.choices or ()) if kind == "code" else (),
        target=field.remote_field.model._meta.label if kind == "ref" else "",
        help=field.help_text,
        classified=levels.get(field.name, ""),
        indexed=bool(field.db_index or field.unique or kind == "ref" or _leads_index(field)),
    )


def _leads_index(field: models.Field) -> bool:
    return any(index.fields and index.fields[0].lstrip("-") == field.name for index in field.model._meta.indexes)


def _build_relations(model: type[Record]) -> tuple[RelationSpec, ...]:
    found = []
    for relation in model._meta.related_objects:
        other = relation.related_model
        if isinstance(other, type) and issubclass(other, Record):
            found.append(RelationSpec(other._meta.label, relation.field.name, other._meta.verbose_name_plural))
    return tuple(sorted(found, key=lambda r: (r.kind, r.field)))


def _dashed(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
