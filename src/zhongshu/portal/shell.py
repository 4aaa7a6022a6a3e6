"""What surrounds every desk page: navigation by right, the person, the language."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from zhongshu.kernel.derive import list_kinds
from zhongshu.security.access import list_verbs, scope_for
from zhongshu.security.identity.models import User

__all__ = ["get_user", "page_context"]

LIVE_URL = "/live/desk"
GROUPS = ("work", "brain", "sense", "kernel", "security")


def get_user(request: HttpRequest) -> User:
    """Return the logged-in person; raises `PermissionDenied` where nobody is."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def page_context(request: HttpRequest, active: str, title: str) -> dict[str, Any]:
    """Build the part of the context that every desk page shares."""
    house = settings.HOUSE
    user: Any = request.user
    return {
        "title": title,
        "zone": house.city.zone,
        "shell": {
            "site_name": _("zhongshu"),
            "city": house.city.name,
            "home_url": reverse("desk"),
            "nav": _build_navigation(request, active),
            "bottom": _build_bottom(active),
            "user": {"name": user.name or user.username, "post": str(user.post or user.organisation or "") if user.pk else "", "url": reverse("account")},
            "logout_url": reverse("logout"),
            "live_url": LIVE_URL if request.user.is_authenticated else "",
            "set_language_url": reverse("set-language"),
            "search_url": reverse("search"),
            "query": request.GET.get("q", "") if active == "search" else "",
        },
    }


def _build_navigation(request: HttpRequest, active: str) -> list[dict[str, Any]]:
    first = [{**_link("desk", "inbox", _("To do"), active), "count_name": "todo"}]
    if scope_for(request.user, "kernel.Division", "view"):
        first.append(_link("screen", "device-desktop", _("Operation centre"), active))
    groups: list[dict[str, Any]] = [{"label": "", "items": first}]
    labels = {
        "work": _("Cases"),
        "brain": _("Events and indicators"),
        "sense": _("Sensing"),
        "kernel": _("Divisions"),
        "security": _("People and rights"),
    }
    kinds = [kind for kind in list_kinds() if kind.menu and scope_for(request.user, kind, "view")]
    apps = [app for app in dict.fromkeys([*GROUPS, *(kind.app for kind in kinds)]) if any(kind.app == app for kind in kinds)]
    for app in apps:
        items = [_record_link(kind, active) for kind in kinds if kind.app == app]
        groups.append({"label": labels.get(app, _pack_label(app)), "items": items})
    system = []
    if "view" in list_verbs(request.user, "ops.System"):
        system.append({**_link("admin", "server", _("Processes and input"), active), "active": active.startswith("admin") and active != "admin-audit"})
    if "view" in list_verbs(request.user, "security.AuditEntry"):
        system.append(_link("admin-audit", "history", _("Audit trail"), active))
    return [*groups, {"label": _("System"), "items": system}] if system else groups


def _pack_label(app: str) -> str:
    pack = next((p for p in settings.PACKS if p.id == app), None)
    if pack is None:
        return app
    return pack.name_en if get_language() == "en" else pack.name_zh


def _link(name: str, icon: str, label: str, active: str) -> dict[str, Any]:
    return {"url": reverse(name), "icon": icon, "label": label, "active": active == name}


def _record_link(kind: Any, active: str) -> dict[str, Any]:
    return {"url": reverse("records", args=[kind.slug]), "icon": kind.icon, "label": kind.label_plural, "active": active == kind.slug}


def _build_bottom(active: str) -> list[dict[str, Any]]:
    return [
        {**_link("desk", "inbox", _("To do"), active), "count_name": "todo"},
        _link("search", "search", _("Search"), active),
        _link("screen", "device-desktop", _("Screen"), active),
    ]
