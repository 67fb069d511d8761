"""scripts/spec: documents without prose, the digest of an API document, and the changes in a newer one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from scripts.published_facts import format_document, read_document, strip_prose
from scripts.spec_digest import find_differences, main, make_digest
from scripts.spec_places import annotate, declared_places

THING = {
    "allOf": [
        {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        {
            "properties": {
                "kind": {"type": "string", "nullable": True, "enum": ["a", "b", None]},
                "value": {"oneOf": [{"type": "string"}, {"type": "boolean"}]},
                "tags": {"type": "array", "items": {"type": "string", "enum": ["x"]}},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                "byName": {
                    "type": "object",
                    "additionalProperties": {"type": "object", "properties": {"n": {"type": "integer"}}},
                },
                "free": {},
            }
        },
    ]
}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/things/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "operationId": "getThing",
                "tags": ["Things"],
                "parameters": [{"name": "max", "in": "query", "schema": {"type": "integer"}}],
                "responses": {200: {"content": {"application/json": {}}}, "404": {"description": "none"}},
            },
            "put": {
                "operationId": "setThing",
                "tags": ["Things"],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "description": "Changes a thing. Requires the `Things` permission.",
                "responses": {"204": {"description": "done"}, "403": {"description": "The caller lacks ThingAdmin."}},
            },
        }
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {"Thing": THING},
    },
}


def test_operation_is_a_row() -> None:
    get, put = make_digest(DOCUMENT)
    assert get == {
        **{"method": "GET", "path": "/things/{id}", "operationId": "getThing", "tag": "Things"},
        "parameters": {
            "id": {"in": "path", "required": True, "type": "string"},
            "max": {"in": "query", "type": "integer"},
        },
        "success": {"200": ["application/json"]},
        "errors": ["404"],
    }
    assert put["body"] == {
        "media": "application/json",
        "fields": {
            "name": {"required": True, "type": "string"},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "value": {"type": "boolean|string"},
            "tags": {"type": "array of string", "enum": ["x"]},
            "parts": {"type": "array of object"},
            "byName": {"type": "object"},
            "byName.*.n": {"type": "integer"},
            "free": {"type": "any"},
        },
    }
    assert put["success"] == {"204": []} and put["permissions"] == ["ThingAdmin", "Things"]


@pytest.mark.parametrize(
    ("description", "permissions"),
    [
        ("Changes it. Requires Cloud Analytics Admin permission.", ["Cloud Analytics Admin"]),
        ("Requires `usersManager` permission.", ["usersManager"]),
        ("Needs serviceAccountCreator.", ["serviceAccountCreator"]),
        (
            "Read access requires contractsReadOnly, contractsViewer, or a role.",
            ["contractsReadOnly", "contractsViewer"],
        ),
        ("Returns the features and their permission status. An Admin may see more.", []),
    ],
)
def test_permissions_are_read_from_descriptions(description: str, permissions: list[str]) -> None:
    operation = {"operationId": "o", "tags": ["T"], "description": description, "responses": {}}
    (row,) = make_digest({"paths": {"/p": {"get": operation}}})
    assert row.get("permissions", []) == permissions


def change_document() -> dict[str, Any]:
    """Return a newer document in which everything differs."""
    newer: dict[str, Any] = copy.deepcopy(DOCUMENT)
    path_item = newer["paths"].pop("/things/{id}")
    get, put = path_item["get"], path_item["put"]
    get["parameters"] = [{"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}]
    get["responses"] = {"200": {"content": {"text/event-stream": {}}}}
    get["operationId"] = "readThing"
    fields = newer["components"]["schemas"]["Thing"]["allOf"][1]["properties"]
    fields["kind"]["enum"] = ["a", "c"]
    del fields["free"]
    put["description"], put["responses"] = "Changes a thing.", {"204": {"description": "done"}}
    content = put["requestBody"]["content"]
    content["application/merge-patch+json"] = content.pop("application/json")
    newer["paths"]["/things/{id}"] = path_item
    newer["paths"]["/things"] = {"post": {**put, "operationId": "addThing"}}
    return newer


def test_changes_are_described() -> None:
    assert list(find_differences(make_digest(DOCUMENT), make_digest(change_document()))) == [
        "POST /things: new (addThing, Things)",
        "GET /things/{id}: operationId is readThing, was getThing",
        "GET /things/{id}: new parameter q (query, string, required)",
        "GET /things/{id}: parameter max is gone",
        "GET /things/{id}: error 404 is gone",
        "GET /things/{id}: success is 200 text/event-stream, was 200 application/json",
        "PUT /things/{id}: body is application/merge-patch+json, was application/json",
        "PUT /things/{id}: body field free is gone",
        "PUT /things/{id}: body field kind is string, optional, one of a, c, was string, optional, one of a, b",
        "PUT /things/{id}: error 403 is gone",
        "PUT /things/{id}: permissions are none, were ThingAdmin, Things",
    ]
    assert "POST /things: gone (addThing)" in list(
        find_differences(make_digest(change_document()), make_digest(DOCUMENT))
    )
    without = [{key: value for key, value in row.items() if key != "body"} for row in make_digest(DOCUMENT)]
    assert "PUT /things/{id}: body is none, was application/json" in list(
        find_differences(make_digest(DOCUMENT), without)
    )


def test_command_writes_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, data = tmp_path / "old.yml", tmp_path / "new.json", tmp_path / "data"
    old.write_text(json.dumps(DOCUMENT, default=str), "utf-8")
    new.write_text(json.dumps(change_document()), "utf-8")
    assert main([str(old), "--data", str(data)]) == 0
    stored = data / "doit-api.json"
    before = stored.read_text("utf-8")
    assert make_digest(json.loads(before)) == make_digest(json.loads(json.dumps(DOCUMENT)))
    assert main([str(old), "--diff", "--data", str(data)]) == 0
    assert main([str(new), "--diff", "--data", str(data)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["doit-api.json written", "Nothing changed."]
    assert len([line for line in lines[2:] if not line.startswith("    ")]) == 11
    assert stored.read_text("utf-8") == before
    assert main([str(old), "--json", str(tmp_path / "whole.json")]) == 0
    assert json.loads((tmp_path / "whole.json").read_text("utf-8")) == json.loads(json.dumps(DOCUMENT))


def with_answer(schema: dict[str, Any], **headers: Any) -> list[dict[str, Any]]:
    """The digest of a document whose one operation answers this."""
    response = {"headers": headers, "content": {"application/json": {"schema": schema}}}
    operation = {"operationId": "getThing", "tags": ["T"], "responses": {"200": response}}
    return make_digest({"paths": {"/things": {"get": operation}}})


def test_changes_of_answers_are_described() -> None:
    policy = {"type": "object", "properties": {"policy": {"type": "string", "enum": ["a", "b"]}, "old": {}}}
    opened = {"type": "object", "properties": {"policy": {"type": "string"}, "items": {"type": "array"}}}
    assert list(find_differences(with_answer(policy, Old={}), with_answer(opened, New={}))) == [
        "GET /things: new answer field items (array, optional)",
        "GET /things: answer field old is gone",
        "GET /things: answer field policy is string, optional, was string, optional, one of a, b",
        "GET /things: new header of the answer New",
        "GET /things: header of the answer Old is gone",
    ]


def test_differences_say_what_to_edit() -> None:
    differences = [
        "POST /datahub/v1/csv/upload: new body field more (string, optional)",
        "GET /analytics/v1/alerts/{other}: gone (getAlert)",
        "POST /analytics/v1/alerts/{id}/actions/mute: new (muteAlert, Alerts)",
        "GET /moon/v1/phases: new (listPhases, Moon)",
        "GET /moon/v1/tides: gone (listTides)",
    ]
    assert list(annotate(differences, declared_places())) == [
        differences[0],
        "    edit doit_mcp/api/areas/datahub.py: _upload, upload_datahub_csv",
        "    edit doit_mcp/sandbox/api/areas/datahub.py: upload_csv",
        differences[1],
        "    remove doit_mcp/api/areas/alerts.py: _alert, get_alert",
        "    remove doit_mcp/sandbox/api/areas/alerts.py: get_alert",
        differences[2],
        "    add a method to doit_mcp/api/areas/alerts.py",
        "    add a handler to doit_mcp/sandbox/api/areas/alerts.py",
        "    add a step to tests/server/test_all_tools.py: STEPS",
        differences[3],
        "    add an area: docs/development/add-operation.rst",
        "    add an example to doit_mcp/sandbox/tool_examples.py, if a required argument has no fixed set of values",
        differences[4],
    ]


def remove_member(member: str) -> str:
    """Return a document with an operation that lacks a member."""
    document = copy.deepcopy(DOCUMENT)
    del document["paths"]["/things/{id}"]["put"][member]
    return json.dumps(document, default=str)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("missing.yml", None, "No such file or directory"),
        ("bad.yml", "a: [", "while parsing a flow node"),
        ("bad.json", "{", "Expecting property name enclosed in double quotes"),
        ("binary.json", "\udcff", "'utf-8' codec can't decode byte 0xff"),
        ("list.yml", "- a", "is not an OpenAPI document: it has no paths"),
        ("schema.json", '{"$defs": {}}', "is not an OpenAPI document: it has no paths"),
        ("nameless.json", remove_member("operationId"), "PUT /things/{id} lacks operationId"),
        ("silent.json", remove_member("responses"), "PUT /things/{id} lacks responses"),
        (
            "reference.json",
            json.dumps(DOCUMENT, default=str).replace("schemas/Thing", "schemas/Other"),
            "the reference #/components/schemas/Other leads nowhere",
        ),
    ],
)
def test_unusable_document_is_one_line_on_stderr(
    name: str, text: str | None, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / name
    if text is not None:
        document.write_text(text, "utf-8", "surrogateescape")
    assert main([str(document), "--data", str(tmp_path / "data")]) == 2
    said = capsys.readouterr()
    assert said.out == "" and not (tmp_path / "data").exists()
    (line,) = said.err.splitlines()
    assert line.startswith(f"scripts/spec: {document}: {problem}")


def test_command_stores_the_schema_of_a_revision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"$defs": {"Tool": {"description": "A tool.", "type": "object"}}}), "utf-8")
    assert main([str(schema), "--revision", "2025-11-25", "--data", str(tmp_path)]) == 0
    assert read_document(tmp_path / "mcp-schemas" / "2025-11-25.json") == {"$defs": {"Tool": {"type": "object"}}}
    with pytest.raises(SystemExit):
        main([str(schema), "--revision", "2025-11-25", "--diff"])
    assert "--diff compares" in capsys.readouterr().err


def test_prose_is_dropped_and_names_and_values_are_kept() -> None:
    assert strip_prose(
        {
            "title": "Widgets",
            "x-code-samples": ["curl"],
            "properties": {
                "description": {"type": "string", "description": "What it is.", "maxLength": 80},
                "title": {"enum": ["description", "x-y"], "examples": ["An example"], "default": "x-y"},
            },
            "required": ["title"],
            "anyOf": [{"$comment": "why", "minimum": 1}],
        }
    ) == {
        "properties": {
            "description": {"type": "string", "maxLength": 80},
            "title": {"enum": ["description", "x-y"], "default": "x-y"},
        },
        "required": ["title"],
        "anyOf": [{"minimum": 1}],
    }


def test_stored_document_has_a_line_for_each_part() -> None:
    document = {"$defs": {"A": {"type": "object", "properties": {"b": {}}}, "C": {}}}
    text = format_document(document)
    assert json.loads(text) == document
    assert text.splitlines() == ["{", '"$defs":{', '"A":{"type":"object","properties":{"b":{}}},', '"C":{}', "}", "}"]


STORED = sorted((Path(__file__).parent / "data").rglob("*.json"))


@pytest.mark.parametrize("path", STORED, ids=[path.name for path in STORED])
def test_stored_documents_have_no_prose(path: Path) -> None:
    texts: list[str] = []

    def collect(part: Any) -> None:
        for member in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            collect(member)
        if isinstance(part, str):
            texts.append(part)

    document = read_document(path)
    collect(document)
    if path.name != "compat.json":
        assert strip_prose(document) == document
    assert [text for text in texts if len(text.split()) > 5] == []


def test_fields_of_a_body_with_several_forms() -> None:
    forms = [
        {"properties": {"type": {"type": "string", "enum": ["all"]}}, "required": ["type"]},
        {
            "properties": {"type": {"type": "string", "enum": ["one"]}, "code": {"type": "string"}},
            "required": ["type", "code"],
        },
    ]
    document = copy.deepcopy(DOCUMENT)
    document["components"]["schemas"]["Thing"] = {"oneOf": forms}
    fields = make_digest(document)[1]["body"]["fields"]
    assert fields == {
        "type": {"required": True, "type": "string", "enum": ["all", "one"]},
        "code": {"type": "string"},
    }


@pytest.mark.parametrize("tags", [None, []])
def test_an_operation_without_tags_is_in_the_differences(tags: list[str] | None) -> None:
    document = copy.deepcopy(DOCUMENT)
    operation = {"operationId": "newThing", "responses": {"200": {"description": "done"}}}
    document["paths"]["/new"] = {"get": operation if tags is None else {**operation, "tags": tags}}
    differences = list(find_differences(make_digest(DOCUMENT), make_digest(document)))
    assert any("GET /new: new (newThing" in line for line in differences)
