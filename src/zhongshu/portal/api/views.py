"""REST views: list, read, create, change and remove records of any kind."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from zhongshu.kernel.derive import KindSpec, build_surface, find_kind, get_kind
from zhongshu.kernel.record import Conflict, Record
from zhongshu.portal.records.query import QueryError, get_model, get_rows
from zhongshu.portal.records.write import InUse, build_form_class, remove_record, save_form
from zhongshu.portal.render import RestSpec
from zhongshu.security.access import Scope, scope_for

from .cursor import format_cursor, seek
from .openapi import build_openapi
from .problem import Problem, build_problem
from .resource import build_body, build_form_data, etag_of

__all__ = ["collection", "item", "openapi"]

LIMIT, LIMIT_MAX, BODY_MAX = 100, 1000, 1024 * 1024
RESERVED = {"limit", "cursor", "order", "fields"}
View = Callable[..., HttpResponse]


def api(*methods: str) -> Callable[[View], View]:
    """Wrap a view of the interface: who is calling, which methods, and every refusal in the one error shape.

    Writing needs a bearer token: a browser's session cookie is not accepted, so there is nothing to forge.
    """

    def wrap(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
            try:
                if request.method not in methods:
                    raise Problem(405, f"{request.method} is not possible here; possible are {', '.join(methods)}")
                if not request.user.is_authenticated:
                    raise Problem(401, "send 'Authorization: Bearer <token>'; 'zhongshu token create' prints one")
                if request.method != "GET" and "Authorization" not in request.headers:
                    raise Problem(401, "writing through the interface needs a bearer token, not a browser session")
                return view(request, *args, **named)
            except Problem as problem:
                return build_problem(problem)
            except PermissionDenied as error:
                return build_problem(Problem(403, str(error) or "your rights do not include this"))
            except (QueryError, InUse) as error:
                return build_problem(Problem(409 if isinstance(error, InUse) else 400, str(error)))
            except Conflict as error:
                return build_problem(Problem(412, str(error)))

        return guarded

    return wrap


@api("GET", "POST")
def collection(request: HttpRequest, slug: str) -> HttpResponse:
    """List or create records of a kind."""
    kind = _kind(slug)
    spec: RestSpec = build_surface(kind, "rest")
    if request.method == "POST":
        return _write(request, kind, spec, None)
    scope = _scope(request, kind, "view")
    asked = request.GET.dict()
    rows = get_rows(kind, scope)
    for name, value in asked.items():
        if name not in RESERVED:
            rows = rows.filter(**_filter(kind, spec, name, value))
    limit = _limit(asked.get("limit", ""))
    order = asked.get("order", "id")
    if order.lstrip("-") not in ("id", *spec.sorts):
        raise Problem(400, f"order={order} is not possible; possible are id, {', '.join(spec.sorts)}, with - for descending")
    page = list(seek(rows, order, asked.get("cursor", "")).select_related(*(name for name, _target in spec.references))[: limit + 1])
    fields = _fields(spec, asked.get("fields", ""))
    following = format_cursor(order, page[limit - 1]) if len(page) > limit else None
    return _json({"items": [build_body(kind, spec, row, scope, fields) for row in page[:limit]], "next": following})


@api("GET", "PATCH", "DELETE")
def item(request: HttpRequest, slug: str, uid: UUID) -> HttpResponse:
    """Read, change or remove one record."""
    kind = _kind(slug)
    spec: RestSpec = build_surface(kind, "rest")
    if request.method == "GET":
        scope = _scope(request, kind, "view")
        record = _find(kind, scope, uid)
        body = build_body(kind, spec, record, scope, _fields(spec, request.GET.get("fields", "")))
        return _json(body, etag=etag_of(record))
    record = _find(kind, _scope(request, kind, "change" if request.method == "PATCH" else "remove"), uid)
    wanted = request.headers.get("If-Match")
    if wanted and wanted != etag_of(record):
        raise Problem(412, f"the record is at {etag_of(record)}, you sent If-Match: {wanted}; read it again")
    if request.method == "PATCH":
        return _write(request, kind, spec, record)
    if not spec.writable:
        raise Problem(405, f"{kind.slug} is kept by the system and cannot be removed here")
    remove_record(record, request.actor, _why(request))  # type: ignore[attr-defined]
    return HttpResponse(status=204)


@api("GET")
def openapi(request: HttpRequest) -> HttpResponse:
    """Describe the interface as OpenAPI 3.1."""
    return _json(build_openapi())


def _write(request: HttpRequest, kind: KindSpec, spec: RestSpec, record: Record | None) -> HttpResponse:
    if not spec.writable:
        raise Problem(405, f"{kind.slug} is kept by the system and cannot be written here")
    scope = _scope(request, kind, "change" if record is not None else "create")
    sent = _body(request)
    unknown = [name for name in sent if name not in spec.writable]
    if unknown:
        raise Problem(
            400, f"{unknown[0]!r} cannot be written", [{"field": n, "message": f"not a writable field; writable are {', '.join(spec.writable)}"} for n in unknown]
        )
    scopes = {target: scope_for(request.user, get_kind(target), "view") for _name, target in spec.references}
    form = build_form_class(kind, scopes)(build_form_data(spec, sent, record), instance=record or get_model(kind)())
    if not form.is_valid():
        errors = [{"field": name, "message": str(message)} for name, messages in form.errors.items() for message in messages]
        raise Problem(400, "some fields cannot be taken as they are", errors)
    saved = save_form(form, kind, scope, request.actor, _why(request))  # type: ignore[attr-defined]
    body = build_body(kind, spec, saved, scope_for(request.user, kind, "view"), spec.readable)
    return _json(body, status=201 if record is None else 200, etag=etag_of(saved))


def _kind(slug: str) -> KindSpec:
    kind = find_kind(slug)
    if kind is None:
        raise Problem(404, f"there is no kind {slug!r}; /api/openapi.json lists them")
    return kind


def _scope(request: HttpRequest, kind: KindSpec, verb: str) -> Scope:
    scope = scope_for(request.user, kind, verb)
    if not scope:
        raise Problem(403, f"your rights do not include {verb} on {kind.slug}")
    return scope


def _find(kind: KindSpec, scope: Scope, uid: UUID) -> Record:
    spec: RestSpec = build_surface(kind, "rest")
    record = get_rows(kind, scope).select_related(*(name for name, _target in spec.references)).filter(uid=uid).first()
    if record is None:
        raise Problem(404, f"there is no {kind.slug} {uid}, or your rights do not reach it")
    return record


def _filter(kind: KindSpec, spec: RestSpec, name: str, value: str) -> dict[str, Any]:
    if name not in spec.filters:
        raise Problem(400, f"there is no filter {name!r}; there are {', '.join(spec.filters)}")
    if kind.get_field(name).type == "ref":
        try:
            return {f"{name}__uid": UUID(value)}
        except ValueError:
            raise Problem(400, f"{name}={value} is not a uid") from None
    if kind.get_field(name).type == "flag":
        return {name: value.lower() in ("1", "true", "yes")}
    return {name: value}


def _limit(text: str) -> int:
    if not text:
        return LIMIT
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= LIMIT_MAX:
        raise Problem(400, f"limit={text} must be a number from 1 to {LIMIT_MAX}")
    return int(text)


def _fields(spec: RestSpec, text: str) -> tuple[str, ...]:
    names = tuple(n for n in text.split(",") if n) or spec.readable
    for name in names:
        if name not in spec.readable:
            raise Problem(400, f"there is no field {name!r}; there are {', '.join(spec.readable)}")
    return names


def _body(request: HttpRequest) -> dict[str, Any]:
    if len(request.body) > BODY_MAX:
        raise Problem(413, f"the body has {len(request.body)} bytes; the limit is {BODY_MAX}")
    try:
        sent = json.loads(request.body)
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from error
    if not isinstance(sent, dict):
        raise Problem(400, "the body must be one JSON object")
    return sent


def _why(request: HttpRequest) -> str:
    return request.headers.get("X-Reason", "").strip() or f"{request.method} by the interface"


def _json(body: Any, status: int = 200, etag: str = "") -> JsonResponse:
    response = JsonResponse(body, status=status, json_dumps_params={"ensure_ascii": False})
    if etag:
        response["ETag"] = etag
    return response
