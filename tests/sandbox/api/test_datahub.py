"""DataHub: datasets, events, uploads."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.api import dataset_events, multipart, uploads
from doit_mcp.sandbox.api.responses import ApiError
from tests import api_document

from ..conftest import Clock
from .conftest import ADMIN, GLOBEX, Party

DATASETS, EVENTS, UPLOAD = "/datahub/v1/datasets", "/datahub/v1/events", "/datahub/v1/csv/upload"
CSV = (
    b"usage_date,id,fixed.service_id,label.team,metric.cost\r\n"
    b'2026-11-01T00:00:00Z,one,x,"a, b",1.5\r\n2026-11-02T00:00:00+02:00,two,x,c,2\r\n\r\n'
)


def event(**more: object) -> dict[str, Any]:
    """An event."""
    dimensions = [{"key": "team", "type": "label", "value": "a"}]
    metrics = [{"type": "cost", "value": 1.5}]
    return {"provider": "Mine", "time": "2026-11-01T00:00:00Z", "dimensions": dimensions, "metrics": metrics, **more}


async def upload(party: Party, data: bytes, provider: str = "Mine", **options: str) -> tuple[int, Any]:
    """Status and JSON of the response to an upload."""
    form = aiohttp.FormData()
    form.add_field("provider", provider)
    for name, value in options.items():
        form.add_field(name, value)
    form.add_field("file", data, filename="data.csv", content_type="application/octet-stream")
    headers = {"Authorization": f"Bearer {ADMIN.api_token}"}
    async with party.http.post(party.url + UPLOAD, data=form, headers=headers) as response:
        body = await response.read()
        assert not api_document.problems("POST", UPLOAD, response.status, response.content_type, body)
        return response.status, await response.json()


def make_zip(*names: str) -> bytes:
    """A ZIP archive that contains the file under these names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), CSV, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


async def test_dataset_lifecycle(party: Party, clock: Clock) -> None:
    before = await party.get(DATASETS)
    dataset = await party.send("POST", DATASETS, {"name": "My data", "description": "x"})
    assert (dataset.status, dataset.json["records"], dataset.json["updatedBy"]) == (201, 0, ADMIN.email)
    assert await party.get(f"{DATASETS}/My data") == dataset.json
    clock.advance(1)
    changed = (await party.send("PATCH", f"{DATASETS}/My data", {"name": "My data", "description": "y"})).json
    assert changed == {**dataset.json, "description": "y", "lastUpdated": "2026-11-24T12:00:01Z"}
    assert "name" in await party.expect_error(400, "PATCH", f"{DATASETS}/My data", {"name": "Else"})
    assert "already" in await party.expect_error(400, "POST", DATASETS, {"name": "My data"})
    for name in ("", " x", "a  b", "a/b"):
        assert "name" in await party.expect_error(400, "POST", DATASETS, {"name": name})
    assert (await party.send("DELETE", f"{DATASETS}/My data")).status == 200
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        assert "not found" in await party.expect_error(404, method, f"{DATASETS}/My data", body)
    assert await party.get(DATASETS) == before


async def test_events_create_datasets_and_are_deleted(party: Party) -> None:
    events = [event(id=name, time=f"2026-11-0{day}T00:00:00Z") for day, name in enumerate("abcd", start=1)]
    answer = await party.send("POST", EVENTS, {"events": [*events, event(provider="Other"), event(id="a")]})
    assert answer.status == 201
    assert (await party.get(f"{DATASETS}/Mine"))["records"] == 4
    assert (await party.get(f"{DATASETS}/Other"))["records"] == 1
    times = {"startTime": "2026-11-02T00:00:00Z", "endTime": "2026-11-03T00:00:00Z"}
    answer = await party.send("POST", f"{EVENTS}/delete", {"dataset": "Mine", **times})
    assert "2" in answer.json["message"]
    await party.send("POST", f"{EVENTS}/delete", {"dataset": "Mine", "eventIds": ["a", "a", "never"]})
    assert (await party.get(f"{DATASETS}/Mine"))["records"] == 1
    for body in (
        {"dataset": "Mine"},
        {"dataset": "Mine", "eventIds": ["a"], **times},
        {"dataset": "Mine", "startTime": times["startTime"]},
    ):
        assert "eventIds" in await party.expect_error(400, "POST", f"{EVENTS}/delete", body)
    for body, field in (
        ({"dataset": "None", **times}, "dataset"),
        ({"dataset": "Mine", "startTime": "x", "endTime": "y"}, "startTime"),
    ):
        assert field in await party.expect_error(400, "POST", f"{EVENTS}/delete", body)
    assert "None" in await party.expect_error(400, "DELETE", DATASETS, {"datasets": ["Mine", "None"]})
    assert (await party.send("DELETE", DATASETS, {"datasets": ["Mine", "Other"]})).status == 200
    assert {"Mine", "Other"}.isdisjoint(item["name"] for item in (await party.get(DATASETS))["datasets"])
    assert (await party.get(DATASETS, GLOBEX))["datasets"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"events": []}, "events"),
        ({}, "events"),
        ({"events": [event(time="x")]}, "events.0.time"),
        ({"events": [event(provider="a/b")]}, "events.0.provider"),
        ({"events": [{"provider": "x"}]}, "time"),
        ({"events": [event(dimensions=[{"key": "a", "type": "x", "value": "b"}])]}, "events.0.dimensions"),
    ],
)
async def test_event_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    assert field in await party.expect_error(400, "POST", EVENTS, body)


@pytest.mark.parametrize("data", [CSV, b"\xef\xbb\xbf" + CSV, gzip.compress(CSV, mtime=0), make_zip("data.csv")])
async def test_files_are_parsed(party: Party, data: bytes) -> None:
    status, answer = await upload(party, data)
    assert (status, answer["ingestedRows"], bool(answer["batch"])) == (201, 2, True)
    await upload(party, data)
    assert (await party.get(f"{DATASETS}/Mine"))["records"] == 2, "a repeated event is not a new one"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "usage_date"),
        (b"usage_date,metric.cost\r\n", "dimension"),
        (b"usage_date,label.a\r\n", "metric"),
        (CSV.replace(b"id,", b"colour,"), "colour"),
        (CSV + b"1,2\r\n", "line 5"),
        (CSV.replace(b"1.5", b"x"), "line 2"),
        (CSV.replace(b"2026-11-02T00:00:00+02:00", b"2026-11-02"), "line 3"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"\x1f\x8bnonsense", "GZ"),
        (gzip.compress(CSV, mtime=0)[:-9], "GZ"),
        (b"PKnonsense", "ZIP"),
        (make_zip("a", "b"), "single"),
        (CSV.replace(b'"a, b"', b'"a'), "file"),
    ],
)
async def test_file_errors_are_reported(party: Party, data: bytes, message: str) -> None:
    before = await party.get(DATASETS)
    status, answer = await upload(party, data)
    assert status == 400 and message in answer["error"]
    assert await party.get(DATASETS) == before


async def test_names_and_logos_are_kept_until_they_are_cleared(party: Party) -> None:
    made = (await party.send("POST", DATASETS, {"name": "AI", "displayName": "AI tools", "logoName": "slack"})).json
    assert (made["displayName"], made["logoName"]) == ("AI tools", "slack")
    kept = (await party.send("PATCH", f"{DATASETS}/AI", {"description": "x"})).json
    assert (kept["displayName"], kept["description"]) == ("AI tools", "x")
    cleared = (await party.send("PATCH", f"{DATASETS}/AI", {"displayName": "", "logoName": "", "description": ""})).json
    assert "displayName" not in cleared and "logoName" not in cleared and cleared["description"] == ""
    for body in ({"displayName": None}, {"displayName": "x" * 65}, {"logoName": "acme"}):
        await party.expect_error(400, "PATCH", f"{DATASETS}/AI", body)


async def test_large_deletion_continues_after_its_response(party: Party, clock: Clock) -> None:
    answer = await party.send("DELETE", f"{DATASETS}/Orders")
    assert answer.status == 202 and "continues" in answer.json["message"]
    assert (await party.get(f"{DATASETS}/Orders"))["records"] == 0
    clock.advance(61)
    await party.expect_error(404, "GET", f"{DATASETS}/Orders")
    assert (await party.send("DELETE", DATASETS, {"datasets": ["Datadog"]})).status == 200


MONTH = {"startTime": "2026-10-01T00:00:00Z", "endTime": "2026-11-01T00:00:00Z"}


async def test_export_pages_follow_the_header(party: Party) -> None:
    path, rows, token = f"{DATASETS}/Orders/records", [], ""
    while True:
        more = {"pageToken": token} if token else {}
        answer = await party.send("GET", path, maxResults=25, format="jsonl", **MONTH, **more)
        assert answer.status == 200 and "records.jsonl" in answer.headers["Content-Disposition"]
        page = [json.loads(line) for line in answer.body.splitlines()]
        assert int(answer.headers["X-Row-Count"]) == len(page)
        rows += page
        if not (token := answer.headers.get("X-Next-Page-Token", "")):
            break
    assert len(rows) == 2 * 31 == len({row["event_id"] for row in rows})
    assert [row["usage_date"] for row in rows] == sorted(row["usage_date"] for row in rows)
    exported = sum(row.get("metric.orders", 0) for row in rows)
    reported = await party.query(
        metrics=[{"type": "extended", "value": "orders"}],
        dataSource="billing-datahub",
        timeRange={"mode": "custom"},
        customTimeRange={"from": MONTH["startTime"], "to": "2026-10-31T23:59:59Z"},
        timeInterval="month",
    )
    at = [column["name"] for column in reported["schema"]].index("orders")
    assert exported == sum(row[at] for row in reported["rows"]) > 0
    text = (await party.send("GET", path, **MONTH)).body.decode()
    header, first, *_ = csv.reader(io.StringIO(text))
    assert header[:6] == list(dataset_events.FIRST_COLUMNS) and header[6:] == ["metric.customers", "metric.orders"]
    assert first[0] == rows[0]["event_id"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"startTime": MONTH["startTime"]}, "endTime"),
        ({"startTime": "x", "endTime": "y"}, "startTime"),
        ({"startTime": MONTH["endTime"], "endTime": MONTH["startTime"]}, "endTime"),
        ({"startTime": "2025-10-01T00:00:00Z", "endTime": "2026-10-03T00:00:00Z"}, "366"),
        ({**MONTH, "format": "xml"}, "format"),
        ({**MONTH, "maxResults": "50001"}, "maxResults"),
        ({**MONTH, "pageToken": "x"}, "pageToken"),
    ],
)
async def test_export_validation_errors_name_the_field(party: Party, query: dict[str, str], field: str) -> None:
    assert field in await party.expect_error(400, "GET", f"{DATASETS}/Orders/records", **query)
    await party.expect_error(404, "GET", f"{DATASETS}/None/records", **MONTH)


async def test_exported_events_can_be_sent_again(party: Party) -> None:
    await upload(party, CSV)
    answer = await party.send("GET", f"{DATASETS}/Mine/records", **{**MONTH, "endTime": "2026-11-03T00:00:00Z"})
    own = ("batch", "source", "export_time", "updated_by")
    rows = [
        {"id" if name == "event_id" else name: value for name, value in row.items() if name not in own}
        for row in csv.DictReader(io.StringIO(answer.body.decode()))
    ]
    assert rows[0]["label.team"] == "a, b" and rows[0]["metric.cost"] == "1.5"
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    assert (await upload(party, written.getvalue().encode()))[0] == 201
    assert (await party.get(f"{DATASETS}/Mine"))["records"] == 2


REPORT = b"Workspace,Cost (USD)\r\nDefault,12.50\r\nTeam,3\r\n"
OPTIONS = {
    "schemaTemplate": "anthropic-spend-report@1",
    "periodStart": "2026-10-01",
    "periodEnd": "2026-10-31",
}


async def test_reports_of_providers_replace_each_other(party: Party, clock: Clock) -> None:
    assert (await upload(party, REPORT, **OPTIONS))[0] == 404
    await party.send("POST", DATASETS, {"name": "Mine"})
    status, first = await upload(party, REPORT, **OPTIONS)
    assert (status, first["sourceRecords"], first["replacedBatches"]) == (201, 2, [])
    line = (await party.send("GET", f"{DATASETS}/Mine/records", format="jsonl", **MONTH)).body.splitlines()[0]
    assert json.loads(line)["usage_date"] == "2026-10-31T00:00:00Z"
    body = {**OPTIONS, "provider": "Mine", "records": [{"Workspace": "Default", "Cost (USD)": 1}]}
    assert "overlaps" in await party.expect_error(409, "POST", "/datahub/v1/import", body)
    young = await party.send("POST", "/datahub/v1/import", {**body, "replace": True})
    assert young.status == 409 and int(young.headers["Retry-After"]) == 5401
    clock.advance(5401)
    narrow = {**body, "replace": True, "periodStart": "2026-10-02"}
    assert "outside" in await party.expect_error(409, "POST", "/datahub/v1/import", narrow)
    second = (await party.send("POST", "/datahub/v1/import", {**body, "replace": True})).json
    assert second["replacedBatches"] == [first["batch"]]
    assert (await party.get(f"{DATASETS}/Mine"))["records"] == 1
    assert (await upload(party, CSV))[0] == 409
    codex = {**OPTIONS, "schemaTemplate": "codex-usage-report@1"}
    assert (await upload(party, REPORT, **codex))[0] == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"schemaTemplate": "codex-usage-report@1"}, "schemaTemplate"),
        ({"periodStart": "October"}, "periodStart"),
        ({"periodEnd": "2026-09-30"}, "periodEnd"),
        ({"records": []}, "records"),
    ],
)
async def test_import_validation_errors_name_the_field(party: Party, change: dict[str, Any], field: str) -> None:
    body = {**OPTIONS, "provider": "Datadog", "records": [{"Cost": 1}], **change}
    assert field in await party.expect_error(400, "POST", "/datahub/v1/import", body)


async def test_upload_is_a_form_with_provider_and_file(party: Party) -> None:
    status, answer = await upload(party, CSV, provider="a/b")
    assert status == 400 and "provider" in answer["error"]
    assert "Content-Type" in await party.expect_error(400, "POST", UPLOAD, {})
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    headers = {"Authorization": f"Bearer {ADMIN.api_token}", **kind}
    for data, message in (
        (b"nonsense", "boundary"),
        (b"--x\r\n\r\n\r\n--x--", "name"),
        (b'--x\r\nContent-Disposition: form-data; name="provider"\r\n\r\nMine\r\n--x--\r\n', "file"),
    ):
        async with party.http.post(party.url + UPLOAD, data=data, headers=headers) as response:
            assert response.status == 400 and message in (await response.json())["error"]


def test_archive_expansion_is_bounded() -> None:
    bomb = b"\0" * (uploads.MAX_UNPACKED_BYTES + 1)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", bomb)
    for data in (gzip.compress(bomb, 1), packed.getvalue(), b"x" * (uploads.MAX_FILE_BYTES + 1)):
        with pytest.raises(ApiError, match="large|MB"):
            uploads.parse_events(data)


@given(st.dictionaries(st.sampled_from("abc"), st.binary(max_size=60), min_size=1))
def test_form_parts_round_trip(parts: dict[str, bytes]) -> None:
    body = b"".join(
        b'--b0undary\r\nContent-Disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in parts.items()
    )
    parsed = multipart.parse_form('multipart/form-data; boundary="b0undary"', body + b"--b0undary--\r\n")
    assert parsed == {name: multipart.FormField("f", data) for name, data in parts.items()}


@given(st.binary(max_size=80), st.text(max_size=40))
def test_other_bodies_are_rejected(body: bytes, kind: str) -> None:
    for content_type in (kind, "multipart/form-data; boundary=x"):
        try:
            multipart.parse_form(content_type, body)
        except ApiError as refusal:
            assert refusal.status == 400
