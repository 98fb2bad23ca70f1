"""Holds requests and answers against a published OpenAPI 3.0 description, and fills answers up."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_ROOT = "urn:description"


class Description:
    """A description of an interface.

    Args:
        document: the whole of it; `nullable` is rewritten in place.
    """

    def __init__(self, document: Any) -> None:
        _rewrite(document)
        self._document = document
        resource = Resource(contents=document, specification=DRAFT202012)
        self._registry: Any = Registry().with_resource(_ROOT, resource)
        self._paths = [(_pattern(path), path) for path in document["paths"]]
        self._samples: dict[str, Any] = {}
        self._found: dict[tuple[str, str], Any] = {}

    def operation(self, verb: str, path: str) -> tuple[str, Any] | None:
        """Return the template of a path and the operation, None when it is not described."""
        for pattern, template in self._paths:
            if pattern.fullmatch(path):
                operation = self._document["paths"][template].get(verb.lower())
                if operation is not None:
                    return template, operation
        return None

    def problems_of_request(
        self, verb: str, path: str, query: Mapping[str, str], body: Any
    ) -> list[str]:
        """Return what the description does not allow in a request."""
        found = self.operation(verb, path)
        if found is None:
            return [f"{verb} {path} is not described"]
        template, operation = found
        problems = []
        known = {}
        for one in operation.get("parameters", ()):
            parameter = self._resolve(one)
            if parameter["in"] == "query":
                known[parameter["name"]] = parameter["schema"]
        for name, text in query.items():
            if name not in known:
                problems.append(f"{verb} {template}: there is no parameter {name}")
                continue
            schema = self._resolve(known[name])
            if "enum" in schema and text not in [str(one) for one in schema["enum"]]:
                problems.append(f"{verb} {template}: {name} cannot be {text}")
        content = self._resolve(operation.get("requestBody", {})).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is not None and body is not None:
            properties = self._resolve(schema).get("properties", {})
            if isinstance(body, dict) and properties:
                unknown = set(body) - set(properties)
                problems += [f"{verb} {template}: there is no field {name}" for name in unknown]
            problems += [f"{verb} {template}: {text}" for text in self._errors(schema, body)]
        elif body is not None:
            problems.append(f"{verb} {template}: takes no body")
        return problems

    def problems_of_answer(self, verb: str, path: str, status: int, body: Any) -> list[str]:
        """Return what the description does not have in an answer."""
        found = self.operation(verb, path)
        if found is None:
            return []
        template, operation = found
        answers = operation["responses"]
        if str(status) not in answers:
            return [f"{verb} {template}: there is no answer {status}"]
        content = self._resolve(answers[str(status)]).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            # What a refusal says is not described everywhere.
            fine = body is None or status >= 400
            return [] if fine else [f"{verb} {template}: {status} has no body"]
        return [f"{verb} {template} {status}: {text}" for text in self._errors(schema, body)]

    def filled(self, verb: str, path: str, status: int, body: Any) -> Any:
        """Return an answer with every field that the description requires of it."""
        found = self.operation(verb, path)
        if found is None:
            return body
        content = self._resolve(found[1]["responses"].get(str(status), {})).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return body if schema is None else self._fill(schema, body)

    def _fill(self, schema: Any, body: Any) -> Any:
        schema = self._resolve(schema)
        for part in schema.get("allOf", ()):
            body = self._fill(part, body)
        if isinstance(body, list):
            items = schema.get("items")
            return body if items is None else [self._fill(items, one) for one in body]
        if not isinstance(body, dict):
            return body
        if "oneOf" in schema or "anyOf" in schema:
            options = [self._resolve(one) for one in (schema.get("oneOf") or schema["anyOf"])]
            fitting = [one for one in options if set(body) <= set(one.get("properties", body))]
            best = next((one for one in fitting if one.get("type") != "null"), None)
            if best is not None:
                body = self._fill(best, body)
        properties = schema.get("properties", {})
        filled = {
            name: self._fill(properties[name], value) if name in properties else value
            for name, value in body.items()
        }
        for name in schema.get("required", ()):
            if name not in filled:
                filled[name] = self._sample(properties.get(name, {}))
        return filled

    def _sample(self, schema: Any) -> Any:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._samples:
            self._samples[key] = self._make_sample(self._resolve(schema))
        return copy.deepcopy(self._samples[key])

    def _make_sample(self, schema: Any) -> Any:
        kinds = schema.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if "null" in kinds:
            return None
        for group in ("anyOf", "oneOf"):
            if group in schema:
                if any(one.get("type") == "null" for one in schema[group]):
                    return None
                return self._sample(schema[group][0])
        if "enum" in schema:
            return schema["enum"][0]
        if "allOf" in schema:
            made: dict[str, Any] = {}
            for part in schema["allOf"]:
                made |= self._sample(part)
            return made
        if "object" in kinds or "properties" in schema:
            properties = schema.get("properties", {})
            return {
                name: self._sample(properties.get(name, {})) for name in schema.get("required", ())
            }
        if "array" in kinds:
            return []
        if "boolean" in kinds:
            return False
        if "integer" in kinds or "number" in kinds:
            return schema.get("minimum", 0)
        formats = {"date-time": "2026-01-05T09:00:00Z", "uri": "https://example.com/"}
        return formats.get(schema.get("format", ""), "x")

    def _errors(self, schema: Any, value: Any) -> list[str]:
        whole = {"$id": _ROOT + "/look", **_absolute(schema)}
        checker = _VALIDATOR(whole, registry=self._registry)
        return [
            f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in checker.iter_errors(value)
        ]

    def _resolve(self, schema: Any) -> Any:
        while "$ref" in schema:
            at = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            schema = at
        return schema


@cache
def described(path: Path) -> Description:
    """Return the description in a file; read once for all tests."""
    return Description(json.loads(path.read_bytes()))


# Of draft 4, which OpenAPI 3.0 keeps: a yes/no beside the limit.
_VALIDATOR = extend(
    Draft202012Validator,
    {"exclusiveMinimum": lambda *_: None, "exclusiveMaximum": lambda *_: None},
)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile("".join("[^/]+" if part[:1] == "{" else re.escape(part) for part in parts))


def _absolute(schema: Any) -> Any:
    """Make references of a piece lead to the whole description."""
    if isinstance(schema, dict):
        return {
            key: f"{_ROOT}{value}" if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema


def _rewrite(node: Any) -> None:
    """Say `nullable: true` in the words of JSON Schema."""
    todo = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo += one
        elif isinstance(one, dict):
            todo += one.values()
            if one.get("nullable") is True:
                _make_nullable(one)


def _make_nullable(schema: dict[str, Any]) -> None:
    del schema["nullable"]
    plain = not {"allOf", "anyOf", "oneOf", "$ref"} & schema.keys()
    if plain and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        return
    rest = dict(schema)
    schema.clear()
    schema["anyOf"] = [rest, {"type": "null"}]
