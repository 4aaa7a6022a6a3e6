"""Pages over records of any kind."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from zhongshu.kernel.derive import KindSpec, build_surface, find_kind, get_kind
from zhongshu.kernel.record import Conflict, Record
from zhongshu.portal.render import DetailSpec, FormSpec
from zhongshu.portal.shell import page_context
from zhongshu.security.access import Scope, scope_for

from .address import find_page_of, record_url
from .detail import build_badges, build_panels, build_related
from .pages import build_list_page
from .query import QueryError, find_page, get_model, get_rows
from .trail import build_trail
from .write import InUse, ReasonForm, build_form_class, remove_record, save_form

__all__ = ["change_record", "create_record", "list_records", "record_geojson", "remove", "show_record"]


@require_GET
def list_records(request: HttpRequest, slug: str) -> HttpResponse:
    """List the records of a kind that the caller may see."""
    kind, scope = _enter(request, slug, "view")
    asked = {name: str(value) for name, value in request.GET.items() if value}
    try:
        page = find_page(kind, scope, asked)
    except QueryError as error:
        messages.error(request, str(error))
        return redirect("records", slug)
    context = build_list_page(kind, scope, page, asked)
    actions: list[dict[str, Any]] = []
    if _may(request, kind, "create"):
        label = _("New %(kind)s") % {"kind": kind.label}
        actions.append({"label": label, "url": reverse("record-create", args=[slug]), "primary": True, "icon": "plus"})
    return render(request, "portal/desk/list.html", {**page_context(request, slug, capfirst(kind.label_plural)), **context, "actions": actions})


@require_GET
def show_record(request: HttpRequest, slug: str, uid: UUID) -> HttpResponse:
    """Show one record with its place, what points to it and its trail."""
    kind, scope = _enter(request, slug, "view")
    record = _find(kind, scope, uid)
    if own_page := find_page_of(kind, record):
        return redirect(own_page)
    scopes = {relation.kind: scope_for(request.user, get_kind(relation.kind), "view") for relation in kind.relations}
    actions: list[dict[str, Any]] = []
    if _may(request, kind, "change", record):
        actions.append({"label": _("Change"), "url": reverse("record-change", args=[slug, uid]), "icon": "edit", "key": "edit"})
    if _may(request, kind, "remove", record):
        actions.append({"label": _("Remove"), "url": reverse("record-remove", args=[slug, uid]), "icon": "trash", "danger": True})
    panels = build_panels(kind, scope, record, scope_for(request.user, "kernel.Division", "view"))
    context = {
        **page_context(request, slug, str(record)),
        "badges": build_badges(kind, record),
        "crumbs": [{"label": kind.label_plural, "url": reverse("records", args=[slug])}],
        "panels": panels,
        "with_chart": any(panel.chart for panel in panels),
        "related": build_related(kind, record, scopes),
        "trail": build_trail(record),
        "trail_title": _("Changes"),
        "actions": actions,
        "with_map": kind.located,
    }
    return render(request, "portal/desk/detail.html", context)


def create_record(request: HttpRequest, slug: str) -> HttpResponse:
    """Fill in a new record."""
    kind, scope = _enter(request, slug, "create")
    return _form_page(request, kind, scope, None)


def change_record(request: HttpRequest, slug: str, uid: UUID) -> HttpResponse:
    """Change a record."""
    kind, scope = _enter(request, slug, "change")
    return _form_page(request, kind, scope, _find(kind, scope, uid))


def remove(request: HttpRequest, slug: str, uid: UUID) -> HttpResponse:
    """Ask, then remove a record."""
    kind, scope = _enter(request, slug, "remove")
    record = _find(kind, scope, uid)
    if request.method == "POST":
        try:
            remove_record(record, request.actor, _why(request, _("removed on the page")))  # type: ignore[attr-defined]
        except (InUse, Conflict) as error:
            messages.error(request, str(error))
            return redirect(record_url(kind, record))
        messages.success(request, _("%(record)s was removed; its history stays.") % {"record": record})
        return redirect("records", slug)
    title = _("Remove %(record)s?") % {"record": record}
    context = {
        **page_context(request, slug, title),
        "question": title,
        "consequences": [_("It disappears from all lists and maps."), _("Its history and trail stay.")],
        "cancel_url": record_url(kind, record),
        "confirm_label": _("Remove"),
        "form": ReasonForm(request.POST or None),
        "irreversible": True,
        "danger": True,
    }
    return render(request, "portal/desk/confirm.html", context)


@require_GET
def record_geojson(request: HttpRequest, slug: str, uid: UUID) -> JsonResponse:
    """Return one located record as GeoJSON for the small map of its page."""
    kind, scope = _enter(request, slug, "view")
    record: Any = _find(kind, scope, uid)
    band = getattr(record, kind.marker, "") if kind.marker else ""
    point = {
        "type": "Feature",
        "id": str(record.uid),
        "geometry": {"type": "Point", "coordinates": [record.lon, record.lat]},
        "properties": {"uid": str(record.uid), "name": str(record), "band": band, "url": record_url(kind, record)},
    }
    return JsonResponse({"type": "FeatureCollection", "features": [point]})


def _form_page(request: HttpRequest, kind: KindSpec, scope: Scope, record: Record | None) -> HttpResponse:
    spec: FormSpec = build_surface(kind, "form")
    if not spec.fields:
        raise PermissionDenied(_("Records of this kind are kept by the system."))
    targets = {kind.get_field(name).target for name in spec.fields} - {""}
    form_class = build_form_class(kind, {target: scope_for(request.user, get_kind(target), "view") for target in targets})
    form = form_class(request.POST or None, instance=record if record is not None else get_model(kind)())
    if request.method == "POST":
        if record is not None and request.POST.get("version") not in (None, str(record.version)):
            form.add_error(None, _("Somebody else changed this record meanwhile; look at it again before you save."))
        if form.is_valid():
            try:
                saved = save_form(form, kind, scope, request.actor, _why(request, _("changed on the page") if record else _("created on the page")))  # type: ignore[attr-defined]
            except Conflict as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("%(record)s was saved.") % {"record": saved})
                return redirect(record_url(kind, saved))
    title = str(record) if record is not None else _("New %(kind)s") % {"kind": kind.label}
    cancel = record_url(kind, record) if record is not None else reverse("records", args=[kind.slug])
    crumbs = [{"label": kind.label_plural, "url": reverse("records", args=[kind.slug])}]
    version = record.version if record is not None else ""
    context = {**page_context(request, kind.slug, title), "crumbs": crumbs, "form": form, "cancel_url": cancel, "version": version}
    return render(request, "portal/records/form.html", context, status=400 if form.errors else 200)


def _enter(request: HttpRequest, slug: str, verb: str) -> tuple[KindSpec, Scope]:
    kind = find_kind(slug)
    if kind is None:
        raise Http404(_("There is no such kind of record."))
    scope = scope_for(request.user, kind, verb)
    if not scope:
        raise PermissionDenied(_("Your rights do not include this for %(kind)s.") % {"kind": kind.label_plural})
    return kind, scope


def _find(kind: KindSpec, scope: Scope, uid: UUID) -> Record:
    spec: DetailSpec = build_surface(kind, "detail")
    record = get_rows(kind, scope).select_related(*spec.references).filter(uid=uid).first()
    if record is None:
        raise Http404(_("There is no such record, or your rights do not reach it."))
    return record


def _may(request: HttpRequest, kind: KindSpec, verb: str, record: Record | None = None) -> bool:
    spec: FormSpec = build_surface(kind, "form")
    scope = scope_for(request.user, kind, verb)
    if not spec.fields or not scope:
        return False
    return record is None or get_rows(kind, scope).filter(pk=record.pk).exists()


def _why(request: HttpRequest, otherwise: str) -> str:
    return request.POST.get("why", "").strip()[:500] or otherwise
