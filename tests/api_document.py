"""The published OpenAPI document of the DoiT API: its operations, and checks of responses against its schemas.

``scripts/spec`` stores it in ``data/doit-api.json`` without its prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs

DOCUMENT = Path(__file__).parent / "data" / "doit-api.json"
METHODS = ("get", "post", "put", "patch", "delete")


@lru_cache
def document() -> dict[str, Any]:
    """Return the document with its schemas as JSON Schema; objects reject members that are not listed."""
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_bytes())
    for part in _objects(loaded):
        _merge(loaded, part)
    for part in _objects(loaded):
        _translate(part)
    # An integer is also a number, so it would match both branches of oneOf and fail.
    cell = loaded["components"]["schemas"]["Value"]["anyOf"][1]
    cell["anyOf"] = cell.pop("oneOf")
    return loaded


def operations() -> list[tuple[str, str]]:
    """Return the method and path of every operation."""
    return [(name.upper(), path) for path, item in document()["paths"].items() for name in METHODS if name in item]


def operation_of(method: str, path: str) -> tuple[str, str]:
    """Return the operation that matches a request; a literal path wins over one with parameters."""
    fits = [one for one in operations() if one[0] == method and _pattern(one[1]).fullmatch(path)]
    if not fits:
        raise LookupError(f"the document has no {method} {path}")
    return min(fits, key=lambda one: one[1].count("{"))


def problems(method: str, path: str, status: int, content_type: str, body: bytes) -> list[str]:
    """List how a response violates the document."""
    validators = _validators(*operation_of(method, path)).get(str(status))
    if validators is None:
        return [f"{status} is not declared"]
    if not validators:
        return [f"there should be no body, not {body[:80]!r}"] if body else []
    if content_type not in validators:
        return [f"{content_type} is not declared for {status}, but {', '.join(validators)}"]
    validator = validators[content_type]
    if not content_type.endswith("/json") and not content_type.endswith("+json"):
        return []  # streams and files
    return [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(json.loads(body))]


def request_problems(method: str, path: str, body: bytes) -> list[str]:
    """List how the body of a request violates the document; bodies other than JSON only have to be declared."""
    operation = operation_of(method, path)
    declared = follow_reference(document()["paths"][operation[1]][method.lower()].get("requestBody", {}))
    if not declared:
        return [f"there should be no body, not {body[:80]!r}"] if body else []
    if not body:
        return ["the body is missing"] if declared.get("required") else []
    validator = _body_validator(*operation)
    if validator is None:
        return []
    return [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(json.loads(body))]


@lru_cache
def _body_validator(method: str, path: str) -> jsonschema_rs.Validator | None:
    declared = document()["paths"][path][method.lower()]["requestBody"]
    contents = _contents(follow_reference(declared))
    return next((validator for kind, validator in contents.items() if kind.endswith("json")), None)


@lru_cache
def _validators(method: str, path: str) -> dict[str, dict[str, jsonschema_rs.Validator]]:
    declared = document()["paths"][path][method.lower()]["responses"]
    return {status: _contents(follow_reference(response)) for status, response in declared.items()}


def _contents(response: dict[str, Any]) -> dict[str, jsonschema_rs.Validator]:
    return {
        kind: jsonschema_rs.Draft202012Validator(
            {"allOf": [item.get("schema", {})], "components": _used_components(item.get("schema", {}))}
        )
        for kind, item in response.get("content", {}).items()
    }


def _used_components(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the components that a schema refers to. A validator with all of them takes 16 MB."""
    used: dict[str, dict[str, Any]] = {}
    waiting = [schema]
    while waiting:
        for part in _objects(waiting.pop()):
            steps = str(part.get("$ref", "")).removeprefix("#/components/").split("/")
            if len(steps) == 2 and steps[1] not in used.get(steps[0], {}):
                found = document()["components"][steps[0]][steps[1]]
                used.setdefault(steps[0], {})[steps[1]] = found
                waiting.append(found)
    return used


def follow_reference(part: dict[str, Any], whole: dict[str, Any] | None = None) -> dict[str, Any]:
    schema = part
    while "$ref" in schema:
        place: Any = whole or document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        schema = place
    return schema


@lru_cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(path)))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        for part in list(value.values()):
            yield from _objects(part)
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part)


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Merge the objects in ``allOf`` into one, because each alone would reject the members of the others."""
    members = [follow_reference(member, whole) for member in part.get("allOf", ())]
    if len(members) > 1 and all("properties" in member for member in members):
        del part["allOf"]
        part["type"] = "object"
        part["properties"] = {name: value for member in members for name, value in member["properties"].items()}
        part["required"] = [name for member in members for name in member.get("required", ())]


def _translate(part: dict[str, Any]) -> None:
    if isinstance(part.get("properties"), dict) and part.get("type") == "object":
        part.setdefault("additionalProperties", False)
    if part.pop("nullable", None) is True:
        keywords = {name: part.pop(name) for name in list(part)}
        part["anyOf"] = [{"type": "null"}, keywords]
