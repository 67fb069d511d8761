"""Operations of an API document that this release does not declare: which are offered, and what is left out, and why."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api import AREAS
from doit_mcp.api.openapi_document import (
    MAX_DOCUMENT_BYTES,
    MAX_OPERATIONS,
    ApiDocument,
    DocumentedOperation,
    parse_api_document,
)
from doit_mcp.api.openapi_schemas import MAX_SCHEMA_BYTES, is_secret_name
from doit_mcp.api.operation import Request
from doit_mcp.protocol.schema_validator import SchemaValidator

RECIPE: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "maxLength": 20, "description": "Its\n name."},
        "size": {"type": "integer", "nullable": True},
        "id": {"type": "string", "readOnly": True},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Recipe"}},
        "any": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    },
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/kitchen/v1/recipes/{recipeId}": {
            "parameters": [{"name": "recipeId", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "getRecipe",
                "tags": ["Kitchen Things"],
                "summary": "Show a recipe.",
                "parameters": [
                    {"$ref": "#/components/parameters/Sort"},
                    {"name": "X-Tenant-Id", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {"200": {"content": {"application/json": {"schema": RECIPE}}}},
            },
            "patch": {
                "operationId": "updateRecipe",
                "tags": ["Kitchen Things"],
                "parameters": [{"name": "Idempotency-Key", "in": "header", "required": True}],
                "requestBody": {
                    "required": True,
                    "content": {"application/merge-patch+json": {"schema": {"$ref": "#/components/schemas/Recipe"}}},
                },
                "responses": {"204": {"description": "Changed."}},
            },
        },
        # The release has it, with another name of the parameter.
        "/analytics/v1/budgets/{budget}": {"get": {"operationId": "getBudget", "responses": {"200": {}}}},
    },
    "components": {
        "schemas": {"Recipe": {"allOf": [RECIPE, {"properties": {"more": {"type": "boolean"}}}]}},
        "parameters": {"Sort": {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["asc", "desc"]}}},
    },
}
PATH = "/kitchen/v1/recipes/{recipeId}"


def parse(document: Any, taken: tuple[str, ...] = ()) -> ApiDocument:
    return parse_api_document(orjson.dumps(document), AREAS.values(), taken)


def parse_with(method: str = "get", **members: Any) -> ApiDocument:
    """The operations of the document whose operation *method* has other members; those that are None are removed."""
    document = copy.deepcopy(DOCUMENT)
    document["paths"] = {
        PATH: {"parameters": document["paths"][PATH]["parameters"], method: document["paths"][PATH][method]}
    }
    operation = document["paths"][PATH][method]
    operation.update(members)
    return parse(document)


def named(document: ApiDocument) -> dict[str, DocumentedOperation]:
    return {one.operation.name: one for one in document.operations}


def test_unknown_operations_become_requests() -> None:
    found = named(parse(DOCUMENT))
    assert sorted(found) == ["get_recipe", "update_recipe"]
    get, update = found["get_recipe"], found["update_recipe"]
    assert (get.title, get.summary, get.tag, get.operation.read_only) == (
        *("Show a recipe.", "Show a recipe", "Kitchen Things"),
        True,
    )
    assert get.operation.build_request({"recipeId": "a/b", "sort": "asc"}) == Request(
        "GET", "/kitchen/v1/recipes/a%2Fb", {"sort": "asc"}, None
    )
    assert update.operation.build_request({"recipeId": "1", "body": {"name": "x"}}) == Request(
        "PATCH", "/kitchen/v1/recipes/1", {}, {"name": "x"}
    )
    assert update.operation.needs_idempotency_key and update.operation.content_type == "application/merge-patch+json"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"name": "x", "size": None, "more": True, "any": 1, "parts": [{"name": "y"}]}, ""),
        ({}, "name"),
        ({"name": "x" * 21}, "name"),
        ({"name": "x", "size": "big"}, "size"),
        ({"name": "x", "sise": 1}, "sise"),
        ({"name": "x", "id": "1"}, "id"),
        ({"name": "x", "parts": [{"size": 1}]}, "parts"),
    ],
)
def test_arguments_are_checked_against_the_document(body: Any, problem: str) -> None:
    schema = named(parse(DOCUMENT))["update_recipe"].schema
    problems = SchemaValidator(schema).problems({"recipeId": "1", "body": body})
    assert bool(problems) == bool(problem) and all(problem in line for line in problems)
    assert SchemaValidator(schema).problems({"recipeId": "1"}) and SchemaValidator(schema).problems(
        {"body": {"name": "x"}}
    )


@pytest.mark.parametrize(
    ("method", "members", "reason"),
    [
        ("get", {"operationId": "x"}, "operationId"),
        ("get", {"operationId": None}, "operationId"),
        ("get", {"security": []}, "no sign-in"),
        ("get", {"parameters": [{"name": "If-Match", "in": "header", "required": True}]}, "header If-Match"),
        ("get", {"parameters": [{"name": "a b", "in": "query"}]}, "names"),
        ("get", {"parameters": [{"name": "deep", "in": "query", "schema": RECIPE}]}, "deep is an object"),
        ("get", {"responses": {"200": {"content": {"text/event-stream": {}}}}}, "text/event-stream"),
        ("get", {"responses": {"200": {"content": {"application/pdf": {}}}}}, "application/pdf"),
        (
            "get",
            {"responses": {"201": {"content": {"application/json": {"schema": {"properties": {"accessToken": {}}}}}}}},
            "secret",
        ),
        *(
            ("get", {"responses": {status: {"content": {"application/json": {"schema": schema}}}}}, "secret")
            for status in ("default", "2XX", "2xx", "200")
            for schema in (
                {"properties": {"refreshToken": {}}},
                {"properties": {"session": {"properties": {"sessionCookie": {}}}}},
                {"patternProperties": {"^a": {"properties": {"jwt": {}}}}},
                {"prefixItems": [{"properties": {"bearer": {}}}]},
                {"type": "string", "format": "password"},
            )
        ),
        (
            "get",
            {
                "responses": {
                    "200": {"content": {"application/json": {}}},
                    "default": {"content": {"application/json": {"schema": {"properties": {"apiKey": {}}}}}},
                }
            },
            "secret",
        ),
        ("get", {"responses": {"default": {"content": {"application/pdf": {}}}}}, "application/pdf"),
        ("patch", {"requestBody": {"content": {"multipart/form-data": {}}}}, "multipart"),
        ("patch", {"requestBody": {"content": {"application/json": {"schema": {"type": "array"}}}}}, "not an object"),
        (
            "patch",
            {"requestBody": {"content": {"application/json": {"schema": {"properties": {"password": {}}}}}}},
            "secret",
        ),
    ],
)
def test_other_operations_are_left_out_with_the_reason(method: str, members: dict[str, Any], reason: str) -> None:
    found = parse_with(method, **members)
    assert found.operations == () and [reason in text for text in found.left_out.values()] == [True]


@pytest.mark.parametrize(
    "path", ["/a/../b", "/a//b", "/a b", "a", "/a?b=c", "/{recipeId}/{other}", "//evil.example/x", "/a#b", "/a%2Fb"]
)
def test_other_paths_are_left_out(path: str) -> None:
    item = DOCUMENT["paths"][PATH]
    assert parse({"paths": {path: {"parameters": item["parameters"], "get": item["get"]}}}).operations == ()


def test_a_default_response_for_errors_does_not_decide_the_kind_of_response() -> None:
    responses = {"200": {"content": {"text/plain": {}}}, "default": {"content": {"application/json": {}}}}
    (one,) = parse_with("get", responses=responses).operations
    assert one.operation.text_member == "text"


def test_names_of_tools_are_not_taken_again() -> None:
    found = parse(DOCUMENT, ("get_recipe",))
    assert list(named(found)) == ["update_recipe"] and "has the name get_recipe" in str(found.left_out)
    twice = {**DOCUMENT, "paths": dict.fromkeys((PATH, "/other/{recipeId}"), DOCUMENT["paths"][PATH])}
    assert len(parse(twice).operations) == 2


def test_secrets_are_known_by_their_names() -> None:
    for name in ("token", "accessToken", "apiKey", "api_key", "clientSecret", "secrets", "privateKey", "PASSWORD"):
        assert is_secret_name(name), name
    for name in (
        "jwt",
        "idJwt",
        "bearer",
        "sessionCookie",
        "cookies",
        "cookieValue",
        "authorizationHeader",
        "otp",
        "pwd",
    ):
        assert is_secret_name(name), name
    for name in ("connectionString", "signed_url", "presignedUrl", "tokenHash", "signingKey", "basicAuth", "sshKeys"):
        assert is_secret_name(name), name
    for name in ("pageToken", "nextPageToken", "tokenizer", "keyName", "secretary", "name", "cookieDomain", "key"):
        assert not is_secret_name(name), name


@pytest.mark.parametrize("text", [b"", b"paths: {}", b"[]", b"{}", b'{"paths": []}', b" " * (MAX_DOCUMENT_BYTES + 1)])
def test_other_files_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^is (not|larger)"):
        parse_api_document(text, (), ())


def test_size_is_bounded() -> None:
    item = {"get": {"operationId": "getThing", "responses": {}}}
    paths = {
        f"/things/v{number}": {"get": {**item["get"], "operationId": f"getThing{number}"}}
        for number in range(MAX_OPERATIONS + 2)
    }
    found = parse({"paths": paths})
    assert len(found.operations) == MAX_OPERATIONS and len(found.left_out) == 2
    wide = {"type": "object", "properties": {f"member{number}": RECIPE for number in range(500)}}
    (one,) = parse_with("patch", requestBody={"content": {"application/json": {"schema": wide}}}).operations
    assert len(orjson.dumps(one.schema)) <= MAX_SCHEMA_BYTES
    assert SchemaValidator(one.schema).problems({"recipeId": "1", "body": {"member499": {"name": "x"}}}) == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=5)
    | st.sampled_from(["#/components", "object", "query"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "$ref allOf anyOf content enum get in items name operationId parameters patch properties requestBody"
                " required responses schema security tags type 200 application/json".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(JSON)
def test_any_json_is_read_without_an_error(part: Any) -> None:
    paths = {
        PATH: part,
        "/b": {"get": part, "post": {"operationId": "addThing", "requestBody": part, "responses": part}},
    }
    for one in parse({"paths": paths, "components": part}).operations:
        SchemaValidator(one.schema).problems({"recipeId": "1"})


@pytest.mark.parametrize(
    ("description", "summary"),
    [
        ("Show a recipe.", "Show a recipe"),
        ("Show a recipe with its parts.", "Show a recipe with its parts"),
        ("With its parts.", "Show a recipe. With its parts"),
    ],
)
def test_a_description_that_begins_with_the_summary_is_not_repeated(description: str, summary: str) -> None:
    (one,) = parse_with("get", description=description).operations
    assert one.summary == summary
