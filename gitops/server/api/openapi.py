"""The description of `/v1` (OpenAPI 3.1), made from the types that requests are read with."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from gitops.server.acts.requests import BODIES
from gitops.server.api.bodies import MOST
from gitops.server.failures import STATUS

_REF = "#/components/schemas/{name}"
_OBJECT: dict[str, Any] = {"type": "object"}
_ERROR_REF = {"$ref": _REF.format(name="Error")}
_TEXT: dict[str, Any] = {"type": "string"}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The `Gitops-Id` of the call: sent again, nothing is done twice.",
    "schema": {"type": "string", "pattern": "^[0-9A-Za-z][0-9A-Za-z-]{7,63}$"},
}
_LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 20},
}
_AUDIT = [
    *({"name": one, "in": "query", "schema": _TEXT} for one in ("who", "environment", "action")),
    {
        "name": "skip",
        "in": "query",
        "description": "so many entries that came before",
        "schema": {"type": "integer", "minimum": 0, "maximum": 99_999},
    },
]
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=10`: answer after at most so many seconds; `respond-async`: at once.",
    "schema": {"type": "string"},
}
_WRITES = {
    "200": "done, or nothing to do: the document of a write",
    "202": "it goes on: ask at Location",
    "400": "usage, config",
    "401": "nobody is signed in",
    "403": "not allowed, or denied by the server that keeps the repository",
    "404": "not-found",
    "409": "refused, differs, unhealthy, protected, hook-declined",
    "413": "usage: the body is too large",
    "422": "unsafe-edit, or an Idempotency-Key that was sent with another body",
    "429": "unavailable: more than one caller may ask; Retry-After says when there is room",
    "500": "bug",
    "503": "conflict, unavailable: try again after Retry-After",
    "504": "timed-out",
}
_READS = {key: _WRITES[key] for key in ("400", "401", "403", "404", "429", "500", "503", "504")}
_READS = {"200": "the document", **_READS}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "id": {"type": "string", "description": "the call that it ended"},
        "error": {
            "type": "object",
            "required": ["code", "message", "hint", "reasons"],
            "properties": {
                "code": {"type": "string", "enum": sorted(STATUS)},
                "message": _TEXT,
                "hint": {"type": ["string", "null"]},
                "reasons": {"type": "array", "items": _TEXT},
            },
        },
    },
}


@cache
def description() -> dict[str, Any]:
    """Return the document."""
    bodies, components = msgspec.json.schema_components(BODIES.values(), ref_template=_REF)
    by_verb = dict(zip(BODIES, bodies, strict=True))
    paths: dict[str, Any] = {
        "/v1/deploy": {"post": _write("deploy", by_verb["deploy"], at=False)},
        "/v1/environments": {"get": _read("status", "What is where.", [_query("environment")])},
        "/v1/environments/{environment}/history": {
            "get": _read(
                "history",
                "The releases, newest first.",
                [_environment(), _LIMIT],
            )
        },
        "/v1/environments/{environment}/diff": {
            "get": _read(
                "diff",
                "Which images differ from `other`, an environment, or from those of the release "
                "`since`: one of the two.",
                [_environment(), _query("other"), _query("since")],
            )
        },
        "/v1/audit": {"get": _read("audit", "Who did what, when and why, newest first.", _AUDIT)},
        "/v1/insights": {
            "get": _read(
                "insights",
                "How releases went, in numbers.",
                [_query("environment"), _query("app"), _query("since")],
            )
        },
        "/v1/events": {"get": _events()},
        "/v1/calls/{id}": {"get": _call()},
        "/v1/whoami": {"get": _read("whoami", "Who asks.", [])},
        "/v1/openapi.json": {"get": _read("openapi", "This document.", [])},
    }
    for verb, body in by_verb.items():
        paths[f"/v1/environments/{{environment}}/{verb}"] = {"post": _write(verb, body, at=True)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "gitops", "version": "v1"},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
    }


def _write(verb: str, body: Any, *, at: bool) -> dict[str, Any]:
    return {
        "operationId": verb if at or verb != "deploy" else "deployAnywhere",
        "summary": f"As `gitops {verb}`.",
        "parameters": [*([_environment()] if at else []), _KEY, _PREFER],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": _responses(_WRITES),
    }


def _read(name: str, summary: str, parameters: list[Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": _responses(_READS),
    }


def _call() -> dict[str, Any]:
    name = {"name": "id", "in": "path", "required": True, "schema": _KEY["schema"]}
    return {
        "operationId": "call",
        "summary": "What came of a call: the answer that it got, or would have got.",
        "parameters": [name],
        "responses": _responses(_WRITES),
    }


def _events() -> dict[str, Any]:
    told = "a stream of server-sent events: `board` when anything has changed, `seen` at each look"
    stream = {"description": told, "content": {"text/event-stream": {"schema": _TEXT}}}
    return _read("events", "Tells when to ask again.", []) | {
        "responses": {**_responses(_READS), "200": stream}
    }


def _environment() -> dict[str, Any]:
    return {
        "name": "environment",
        "in": "path",
        "required": True,
        "description": "An environment, a group, or APP/ENV; `*` to hold and resume everything.",
        "schema": {"type": "string", "minLength": 1},
    }


def _query(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": _TEXT}


def _responses(told: dict[str, str]) -> dict[str, Any]:
    schemas = {"2": _OBJECT, "4": _ERROR_REF, "5": _ERROR_REF}
    return {
        code: {
            "description": text,
            "content": {"application/json": {"schema": schemas[code[0]]}},
        }
        for code, text in told.items()
    }
