"""The digest of the DoiT API's OpenAPI document: what the tests hold the code against, and how documents differ."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml

DIGEST = Path(__file__).parents[1] / "tests" / "data" / "doit-api.json"
METHODS = ("get", "post", "put", "patch", "delete")
UNIONS = ("oneOf", "anyOf")
ASKS_FOR_PERMISSION = re.compile(r"\b(?:[Rr]equires?|lacks)\b")
PERMISSION = re.compile(
    r"(?:`(\w+)`|\b(?!Require)((?:[A-Z]\w+ )*[A-Z]\w+)|\b([a-z]+[A-Z]\w+)) permission\b"  # the `Settings` permission
    r"|\b(\w+(?:Admin|Manager|Viewer|ReadOnly))\b"  # requires ContractTemplatesAdmin
)

Json = dict[str, Any]
Resolve = Callable[[str], Json]


def make_digest(document: Json) -> list[Json]:
    """A row for each operation of an OpenAPI 3.0 document, in its order.

    method, path, operationId, tag; parameters and body fields by name, each with type and, where they have such, in,
    required and enum; content types of the body and of each success; the permissions that its texts ask for, if any.
    Fields in fields are "scopes[].id".
    """
    resolve = partial(_resolve_reference, document)
    return [
        _operation_row(path, method, item[method], item.get("parameters", []), resolve)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def _resolve_reference(document: Json, reference: str) -> Json:
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def _operation_row(path: str, method: str, operation: Json, shared: list[Json], resolve: Resolve) -> Json:
    parameters = [_dereference(one, resolve) for one in (*shared, *operation.get("parameters", []))]
    row: Json = {
        "method": method.upper(),
        "path": path,
        "operationId": operation["operationId"],
        "tag": operation["tags"][0],
        "parameters": {one["name"]: _parameter_facts(one, resolve) for one in parameters},
    }
    body = _dereference(operation.get("requestBody", {}), resolve).get("content", {})
    for media, content in body.items():
        row["body"] = {"media": media, "fields": dict(schema_fields(content["schema"], resolve))}
    row["success"] = {
        str(status): list(_dereference(answer, resolve).get("content", {}))
        for status, answer in operation["responses"].items()
        if str(status).startswith("2")
    }
    permissions = _permissions(operation, resolve)
    return row | ({"permissions": permissions} if permissions else {})


def _permissions(operation: Json, resolve: Resolve) -> list[str]:
    """The names of the permissions that an operation's description, or that of its 403, asks for."""
    forbidden = {str(status): answer for status, answer in operation["responses"].items()}.get("403", {})
    text = f"{operation.get('description', '')}. {_dereference(forbidden, resolve).get('description', '')}"
    asking = [sentence for sentence in re.split(r"\.\s", text) if ASKS_FOR_PERMISSION.search(sentence)]
    found = (next(filter(None, match.groups())) for one in asking for match in PERMISSION.finditer(one))
    return sorted(set(found))


def _parameter_facts(parameter: Json, resolve: Resolve) -> Json:
    schema = parameter.get("schema", {})
    required = {"required": True} if parameter.get("required") else {}
    return {"in": parameter["in"], **required, **_schema_facts(schema, resolve)}


def _dereference(value: Json, resolve: Resolve) -> Json:
    return resolve(value["$ref"]) if "$ref" in value else value


def schema_fields(schema: Json, resolve: Resolve = lambda reference: {}, seen: tuple[str, ...] = ()) -> Iterator[Any]:
    """The fields of an object's schema as (name, facts), and those of the objects in it, behind their own.

    Also for JSON Schemas without references. A schema that refers to itself is followed once.
    """
    for part, inside in _schema_parts(schema, resolve, seen):
        for name, field in part.get("properties", {}).items():
            required = {"required": True} if name in part.get("required", ()) else {}
            yield name, {**required, **_schema_facts(field, resolve)}
            for end, inner in _nested_objects(field, resolve, inside):
                yield from ((f"{name}{end}.{below}", facts) for below, facts in schema_fields(inner, resolve, inside))


def _schema_parts(schema: Json, resolve: Resolve, seen: tuple[str, ...]) -> Iterator[tuple[Json, tuple[str, ...]]]:
    """The plain schemas that a schema is made of, and the references that lead there."""
    if reference := schema.get("$ref"):
        if reference not in seen:
            yield from _schema_parts(resolve(reference), resolve, (*seen, reference))
        return
    yield schema, seen
    for key in ("allOf", *UNIONS):
        for part in schema.get(key, ()):
            yield from _schema_parts(part, resolve, seen)


def _nested_objects(schema: Json, resolve: Resolve, seen: tuple[str, ...]) -> Iterator[tuple[str, Json]]:
    """The objects that a value is or holds, each with what its place adds to the name: "", "[]" or ".*" (any key)."""
    for part, inside in _schema_parts(schema, resolve, seen):
        if "properties" in part:
            yield "", {"properties": part["properties"], "required": part.get("required", ())}
        for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(inner := part.get(key), dict):
                yield from ((mark + end, found) for end, found in _nested_objects(inner, resolve, inside))


def _schema_facts(schema: Json, resolve: Resolve) -> Json:
    parts = [part for part, _ in _schema_parts(schema, resolve, ())]
    types = sorted({part["type"] for part in parts if part.get("type", "null") != "null"})
    values = [value for part in parts for value in part.get("enum", ()) if value is not None]
    items = [part["items"] for part in parts if "items" in part]
    of = f" of {_schema_facts(items[0], resolve)['type']}" if items else ""
    within = _schema_facts(items[0], resolve).get("enum", []) if items else []
    return {"type": ("|".join(types) or "any") + of} | ({"enum": values or within} if values or within else {})


def find_differences(old: list[Json], new: list[Json]) -> Iterator[str]:
    """What changed from one digest to another, a sentence each."""
    before, after = ({f"{row['method']} {row['path']}": row for row in rows} for rows in (old, new))
    for name, row in after.items():
        if name not in before:
            yield f"{name}: new ({row['operationId']}, {row['tag']})"
    for name, row in before.items():
        if name not in after:
            yield f"{name}: gone ({row['operationId']})"
        else:
            yield from (f"{name}: {change}" for change in _operation_changes(row, after[name]))


def _operation_changes(old: Json, new: Json) -> Iterator[str]:
    for key in ("operationId", "tag"):
        if old[key] != new[key]:
            yield f"{key} is {new[key]}, was {old[key]}"
    yield from _named_changes("parameter", old["parameters"], new["parameters"])
    none: Json = {"media": "none", "fields": {}}
    before, after = old.get("body", none), new.get("body", none)
    if before["media"] != after["media"]:
        yield f"body is {after['media']}, was {before['media']}"
    yield from _named_changes("body field", before["fields"], after["fields"])
    before_names, after_names = (", ".join(row.get("permissions", ["none"])) for row in (old, new))
    if before_names != after_names:
        yield f"permissions are {after_names}, were {before_names}"
    if old["success"] != new["success"]:
        yield f"success is {_describe_successes(new)}, was {_describe_successes(old)}"


def _named_changes(kind: str, old: Json, new: Json) -> Iterator[str]:
    yield from (f"new {kind} {name} ({_describe_facts(new[name])})" for name in new if name not in old)
    yield from (f"{kind} {name} is gone" for name in old if name not in new)
    for name in old:
        if name in new and old[name] != new[name]:
            yield f"{kind} {name} is {_describe_facts(new[name])}, was {_describe_facts(old[name])}"


def _describe_facts(facts: Json) -> str:
    words = [facts["in"]] if "in" in facts else []
    words += [facts["type"], "required" if facts.get("required") else "optional"]
    return ", ".join([*words, *(["one of " + ", ".join(map(str, facts["enum"]))] if "enum" in facts else [])])


def _describe_successes(row: Json) -> str:
    return "; ".join(f"{status} {', '.join(types) or 'empty'}" for status, types in row["success"].items())


def format_digest(rows: list[Json]) -> str:
    """A digest as JSON text, a line for each operation."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def load_digest(path: Path) -> list[Json]:
    """The digest of the document at *path*, YAML or JSON."""
    return make_digest(
        yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    )


def main(arguments: list[str] | None = None) -> int:
    """0: written, or nothing changed; 1: something changed."""
    parser = argparse.ArgumentParser(prog="scripts/spec", description=__doc__)
    parser.add_argument("document", type=Path, help="an OpenAPI document of the DoiT API, YAML or JSON")
    parser.add_argument("--diff", action="store_true", help="write nothing; say how it differs from the digest")
    parser.add_argument("--digest", type=Path, default=DIGEST, help="where the digest is kept, if not with the tests")
    given = parser.parse_args(arguments)
    rows = load_digest(given.document)
    if not given.diff:
        given.digest.write_text(format_digest(rows), encoding="utf-8")
        print(f"{len(rows)} operations written to {given.digest.name}")
        return 0
    found = list(find_differences(json.loads(given.digest.read_text(encoding="utf-8")), rows))
    print("\n".join(found) or "Nothing changed.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
