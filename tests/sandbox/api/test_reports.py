"""Saved reports: create, list, run, update, delete."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import ADMIN, Party

PATH = "/analytics/v1/reports"
COST = {"type": "basic", "value": "cost"}
BY_CLOUD = {"group": [{"type": "fixed", "id": "cloud_provider"}], "timeInterval": "month"}


async def create(party: Party, **body: object) -> Any:
    """The response to the creation of a report."""
    answer = await party.send("POST", PATH, body)
    assert answer.status == 201, answer
    return answer.json


async def test_report_lifecycle(party: Party) -> None:
    before = await party.get(PATH)
    report = await create(party, name="Mine", description="A test", config=BY_CLOUD)
    assert (report["type"], report["folderId"], report["config"]) == ("custom", "root", BY_CLOUD)
    listed = (await party.get(PATH))["reports"]
    assert len(listed) == before["rowCount"] + 1
    assert (listed[0]["id"], listed[0]["reportName"], listed[0]["owner"]) == (report["id"], "Mine", ADMIN.email)
    results = await party.get(f"{PATH}/{report['id']}")
    assert results["result"] == await party.query(**BY_CLOUD)
    changes = {"name": "Ours", "config": {"timeInterval": "day", "filters": None}}
    changed = (await party.send("PATCH", f"{PATH}/{report['id']}", changes)).json
    assert changed == {**report, "name": "Ours", "config": {**BY_CLOUD, "timeInterval": "day"}}
    assert await party.get(f"{PATH}/{report['id']}/config") == changed
    response = await party.send("DELETE", f"{PATH}/{report['id']}")
    assert (response.status, response.json) == (200, {})
    for method, tail in (("GET", ""), ("GET", "/config"), ("DELETE", "")):
        assert "not found" in await party.expect_error(404, method, f"{PATH}/{report['id']}{tail}")
    # The document declares no 404 for this one.
    assert (await party.send("PATCH", f"{PATH}/{report['id']}", {}, declared=False)).status == 404
    assert await party.get(PATH) == before


async def test_every_seeded_report_runs(party: Party) -> None:
    for report in await party.walk(PATH, "reports", 2):
        details = await party.get(f"{PATH}/{report['id']}")
        assert {name: details[name] for name in report} == report
        names = [column["name"] for column in details["result"]["schema"]]
        assert details["result"]["rows"] and all(len(row) == len(names) for row in details["result"]["rows"])


async def test_overrides_the_time_range(party: Party) -> None:
    report = await create(party, name="Days", config={"timeInterval": "day"})
    path = f"{PATH}/{report['id']}"

    async def days(**query: object) -> list[str]:
        return ["-".join(row[:3]) for row in (await party.get(path, **query))["result"]["rows"]]

    assert await days(startDate="2026-10-30", endDate="2026-11-01") == ["2026-10-30", "2026-10-31", "2026-11-01"]
    assert await days(timeRange="P2D") == ["2026-11-23", "2026-11-24"]
    assert len(await days(timeRange="P1M")) == 31 and len(await days(timeRange="P1M7D")) == 38
    assert len(await days()) == 7
    for query in (
        {"timeRange": "P"},
        {"timeRange": "7D"},
        {"timeRange": "P7D", "startDate": "2026-01-01"},
        {"timeRange": "P9999Y"},
        {"startDate": "2026-01-01"},
        {"endDate": "2026-01-01"},
        {"startDate": "2026-01-02", "endDate": "2026-01-01"},
        {"startDate": "1.1.26", "endDate": "2.1.26"},
    ):
        assert await party.expect_error(400, "GET", path, **query)


async def test_null_clears_the_forecast(party: Party) -> None:
    report = await create(party, name="F", config={"timeInterval": "month", "forecastSettings": {}})
    path = f"{PATH}/{report['id']}"
    assert "forecastRows" in (await party.get(path))["result"]
    config = (await party.send("PATCH", path, {"config": {"timeInterval": "week"}})).json
    assert config["config"]["forecastSettings"] == {}
    cleared = (await party.send("PATCH", path, {"config": {"forecastSettings": None}})).json
    assert "forecastSettings" not in cleared["config"]
    assert "forecastRows" not in (await party.get(path))["result"]


async def test_responses_use_their_own_field_spelling(party: Party) -> None:
    times = {"from": "2026-10-01T00:00:00Z", "to": "2026-10-31T23:59:59Z"}
    config = {
        "timeRange": {"mode": "custom", "unit": "month", "amount": 1, "includeCurrent": False},
        "customTimeRange": times,
        "metricFilter": {"metric": COST, "operator": "gt", "values": [1]},
    }
    report = await create(party, name="S", config=config)
    assert report["config"]["timeRange"] == {"mode": "custom"}
    assert report["config"]["metricFilter"]["operand"] == "single_value"


async def test_presets_have_no_owner(party: Party) -> None:
    preset = (await party.get(PATH, filter="type:preset"))["reports"][0]
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert "preset" in await party.expect_error(403, method, f"{PATH}/{preset['id']}", body)


async def test_lists_are_filtered(party: Party) -> None:
    report = await create(party, name="Unheard of")

    async def list_ids(**query: object) -> list[str]:
        return [item["id"] for item in (await party.get(PATH, **query))["reports"]]

    assert await list_ids(filter="reportName:Unheard of") == await list_ids(nameContains="HEARD") == [report["id"]]
    assert report["id"] in await list_ids(filter=f"owner:{ADMIN.email}|type:custom|folderId:root")
    assert await list_ids(filter="type:managed") == []
    assert "filter" in await party.expect_error(400, "GET", PATH, filter="name:x")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "labels": ["some label"]}, "labels"),
        ({"name": "x", "folderId": "some folder"}, "folderId"),
        ({"name": "x", "config": {"timeInterval": "fortnight"}}, "config.timeInterval"),
        ({"name": "x", "config": {"timeInterval": "hour"}}, "timeInterval"),
        ({"name": "x", "config": {"group": [{"type": "fixed", "id": "nothing"}]}}, "group[0]"),
        ({"name": "x", "misspelt": 1}, "misspelt"),
    ],
)
async def test_validation_errors_name_the_field(party: Party, body: Any, field: str) -> None:
    before = (await party.get(PATH))["rowCount"]
    assert field in await party.expect_error(400, "POST", PATH, body)
    assert (await party.get(PATH))["rowCount"] == before
