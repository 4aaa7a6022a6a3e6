"""Log-in with an optional second step, log-out, language, password, second factor, own sessions."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from zhongshu.portal.records.detail import Panel
from zhongshu.portal.render import Cell
from zhongshu.portal.shell import page_context
from zhongshu.security.identity import (
    LogInRefused,
    begin_totp,
    change_password,
    change_user,
    confirm_log_in,
    confirm_totp,
    end_session,
    has_totp,
    list_sessions,
    log_in,
    log_out,
)

__all__ = ["account", "end", "login", "logout", "password", "second_factor", "set_language", "totp"]


BROWSERS = (("MicroMessenger", "WeChat"), ("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (("HarmonyOS", "HarmonyOS"), ("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iPadOS"), ("Windows", "Windows"), ("Mac OS X", "macOS"), ("Linux", "Linux"))


class LogInForm(forms.Form):
    """Name and password."""

    username = forms.CharField(label=gettext_lazy("Log-in name"), max_length=48, widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}))
    password = forms.CharField(label=gettext_lazy("Password"), max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))


class CodeForm(forms.Form):
    """A one-time or recovery code."""

    code = forms.CharField(
        label=gettext_lazy("Code"), max_length=20, widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True})
    )


class PasswordForm(forms.Form):
    """A new password, proved by the old one."""

    old = forms.CharField(label=gettext_lazy("Present password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))
    new = forms.CharField(label=gettext_lazy("New password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))
    again = forms.CharField(label=gettext_lazy("New password again"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))


@never_cache
@sensitive_post_parameters("password")
def login(request: HttpRequest) -> HttpResponse:
    """Ask for name and password."""
    if request.user.is_authenticated:
        return redirect(_get_next(request))
    form = LogInForm(request.POST or None)
    locked = ""
    if request.method == "POST" and form.is_valid():
        try:
            log_in(request, form.cleaned_data["username"], form.cleaned_data["password"])
        except LogInRefused as refused:
            if refused.reason == "code-needed":
                return redirect(f"{reverse('second-factor')}?next={_get_next(request)}")
            locked = str(refused) if refused.reason == "locked" else ""
            if not locked:
                form.add_error(None, str(refused))
        else:
            return redirect(_get_next(request))
    return render(request, "portal/auth/login.html", _door(request, form, locked_text=locked), status=403 if locked else 200)


@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """Ask for the code of the second step."""
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            confirm_log_in(request, form.cleaned_data["code"])
        except LogInRefused as refused:
            if refused.reason == "wrong":
                messages.error(request, str(refused))
                return redirect("login")
            form.add_error("code", str(refused))
        else:
            return redirect(_get_next(request))
    return render(request, "portal/auth/totp.html", _door(request, form, back_url=reverse("login")))


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End this session."""
    log_out(request)
    return redirect("login")


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Change the language, for the person where one is logged in."""
    wanted = request.POST.get("language", "")
    response = redirect(_get_next(request))
    if wanted in dict(settings.LANGUAGES):
        user: Any = request.user
        if user.is_authenticated and user.language != wanted:
            change_user(request.actor, "language chosen", user, language=wanted)  # type: ignore[attr-defined]
        translation.activate(wanted)
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, wanted, max_age=365 * 86400, samesite="Lax", httponly=True, secure=settings.HOUSE.web.https)
    return response


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show the caller's own account: who, second factor, where logged in."""
    user: Any = request.user
    second = has_totp(user)
    facts = [
        Cell(user.username, label=_("Log-in name")),
        Cell(str(user.post or "–"), label=_("Post"), note=str(user.organisation or "")),
        Cell(_("on") if second else _("off"), label=_("Second step at log-in"), badge="ok" if second else "warn"),
    ]
    here = request.session.session_key
    rows = [
        {
            "url": "",
            "cells": [
                Cell(_print_agent(session.agent), title=session.agent, label=_("Browser"), note=_("this one") if session.key == here else ""),
                Cell(session.address, label=_("Address")),
                Cell("", label=_("Since"), at=session.started_at),
            ],
        }
        for session in list_sessions(user)
    ]
    columns = [{"label": label} for label in (_("Browser"), _("Address"), _("Since"))]
    context = {
        **page_context(request, "account", str(user)),
        "panels": [Panel(_("Account"), facts), Panel(_("Logged in"), table={"columns": columns, "rows": rows})],
        "actions": [
            {"label": _("Change the password"), "url": reverse("account-password"), "icon": "key"},
            {"label": _("Set up the second step"), "url": reverse("account-totp"), "icon": "shield-lock", "primary": not second},
            {"label": _("End all other sessions"), "url": reverse("account-end"), "icon": "logout", "method": "post"},
        ],
    }
    return render(request, "portal/desk/detail.html", context)


@login_required
@sensitive_post_parameters()
def password(request: HttpRequest) -> HttpResponse:
    """Change the caller's password; other sessions end."""
    user: Any = request.user
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not user.check_password(form.cleaned_data["old"]):
            form.add_error("old", _("This is not your present password."))
        elif form.cleaned_data["new"] != form.cleaned_data["again"]:
            form.add_error("again", _("The two new passwords differ."))
        else:
            try:
                change_password(request.actor, "own password changed", user, form.cleaned_data["new"], keep_session=request.session.session_key or "")  # type: ignore[attr-defined]
            except ValidationError as error:
                form.add_error("new", error)
            else:
                messages.success(request, _("The password was changed. Please sign in with it."))
                return redirect("login")
    context = {**page_context(request, "account", _("Change the password")), "form": form, "cancel_url": reverse("account")}
    return render(request, "portal/desk/form.html", context, status=400 if form.errors else 200)


@never_cache
@login_required
def totp(request: HttpRequest) -> HttpResponse:
    """Set up the second step: scan, then prove with a first code; recovery codes are shown this once."""
    user: Any = request.user
    form = CodeForm(request.POST or None)
    codes: list[str] = []
    if request.method == "POST" and form.is_valid():
        codes = confirm_totp(request.actor, user, form.cleaned_data["code"])  # type: ignore[attr-defined]
        if not codes:
            form.add_error("code", _("This code is wrong; scan anew and enter the code that is shown then."))
    enrolment = None if codes else begin_totp(user)
    context = {
        **page_context(request, "account", _("Second step at log-in")),
        "form": form,
        "enrolment": enrolment,
        "codes": codes,
        "key": _print_key(enrolment.address) if enrolment else "",
        "cancel_url": reverse("account"),
    }
    return render(request, "portal/account/totp.html", context)


@login_required
@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """End all sessions of the caller but this one."""
    user: Any = request.user
    ended = sum(end_session(user, s.key) for s in list_sessions(user) if s.key != request.session.session_key)
    messages.success(request, _("%(n)s sessions ended.") % {"n": ended})
    return redirect("account")


def _print_key(address: str) -> str:
    """Return the secret of an `otpauth:` address in groups of four, to be typed."""
    secret = parse_qs(urlsplit(address).query)["secret"][0]
    return " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))


def _print_agent(agent: str) -> str:
    """Return "Chrome · Windows" for what a browser says of itself; the first that fits of lists ordered from particular to general."""
    browser = next((name for sign, name in BROWSERS if sign in agent), "")
    system = next((name for sign, name in SYSTEMS if sign in agent), "")
    return " · ".join(part for part in (browser, system) if part) or agent[:60] or "–"


def _door(request: HttpRequest, form: forms.Form, **more: Any) -> dict[str, Any]:
    return {"form": form, "next": _get_next(request), "site_name": _("zhongshu"), "city": settings.HOUSE.city.name, **more}


def _get_next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    ok = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if ok and wanted.startswith("/") else "/"
