"""Digests of published API documents: the facts that tests compare code with, and differences between versions."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from yaml import YAMLError

from .published_facts import PATH_EVIDENCE, PERMISSIONS, Json, format_document, read_document, strip_prose
from .spec_places import annotate, declared_places

DATA = Path(__file__).parents[1] / "tests" / "data"
METHODS = ("get", "post", "put", "patch", "delete")
UNIONS = ("oneOf", "anyOf")
REQUIRES_PERMISSION = re.compile(r"\b(?:[Rr]equires?|[Nn]eeds|lacks)\b")
PERMISSION = re.compile(
    r"(?:`(\w+)`|\b(?!Require)((?:[A-Z]\w+ )*[A-Z]\w+)|\b([a-z]+[A-Z]\w+)) permission\b"  # the `Settings` permission
    r"|\b(\w+(?:Admin|Manager|Creator|Viewer|ReadOnly))\b"  # requires ContractTemplatesAdmin
)

Resolve = Callable[[str], Json]


def make_digest(document: Json) -> list[Json]:
    """A row for each operation of an OpenAPI 3.0 document, in its order.

    method, path, operationId, tag; parameters and body fields by name, each with type and, if present, in, required
    and enum; content types of the body and of each success; the permissions that its texts require, if any; path_evidence,
    if the path was only guessed; the
    fields and headers of successes (answer, headers) and the statuses of errors, if any. Nested fields have names such as
    "scopes[].id". Raise ValueError if *document* is not an OpenAPI document, or if an
    operation lacks a member.
    """
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise ValueError("is not an OpenAPI document: it has no paths")
    resolve = partial(_resolve_reference, document)
    return [
        _operation_row(path, method, item[method], item.get("parameters", []), resolve)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def _resolve_reference(document: Json, reference: str) -> Json:
    part = document
    for step in reference.removeprefix("#/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if name not in part:
            raise ValueError(f"the reference {reference} leads nowhere")
        part = part[name]
    return part


def _operation_row(path: str, method: str, operation: Json, shared: list[Json], resolve: Resolve) -> Json:
    if missing := [name for name in ("operationId", "responses") if operation.get(name) in (None, [])]:
        raise ValueError(f"{method.upper()} {path} lacks {', '.join(missing)}")
    parameters = [_dereference(parameter, resolve) for parameter in (*shared, *operation.get("parameters", []))]
    row: Json = {
        "method": method.upper(),
        "path": path,
        "operationId": operation["operationId"],
        "tag": (operation.get("tags") or [""])[0],
        "parameters": {parameter["name"]: _parameter_facts(parameter, resolve) for parameter in parameters},
    }
    body = _dereference(operation.get("requestBody", {}), resolve).get("content", {})
    for media, content in body.items():
        row["body"] = {"media": media, "fields": body_fields(content["schema"], resolve)}
    row["success"] = {
        str(status): list(_dereference(response, resolve).get("content", {}))
        for status, response in operation["responses"].items()
        if str(status).startswith("2")
    }
    row |= _response_facts(operation, resolve)
    if evidence := operation.get(PATH_EVIDENCE):
        row["path_evidence"] = evidence
    permissions = _permissions(operation, resolve)
    return row | ({"permissions": permissions} if permissions else {})


def _response_facts(operation: Json, resolve: Resolve) -> Json:
    """The fields and headers of successes, and the statuses of errors, as far as there are any."""
    fields: Json = {}
    headers: set[str] = set()
    for status, response in operation["responses"].items():
        if not str(status).startswith("2"):
            continue
        found = _dereference(response, resolve)
        headers |= found.get("headers", {}).keys()
        for content in found.get("content", {}).values():
            fields |= dict(schema_fields(content.get("schema", {}), resolve))
    errors = sorted(str(status) for status in operation["responses"] if not str(status).startswith("2"))
    facts = {"answer": fields, "headers": sorted(headers), "errors": errors}
    return {name: value for name, value in facts.items() if value}


def _permissions(operation: Json, resolve: Resolve) -> list[str]:
    """The names of the permissions that the description of an operation, or of its 403 response, requires.

    Stored documents contain the names instead of the prose.
    """
    if PERMISSIONS in operation:
        stored: list[str] = operation[PERMISSIONS]
        return stored
    forbidden = {str(status): response for status, response in operation["responses"].items()}.get("403", {})
    text = f"{operation.get('description', '')}. {_dereference(forbidden, resolve).get('description', '')}"
    sentences = [sentence for sentence in re.split(r"\.\s", text) if REQUIRES_PERMISSION.search(sentence)]
    names = (next(filter(None, match.groups())) for sentence in sentences for match in PERMISSION.finditer(sentence))
    return sorted(set(names))


def _parameter_facts(parameter: Json, resolve: Resolve) -> Json:
    schema = parameter.get("schema", {})
    required = {"required": True} if parameter.get("required") else {}
    return {"in": parameter["in"], **required, **_schema_facts(schema, resolve)}


def _dereference(value: Json, resolve: Resolve) -> Json:
    return resolve(value["$ref"]) if "$ref" in value else value


def body_fields(schema: Json, resolve: Resolve) -> dict[str, Json]:
    """The fields of a body. If it has several forms, a field is required if each form requires it, and its enum has the
    values of all forms.
    """
    declared = _dereference(schema, resolve)
    forms = [dict(schema_fields(form, resolve)) for key in UNIONS for form in declared.get(key, ())]
    if not forms:
        return dict(schema_fields(schema, resolve))
    fields: dict[str, Json] = {}
    for name in dict.fromkeys(name for form in forms for name in form):
        facts = [form[name] for form in forms if name in form]
        values = [value for one in facts for value in one.get("enum", ())]
        merged = {**facts[-1], **({"enum": list(dict.fromkeys(values))} if all("enum" in one for one in facts) else {})}
        if len(facts) < len(forms) or not all(one.get("required") for one in facts):
            merged.pop("required", None)
        fields[name] = merged
    return fields


def schema_fields(schema: Json, resolve: Resolve = lambda reference: {}, seen: tuple[str, ...] = ()) -> Iterator[Any]:
    """The fields of an object's schema as (name, facts), each followed by the fields of nested objects.

    JSON Schemas without references need no *resolve*. A schema that refers to itself is followed once.
    """
    for part, inside in _schema_parts(schema, resolve, seen):
        for name, field in part.get("properties", {}).items():
            required = {"required": True} if name in part.get("required", ()) else {}
            yield name, {**required, **_schema_facts(field, resolve)}
            for end, inner in _nested_objects(field, resolve, inside):
                yield from ((f"{name}{end}.{below}", facts) for below, facts in schema_fields(inner, resolve, inside))


def _schema_parts(schema: Json, resolve: Resolve, seen: tuple[str, ...]) -> Iterator[tuple[Json, tuple[str, ...]]]:
    """The schemas that a schema combines, each with the references that were followed to reach it."""
    if reference := schema.get("$ref"):
        if reference not in seen:
            yield from _schema_parts(resolve(reference), resolve, (*seen, reference))
        return
    yield schema, seen
    for key in ("allOf", *UNIONS):
        for part in schema.get(key, ()):
            yield from _schema_parts(part, resolve, seen)


def _nested_objects(schema: Json, resolve: Resolve, seen: tuple[str, ...]) -> Iterator[tuple[str, Json]]:
    """The objects in a value, each with the suffix of its name: "" for the value itself, "[]" or ".*" (any key)."""
    for part, inside in _schema_parts(schema, resolve, seen):
        if "properties" in part:
            yield "", {"properties": part["properties"], "required": part.get("required", ())}
        for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(inner := part.get(key), dict):
                yield from ((suffix + end, nested) for end, nested in _nested_objects(inner, resolve, inside))


def _schema_facts(schema: Json, resolve: Resolve) -> Json:
    parts = [part for part, _ in _schema_parts(schema, resolve, ())]
    types = sorted({part["type"] for part in parts if part.get("type", "null") != "null"})
    values = [value for part in parts for value in part.get("enum", ()) if value is not None]
    items = [part["items"] for part in parts if "items" in part]
    item_type = f" of {_schema_facts(items[0], resolve)['type']}" if items else ""
    item_values = _schema_facts(items[0], resolve).get("enum", []) if items else []
    return {"type": ("|".join(types) or "any") + item_type} | (
        {"enum": values or item_values} if values or item_values else {}
    )


def find_differences(old: list[Json], new: list[Json]) -> Iterator[str]:
    """The differences between two digests, one sentence each."""
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
    no_body: Json = {"media": "none", "fields": {}}
    before, after = old.get("body", no_body), new.get("body", no_body)
    if before["media"] != after["media"]:
        yield f"body is {after['media']}, was {before['media']}"
    yield from _named_changes("body field", before["fields"], after["fields"])
    yield from _named_changes("answer field", old.get("answer", {}), new.get("answer", {}))
    for key, kind in (("headers", "header of the answer"), ("errors", "error")):
        yield from (f"new {kind} {name}" for name in new.get(key, ()) if name not in old.get(key, ()))
        yield from (f"{kind} {name} is gone" for name in old.get(key, ()) if name not in new.get(key, ()))
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


def store_facts(document: Json) -> Json:
    """An OpenAPI document without its prose, with the permissions that the prose requires."""
    stored: Json = strip_prose(document)
    for row in make_digest(document):
        if "permissions" in row:
            stored["paths"][row["path"]][row["method"].lower()][PERMISSIONS] = row["permissions"]
    return stored


def main(arguments: list[str] | None = None) -> int:
    """Return 0: written, or nothing changed; 1: something changed; 2: the document cannot be used."""
    parser = argparse.ArgumentParser(prog="scripts/spec", description=__doc__)
    parser.add_argument("document", type=Path, help="an OpenAPI document of the DoiT API, YAML or JSON")
    parser.add_argument("--revision", help="the document is the JSON Schema of this MCP revision instead")
    parser.add_argument("--diff", action="store_true", help="write nothing; list what changed in the DoiT API")
    parser.add_argument("--json", type=Path, help="write the whole document as JSON to this file, for DOIT_MCP_OPENAPI")
    parser.add_argument("--data", type=Path, default=DATA, help="directory of the stored documents")
    options = parser.parse_args(arguments)
    if options.diff and options.revision:
        parser.error("--diff compares documents of the DoiT API only")
    try:
        source = read_document(options.document)
        if options.json:
            make_digest(source)
            options.json.write_text(json.dumps(source, default=str), encoding="utf-8")
            print(f"{options.json} written")
            return 0
        document = strip_prose(source) if options.revision else store_facts(source)
    except OSError as error:
        return _refuse(options.document, error.strerror or str(error))
    except (ValueError, YAMLError) as error:
        return _refuse(options.document, " ".join(str(error).split()))
    stored: Path = options.data / (f"mcp-schemas/{options.revision}.json" if options.revision else "doit-api.json")
    if not options.diff:
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text(format_document(document), encoding="utf-8")
        print(f"{stored.name} written")
        return 0
    differences = list(find_differences(make_digest(read_document(stored)), make_digest(document)))
    print("\n".join(annotate(differences, declared_places())) or "Nothing changed.")
    return 1 if differences else 0


def _refuse(document: Path, problem: str) -> int:
    print(f"scripts/spec: {document}: {problem}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
