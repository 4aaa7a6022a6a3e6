"""Pages and maps of the operation-centre screen."""

import hashlib
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from zhongshu.kernel.place.models import Division
from zhongshu.security.access import list_held_roles

from .air import list_area_values
from .place import Place, build_place, find_place, find_root, list_path, name_of
from .shapes import Outline, compute_bounds, get_outlines
from .state import ScreenState, build_state
from .stream import count_alarms
from .things import build_spots, list_features
from .viewer import Viewer

__all__ = ["divisions", "home", "screen", "things"]

STALE_AFTER = 30
MEASURES = {"aqi": "aqi", "alarms": "ramp"}
ALARM_STEPS = "0,2,5,10"
WATCHERS = ("duty-officer", "leader")


def home(request: HttpRequest) -> HttpResponse:
    """Send people where their work begins: duty officers and leaders to the screen, all others to their desk."""
    if not request.user.is_authenticated:
        return redirect("login")
    roles = list_held_roles(request.user)
    watches = any(role in WATCHERS or role.endswith(".leader") for role in roles)
    return redirect("screen" if watches else "desk")


@require_GET
@login_required
def screen(request: HttpRequest, uid: UUID | None = None) -> HttpResponse:
    """Show the wall of the viewer's highest division, or of the one asked for."""
    viewer, root = _enter(request)
    division = root if uid is None else _find(viewer, uid)
    measure = _get_measure(request)
    state = build_state(viewer, division)
    path = list_path(division, root)
    return render(request, "portal/screen/wall.html", _build_context(viewer, state, division, path, measure))


@require_GET
@login_required
def divisions(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Answer the children of a division as GeoJSON, each with the value that colours it."""
    viewer, _root = _enter(request)
    division, measure = _find(viewer, uid), _get_measure(request)
    found = get_outlines(division.pk)
    visible = [child for child in found.children if _is_visible(viewer, child)]
    values = _measure(viewer, build_place(division, viewer.language), visible, measure)
    parts = (str(found.generation), json.dumps(values), repr(viewer), measure, str(uid))
    return _answer(request, lambda: _format_divisions(visible, values, viewer.language), *parts)


@require_GET
@login_required
def things(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Answer the things inside a division as GeoJSON."""
    viewer, _root = _enter(request)
    place = build_place(_find(viewer, uid), viewer.language)
    with override(viewer.language):
        body = json.dumps({"type": "FeatureCollection", "features": list_features(build_spots(viewer, place), viewer.language)}, ensure_ascii=False)
    return _answer(request, lambda: body, body)


def _enter(request: HttpRequest) -> tuple[Viewer, Division]:
    viewer = Viewer.of(request.user, get_language() or settings.LANGUAGE_CODE)
    root = find_root(viewer.division) if viewer else None
    if root is None:
        raise PermissionDenied(_("Your rights do not include any division, so there is nothing to show on the screen."))
    return viewer, root


def _find(viewer: Viewer, uid: UUID) -> Division:
    division = find_place(viewer.division, uid)
    if division is None:
        raise Http404(_("There is no such division, or your rights do not reach it."))
    return division


def _get_measure(request: HttpRequest) -> str:
    asked = request.GET.get("measure", "aqi")
    return asked if asked in MEASURES else "aqi"


def _is_visible(viewer: Viewer, child: Outline) -> bool:
    """Within the scope, or leading to something that is: both mean that an interval of the scope meets the child's."""
    spans = [clause.divisions for clause in viewer.division.clauses]
    return any(span is None or any(low <= child.right and child.left <= high for low, high in span) for span in spans)


def _measure(viewer: Viewer, place: Place, children: list[Outline], measure: str) -> dict[str, int | None]:
    if measure == "alarms":
        lefts = count_alarms(viewer, place)
        return {child.uid: sum(child.left <= left <= child.right for left in lefts) for child in children}
    return list_area_values({child.uid: child.level for child in children}) if viewer.station else {}


def _format_divisions(children: list[Outline], values: dict[str, int | None], language: str) -> str:
    features = []
    for child in children:
        what = {"uid": child.uid, "name": child.name_in(language), "level": child.level, "lon": child.lon, "lat": child.lat}
        properties = {**what, "value": values.get(child.uid), "leaf": False}
        text = json.dumps(properties, ensure_ascii=False)
        features.append(f'{{"type":"Feature","geometry":{child.geometry},"properties":{text}}}')
    return f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}'


def _answer(request: HttpRequest, build: Callable[[], str], *parts: str) -> HttpResponse:
    etag = f'"{hashlib.blake2s(chr(0).join(parts).encode(), digest_size=12).hexdigest()}"'
    if request.headers.get("If-None-Match") == etag:
        answer: HttpResponse = HttpResponseNotModified()
    else:
        answer = HttpResponse(build(), content_type="application/geo+json")
    answer["ETag"], answer["Cache-Control"] = etag, "private, no-cache"
    return answer


def _build_context(viewer: Viewer, state: ScreenState, division: Division, path: list[Division], measure: str) -> dict[str, Any]:
    hole, query = "00000000-0000-0000-0000-000000000000", "?measure=alarms" if measure == "alarms" else ""

    def template(name: str) -> str:
        return reverse(name, args=[hole]).replace(hole, "{uid}")

    steps = [{"uid": str(step.uid), "name": name_of(step, viewer.language), "level": step.level} for step in path]
    words = {True: "yes", False: "no"}
    vitals = [{**v, "spark": ",".join("" if n is None else str(n) for n in v["spark"]), "trend_good": words.get(v["trend_good"], "")} for v in state.vitals]
    return {
        "zone": settings.HOUSE.city.zone,
        "city": {"name": name_of(path[0], viewer.language)},
        "headline": state.headline,
        "vitals": vitals,
        "map": {
            "label": _("Map of %(name)s") % {"name": state.place.name},
            "bounds": compute_bounds(division),
            "divisions": template("screen-divisions") + query,
            "things": template("screen-things"),
            "root": state.place.uid,
            "root_name": state.place.name,
            "path": json.dumps(steps, ensure_ascii=False),
            "scale": MEASURES[measure],
            "steps": ALARM_STEPS if measure == "alarms" else "",
            "attribution": "",
        },
        "crumbs": [{"name": step["name"], "url": reverse("screen-division", args=[step["uid"]])} for step in steps],
        "stream": state.stream,
        "open_total": state.open_total,
        "status": {"things_text": state.things_text, "rate_text": ""},
        "live_url": f"/live/screen?division={division.uid}",
        "page_url": template("screen-division"),
        "stale_after": STALE_AFTER,
        "measure": measure,
    }
