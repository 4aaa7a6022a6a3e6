"""The description of the REST interface, OpenAPI 3.1, built from the same specs that serve it."""

from functools import lru_cache
from typing import Any

from django.utils.translation import override

from zhongshu import __version__
from zhongshu.kernel.derive import FieldSpec, KindSpec, build_surface, list_kinds
from zhongshu.portal.render import RestSpec

__all__ = ["build_openapi"]

TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "long_text": {"type": "string"},
    "code": {"type": "string"},
    "quantity": {"type": "number"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "flag": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "date-time"},
    "json": {},
}
PROBLEM = {"description": "Refused; the body says why", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}


@lru_cache(maxsize=1)
def build_openapi() -> dict[str, Any]:
    """Build the document; labels are English so that the document is one and the same for all."""
    with override("en"):
        paths: dict[str, Any] = {}
        schemas: dict[str, Any] = {"Problem": _problem_schema()}
        for kind in list_kinds():
            spec: RestSpec = build_surface(kind, "rest")
            schemas[kind.slug] = _schema(kind, spec.readable, read=True)
            if spec.writable:
                schemas[f"{kind.slug}.write"] = _schema(kind, spec.writable, read=False)
            paths[f"/api/v1/{kind.slug}"] = _collection(kind, spec)
            paths[f"/api/v1/{kind.slug}/{{uid}}"] = _item(kind, spec)
    return {
        "openapi": "3.1.0",
        "info": {"title": "zhongshu", "version": __version__, "description": "Records of every kind. Errors are RFC 9457 problem details."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
        "security": [{"bearer": []}],
    }


def _schema(kind: KindSpec, names: tuple[str, ...], read: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _property(kind.get_field(name), read) for name in names}
    if read:
        properties = {"uid": {"type": "string", "format": "uuid"}, "version": {"type": "integer"}, "changed_at": {"type": "string", "format": "date-time"}, **properties}
        return {"type": "object", "description": kind.about, "properties": properties, "required": ["uid", "version", "changed_at"]}
    return {"type": "object", "description": kind.about, "properties": properties, "additionalProperties": False}


def _property(field: FieldSpec, read: bool) -> dict[str, Any]:
    about = str(field.label) + (f", {field.unit}" if field.unit else "")
    if field.type == "ref":
        uid = {"type": "string", "format": "uuid"}
        if not read:
            return {**uid, "description": about}
        return {"type": ["object", "null"], "properties": {"uid": uid, "title": {"type": "string"}}, "description": about}
    body = {**TYPES[field.type], "description": about}
    if field.codes:
        body["enum"] = [code for code, _label in field.codes]
    if read and "type" in body and not field.required:
        body["type"] = [body["type"], "null"]
        if "enum" in body:
            body["enum"] = [*body["enum"], "", None]
    return body


def _problem_schema() -> dict[str, Any]:
    error = {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}}
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": error},
        },
        "required": ["title", "status", "detail"],
    }


def _answer(slug: str) -> dict[str, Any]:
    return {"description": "The record", "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{slug}"}}}}


def _sent(slug: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{slug}.write"}}}}


def _collection(kind: KindSpec, spec: RestSpec) -> dict[str, Any]:
    asked = [
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}},
        {"name": "cursor", "in": "query", "schema": {"type": "string"}},
        {"name": "order", "in": "query", "schema": {"type": "string", "enum": [s for name in ("id", *spec.sorts) for s in (name, f"-{name}")]}},
        {"name": "fields", "in": "query", "schema": {"type": "string"}, "description": "comma-separated"},
        *({"name": name, "in": "query", "schema": {"type": "string"}} for name in spec.filters),
    ]
    page = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"$ref": f"#/components/schemas/{kind.slug}"}}, "next": {"type": ["string", "null"]}},
        "required": ["items", "next"],
    }
    found: dict[str, Any] = {
        "get": {
            "operationId": f"list_{kind.slug}",
            "summary": str(kind.label_plural),
            "tags": [kind.app],
            "parameters": asked,
            "responses": {"200": {"description": "One page", "content": {"application/json": {"schema": page}}}, "default": PROBLEM},
        }
    }
    if spec.writable:
        found["post"] = {
            "operationId": f"create_{kind.slug}",
            "tags": [kind.app],
            "requestBody": _sent(kind.slug),
            "responses": {"201": _answer(kind.slug), "default": PROBLEM},
        }
    return found


def _item(kind: KindSpec, spec: RestSpec) -> dict[str, Any]:
    found: dict[str, Any] = {
        "parameters": [{"name": "uid", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}],
        "get": {"operationId": f"get_{kind.slug}", "tags": [kind.app], "responses": {"200": _answer(kind.slug), "default": PROBLEM}},
    }
    if spec.writable:
        match = {"name": "If-Match", "in": "header", "schema": {"type": "string"}}
        found["patch"] = {
            "operationId": f"change_{kind.slug}",
            "tags": [kind.app],
            "parameters": [match],
            "requestBody": _sent(kind.slug),
            "responses": {"200": _answer(kind.slug), "default": PROBLEM},
        }
        found["delete"] = {
            "operationId": f"remove_{kind.slug}",
            "tags": [kind.app],
            "parameters": [match],
            "responses": {"204": {"description": "Removed"}, "default": PROBLEM},
        }
    return found
