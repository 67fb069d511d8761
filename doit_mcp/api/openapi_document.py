"""Operations of an OpenAPI 3 document that this release does not declare, so that they can still be called.

The document comes from the operator. Requests go to the configured API only, whatever servers the document names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import getmembers
from typing import Any, NamedTuple

import orjson

from ..protocol.json_schema import JsonObject
from .openapi_schemas import (
    MAX_DEPTH,
    MAX_SCHEMA_BYTES,
    Resolve,
    SchemaBudget,
    argument_schema,
    dereference,
    make_resolver,
    secret_names,
    to_one_line,
)
from .operation import PLACEHOLDER, Area, HttpMethod, Operation

MAX_DOCUMENT_BYTES = 8 << 20
MAX_OPERATIONS = 500
MAX_PARAMETERS = 50
MAX_SUMMARY_CHARACTERS = 600
METHODS: tuple[HttpMethod, ...] = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATH_PATTERN = re.compile(r"(?:/(?:[\w.~-]{1,100}|{\w{1,60}}))+", re.ASCII)
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{2,59}", re.ASCII)
WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
CLIENT_HEADERS = frozenset(("x-tenant-id", "idempotency-key", "accept", "content-type", "authorization"))
"""Headers that the client sets."""
JSON_TYPES = ("application/json", "application/merge-patch+json")
BODY = "body"
"""The argument that is the whole body."""


class UnusableOperation(Exception):
    """An operation that cannot be offered; the message is the reason."""


@dataclass(frozen=True, slots=True)
class DocumentedOperation:
    """An operation as the document describes it, with the schema of its arguments."""

    operation: Operation
    title: str
    summary: str
    tag: str
    schema: JsonObject = field(repr=False)


class ApiDocument(NamedTuple):
    """The operations that the release does not declare, and why others are *left_out*, by method and path."""

    operations: tuple[DocumentedOperation, ...]
    left_out: Mapping[str, str]


def parse_api_document(text: bytes, areas: Iterable[type[Area]], taken: Iterable[str]) -> ApiDocument:
    """Return the operations of a JSON document that no area declares. *taken* contains the names of existing tools.

    Raises ValueError if it is not an OpenAPI document, or too large.
    """
    if len(text) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"is larger than {MAX_DOCUMENT_BYTES >> 20} MB")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("is not JSON (scripts/spec --json converts YAML)") from None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise ValueError("is not an OpenAPI document: it has no paths")
    known, names = list_declared_operations(areas), set(taken)
    resolve, found = make_resolver(document), list[DocumentedOperation]()
    left_out: dict[str, str] = {}
    for method, path, item in _new_operations(document, known):
        label = f"{method} {to_one_line(path, 120)}"
        try:
            if len(found) >= MAX_OPERATIONS:
                raise UnusableOperation(f"there are more than {MAX_OPERATIONS} new operations")
            made = _parse_operation(document, method, path, item, resolve)
            if made.operation.name in names:
                raise UnusableOperation(f"a tool has the name {made.operation.name}")
        except UnusableOperation as reason:
            left_out[label] = str(reason)
        else:
            names.add(made.operation.name)
            found.append(made)
    return ApiDocument(tuple(found), left_out)


def list_declared_operations(areas: Iterable[type[Area]]) -> frozenset[tuple[str, str]]:
    """Return the methods and paths of all operations of the release, including those that no tool offers."""
    members = (getattr(member, "operation", None) for area in areas for _, member in getmembers(area))
    return frozenset((one.method, _strip_parameter_names(one.path)) for one in members if isinstance(one, Operation))


def _strip_parameter_names(path: str) -> str:
    """Return a path without the names of its parameters, which can differ between versions of the document."""
    return PLACEHOLDER.sub("{}", path)


def _new_operations(document: JsonObject, known: frozenset[tuple[str, str]]) -> Iterator[tuple[HttpMethod, str, Any]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            operation = item.get(method.lower()) if isinstance(item, dict) else None
            if isinstance(operation, dict) and (method, _strip_parameter_names(path)) not in known:
                yield method, path, {**operation, "parameters": _list_parameters(item) + _list_parameters(operation)}


def _list_parameters(item: JsonObject) -> list[Any]:
    found = item.get("parameters")
    return found if isinstance(found, list) else []


def _parse_operation(
    document: JsonObject, method: HttpMethod, path: str, item: JsonObject, resolve: Resolve
) -> DocumentedOperation:
    """Return one operation. Raises UnusableOperation."""
    identifier = item.get("operationId")
    name = WORD_START.sub("_", identifier).strip("_").lower() if isinstance(identifier, str) else ""
    if not NAME_PATTERN.fullmatch(name):
        raise UnusableOperation("its operationId is not a name")
    if not PATH_PATTERN.fullmatch(path) or ".." in path:
        raise UnusableOperation("its path has unexpected characters")
    if item.get("security", document.get("security")) == []:
        raise UnusableOperation("it requires no sign-in, so no credential is sent")
    for max_depth in range(MAX_DEPTH, 0, -1):
        schema, headers, body_type = _argument_schemas(item, path, resolve, SchemaBudget(max_depth))
        if len(orjson.dumps(schema)) <= MAX_SCHEMA_BYTES:
            break
    else:
        schema["properties"] |= {BODY: {"type": "object"}} if BODY in schema["properties"] else {}
        if len(orjson.dumps(schema)) > MAX_SCHEMA_BYTES:
            raise UnusableOperation("its parameters are too large to describe")
    text_member = _check_responses(item, resolve)
    placeholders = tuple(PLACEHOLDER.findall(path))
    operation = Operation(
        name=name,
        method=method,
        path=path,
        description="",
        read_only=method == "GET",
        placeholders=placeholders,
        parameters=tuple(one for one in schema["properties"] if one not in (*placeholders, BODY)),
        has_body=False,
        function=parse_api_document,
        needs_idempotency_key="idempotency-key" in headers,
        content_type=body_type,
        body_argument=BODY if BODY in schema["properties"] else "",
        text_member=text_member,
    )
    tags = item.get("tags")
    tag = str(tags[0]) if isinstance(tags, list) and tags else ""
    texts = [str(item[key]) for key in ("summary", "description") if isinstance(item.get(key), str)]
    title = to_one_line(texts[0], 80) if texts else name.replace("_", " ").capitalize()
    summary = _make_summary(texts)
    return DocumentedOperation(operation, title, summary or title, tag, schema)


def _make_summary(texts: list[str]) -> str:
    """Return the summary and the description as one text. Many descriptions begin with the summary."""
    sentences = [text.strip().rstrip(".") for text in texts]
    distinct = sentences[-1:] if sentences and sentences[-1].startswith(sentences[0]) else sentences
    return to_one_line(". ".join(distinct), MAX_SUMMARY_CHARACTERS)


def _argument_schemas(
    item: JsonObject, path: str, resolve: Resolve, budget: SchemaBudget
) -> tuple[JsonObject, frozenset[str], str]:
    """Return the schema of all arguments, the names of the headers, and the content type of the body."""
    schema, headers = _parameter_schema(item, path, resolve, budget)
    body_type, body = _body_schema(item, resolve, budget)
    if body is not None:
        schema["properties"][BODY] = body
        if dereference(item.get("requestBody"), resolve).get("required") is True:
            schema["required"].append(BODY)
    return schema, headers, body_type


def _parameter_schema(
    item: JsonObject, path: str, resolve: Resolve, budget: SchemaBudget
) -> tuple[JsonObject, frozenset[str]]:
    """Return the schema of the arguments in path and query, and the names of the headers in lower case."""
    declared = {}
    for parameter in item["parameters"][:MAX_PARAMETERS]:
        one = dereference(parameter, resolve)
        declared[str(one.get("in")), str(one.get("name"))] = one
    headers = frozenset(name.lower() for place, name in declared if place == "header")
    properties: JsonObject = {}
    required: list[str] = []
    for (place, name), one in declared.items():
        if place in ("header", "cookie"):
            if one.get("required") is True and (place == "cookie" or name.lower() not in CLIENT_HEADERS):
                raise UnusableOperation(f"it requires the {place} {to_one_line(name, 60)}")
            continue
        if name in properties or name == BODY or not re.fullmatch(r"[\w.\[\]-]{1,60}", name, re.ASCII):
            raise UnusableOperation("its parameters have unexpected names")
        schema = argument_schema(one.get("schema"), resolve, budget) or {"type": "string"}
        if schema.get("type", "string") == "object":
            raise UnusableOperation(f"its parameter {name} is an object")
        text = one.get("description")
        properties[name] = schema | ({"description": to_one_line(text, 200)} if isinstance(text, str) else {})
        if place == "path" or one.get("required") is True:
            required.append(name)
    if missing := [name for name in PLACEHOLDER.findall(path) if ("path", name) not in declared]:
        raise UnusableOperation(f"its path parameter {missing[0]} is not described")
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}, headers


def _body_schema(item: JsonObject, resolve: Resolve, budget: SchemaBudget) -> tuple[str, JsonObject | None]:
    """Return the content type of the body and its schema, None without a body."""
    contents = dereference(item.get("requestBody"), resolve).get("content")
    if not isinstance(contents, dict) or not contents:
        return JSON_TYPES[0], None
    kind = next((one for one in JSON_TYPES if one in contents), None)
    if kind is None:
        raise UnusableOperation(f"its body is {to_one_line(str(next(iter(contents))), 60)}")
    declared = dereference(contents[kind], resolve).get("schema")
    if secrets := secret_names(declared, resolve):
        raise UnusableOperation(f"its body can have a secret ({secrets[0]})")
    schema = {"type": "object", **argument_schema(declared, resolve, budget)}
    if schema["type"] != "object":
        raise UnusableOperation("its body is not an object")
    return kind, schema


def _check_responses(item: JsonObject, resolve: Resolve) -> str:
    """Return the member for a response that is text, "" for JSON. Raises UnusableOperation for other responses.

    The response "default" covers all statuses that are not listed, so it can be a success.
    """
    listed = item.get("responses")
    responses = {str(status).lower(): one for status, one in (listed.items() if isinstance(listed, dict) else ())}
    successes = [response for status, response in responses.items() if status.startswith("2")]
    answers = [*successes, responses["default"]] if "default" in responses else successes
    for media in (media for content in _list_contents(answers, resolve) for media in content.values()):
        if secrets := secret_names(dereference(media, resolve).get("schema"), resolve):
            raise UnusableOperation(f"its response can have a secret ({secrets[0]})")
    kinds = {kind for content in _list_contents(successes or answers, resolve) for kind in content}
    if not kinds or any(kind.endswith("json") for kind in kinds):
        return ""
    if all(kind.startswith("text/") and kind != "text/event-stream" for kind in kinds):
        return "text"
    raise UnusableOperation(f"its response is {to_one_line(min(kinds), 60)}")


def _list_contents(responses: Iterable[Any], resolve: Resolve) -> list[JsonObject]:
    """Return the content of each of the *responses* that has one, by media type."""
    contents = (dereference(response, resolve).get("content") for response in responses)
    return [content for content in contents if isinstance(content, dict)]
