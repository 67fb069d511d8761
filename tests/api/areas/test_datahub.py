"""DataHub: requests of every tool; files; ambiguous selections."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.api.uploads import MAX_ENCODED_CHARACTERS, MAX_FILE_BYTES, decode_file
from tests.api.recorder import Recorder

from .calling import capture_request

EVENT = {
    "provider": "my costs",
    "time": "2026-01-01T00:00:00Z",
    "id": "1",
    "dimensions": [{"key": "ok", "type": "label", "value": True}],
    "metrics": [{"value": 1.5, "type": "cost"}],
}
SETS = "/datahub/v1/datasets"
COLUMNS = ["event_id", "label.team", "metric.cost"]
CSV_ROWS: list[dict[str, Any]] = [
    {"event_id": "1", "label.team": "a, b", "metric.cost": "1.5"},
    {"event_id": "2"},
]


@pytest.mark.parametrize(
    ("name", "arguments", "request_"),
    [
        (
            "upload_datahub_csv",
            {"provider": "p", "file": b64encode(b"a,b\n").decode()},
            Request("POST", "/datahub/v1/csv/upload", {}, {"provider": "p", "file": b"a,b\n"}),
        ),
        (
            "upload_datahub_csv",
            {"provider": None, "csv": "ü\n", "file": None},
            Request("POST", "/datahub/v1/csv/upload", {}, {"file": "ü\n".encode()}),
        ),
        ("send_datahub_events", {"events": [EVENT]}, Request("POST", "/datahub/v1/events", {}, {"events": [EVENT]})),
        (
            "delete_datahub_events_by_filter",
            {"dataset": "d", "eventIds": ["1"]},
            Request("POST", "/datahub/v1/events/delete", {}, {"dataset": "d", "eventIds": ["1"]}),
        ),
        (
            "delete_datahub_events_by_filter",
            {"dataset": "d", "startTime": "s", "endTime": "e"},
            Request("POST", "/datahub/v1/events/delete", {}, {"dataset": "d", "startTime": "s", "endTime": "e"}),
        ),
        (
            "upload_datahub_csv",
            {"provider": "p", "csv": "a", "schemaTemplate": "codex-usage-report@1", "replace": True},
            Request(
                "POST",
                "/datahub/v1/csv/upload",
                {},
                {"provider": "p", "file": b"a", "schemaTemplate": "codex-usage-report@1", "replace": True},
            ),
        ),
        ("list_datahub_datasets", {}, Request("GET", SETS, {}, None)),
        ("create_datahub_dataset", {"name": "a b"}, Request("POST", SETS, {}, {"name": "a b"})),
        ("delete_datahub_datasets", {"datasets": ["a", "b"]}, Request("DELETE", SETS, {}, {"datasets": ["a", "b"]})),
        ("get_datahub_dataset", {"name": "a b/../c"}, Request("GET", f"{SETS}/a%20b%2F..%2Fc", {}, None)),
        (
            "update_datahub_dataset",
            {"name": "a b", "description": ""},
            Request("PATCH", f"{SETS}/a%20b", {}, {"description": ""}),
        ),
        ("delete_datahub_dataset", {"name": "a"}, Request("DELETE", f"{SETS}/a", {}, None)),
    ],
)
async def test_requests(name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request("datahub", name, arguments) == request_


@pytest.mark.parametrize("name", ["get_datahub_dataset", "update_datahub_dataset", "delete_datahub_dataset"])
@pytest.mark.parametrize("dataset", ["", ".", ".."])
async def test_rejects_name_that_matches_all_datasets(name: str, dataset: str) -> None:
    with pytest.raises(ApiError) as caught:
        await capture_request("datahub", name, {"name": dataset})
    assert caught.value.kind == "argument"


@pytest.mark.parametrize(
    "selection", [{}, {"eventIds": ["1"], "startTime": "s"}, {"eventIds": ["1"], "startTime": "s", "endTime": "e"}]
)
async def test_deletion_requires_an_unambiguous_target(selection: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="is required"):
        await capture_request("datahub", "delete_datahub_events_by_filter", {"dataset": "d", **selection})


@pytest.mark.parametrize("arguments", [{}, {"file": "YQ==", "csv": "a"}, {"file": "", "csv": ""}])
async def test_upload_takes_exactly_one_file(arguments: dict[str, Any]) -> None:
    with pytest.raises(ApiError, match="file and csv"):
        await capture_request("datahub", "upload_datahub_csv", arguments)


def test_accepts_common_base64_variants() -> None:
    content = bytes(range(256))
    plain = b64encode(content).decode()
    forms = (plain, urlsafe_b64encode(content).decode(), plain.rstrip("="), "\r\n".join([plain[:76], plain[76:]]))
    assert {decode_file("file", form) for form in forms} == {content}


@pytest.mark.parametrize("text", ["a", "a,b\n1,2", "data:text/csv;base64,YQ==", "YQ\0=", "ü" * 4])
def test_rejects_invalid_base64(text: str) -> None:
    with pytest.raises(ApiError, match="file: must be base64 text") as caught:
        decode_file("file", text)
    assert caught.value.kind == "argument"


def test_encoded_size_limit_matches_the_file_limit() -> None:
    assert len(b64encode(bytes(MAX_FILE_BYTES))) == MAX_ENCODED_CHARACTERS


EXPORT = {"name": "a b", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("arguments", "text", "rows", "columns"),
    [
        ({}, 'event_id,label.team,metric.cost\r\n1,"a, b",1.5\r\n2,,\r\n', CSV_ROWS, COLUMNS),
        (
            {"format": "jsonl"},
            '{"event_id":"1","label.team":"a, b","metric.cost":1.5}\n{"event_id":"2","label.team":""}\n\n',
            [{**CSV_ROWS[0], "metric.cost": 1.5}, CSV_ROWS[1]],
            COLUMNS,
        ),
        ({}, "", [], []),
    ],
)
async def test_exported_rows_are_objects(
    arguments: dict[str, Any], text: str, rows: list[dict[str, Any]], columns: list[str]
) -> None:
    api = Recorder({"text": text, "pageToken": "next", "rowCount": "2"})
    found = await Doit.for_sender(api).datahub.export_datahub_dataset_records(**EXPORT, **arguments)
    if rows:
        columns = [name for name in columns if any(name in row for row in rows)]
    assert found == {"items": rows, "columns": columns, "pageToken": "next", "rowCount": 2}
    expected = {"startTime": EXPORT["startTime"], "endTime": EXPORT["endTime"], "maxResults": "200"}
    assert api.requests == [Request("GET", f"{SETS}/a%20b/records", {**expected, **arguments}, None)]


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        ({}, {"text": "a,b\r\n1\r\n"}),
        ({}, {"text": 'a\r\n"1'}),
        ({}, {"text": "a\r\n", "rowCount": "many"}),
        ({}, {"text": "a\r\n", "rowCount": "1" * 30}),
        ({}, {"text": "a\r\n", "rowCount": "-1"}),
        ({"format": "jsonl"}, {"text": "[1]"}),
        ({"format": "jsonl"}, {"text": "{"}),
    ],
)
async def test_exports_of_another_form_are_refused(arguments: dict[str, Any], page: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="cannot be read as (CSV|NDJSON)"):
        await Doit.for_sender(Recorder(page)).datahub.export_datahub_dataset_records(**EXPORT, **arguments)
