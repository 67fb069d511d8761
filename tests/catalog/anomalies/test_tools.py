"""Anomalies with their owners, names and state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.anomalies.owners import Ownership, list_allocation_ids
from doit_mcp.catalog.anomalies.tools import is_open
from doit_mcp.catalog.tools.series import ResultWithSeries
from tests.api.recorder import Recorder, pages_of

from ..billing import Line, make_api
from ..caller import TOOLS, Caller, call, run
from ..conftest import Ask

START = 1_789_776_000_000
# 2026-09-19.
DATA = {"project_id": "p-1", "project_name": "Analytics", "team": "data"}
WEB = {"project_id": "p-2", "project_name": "Shop", "team": "web"}
OTHER = {"project_id": "p-2", "project_name": "Shop"}
PAYER = {"project_id": "9001", "project_name": "acme-payer"}
LINES: list[Line] = [
    ("2026-09-01", DATA, 90.0, 1.0),
    ("2026-09-01", {**DATA, "team": "web"}, 10.0, 1.0),
    ("2026-09-01", WEB, 40.0, 1.0),
    ("2026-09-01", OTHER, 60.0, 1.0),
    ("2026-09-01", PAYER, 1.0, 1.0),
]
DIMENSIONS = [
    {"id": "team", "type": "fixed"},
    {"id": "env", "type": "label"},
    {"id": "Team", "type": "tag"},
    {"id": "team", "type": "label"},
]
ALLOCATIONS = [{"id": "x", "name": "Shop costs", "owner": "ann@acme.example"}]


def anomaly(identifier: str, scope: str, status: str | None = "active", **members: Any) -> dict[str, Any]:
    return {
        **{"id": identifier, "scope": scope, "status": status, "startTime": START, "endTime": None},
        **{"billingAccount": "9001", "platform": "google-cloud", "serviceName": "BigQuery", "costOfAnomaly": 12.5},
        **members,
    }


def recorder(*anomalies: dict[str, Any], **others: Any) -> Recorder:
    def one(request: Request) -> Any:
        identifier = request.path.rpartition("/")[2]
        if identifier == "v1":
            return {**pages_of("anomalies", list(anomalies))(request), "totalCount": len(anomalies)}
        # The API leaves out the id.
        return {name: value for name, value in anomalies[0].items() if name != "id"}

    answers = {
        "/anomalies/": one,
        "/dimensions": {"dimensions": DIMENSIONS},
        "/allocations": {"allocations": ALLOCATIONS},
        **others,
    }
    return Recorder(make_api(answers, LINES))


@pytest.fixture(autouse=True)
def yearly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small bill answer queries by year."""
    from .. import billing

    original = billing.result

    def by_year(config: dict[str, Any], lines: list[Line], forecast: dict[str, float]) -> dict[str, Any]:
        interval = "month" if config["timeInterval"] == "year" else config["timeInterval"]
        return original({**config, "timeInterval": interval}, lines, forecast)

    monkeypatch.setattr(billing, "result", by_year)


async def test_each_anomaly_has_an_owner_names_and_a_state() -> None:
    api = recorder(anomaly("a", "Analytics"), anomaly("b", "p-2", "inactive", endTime=START + 1, attribution="x"))
    found = (await call("get_anomalies", api))["structuredContent"]
    first, second = found["anomalies"]
    assert first["open"] is True and first["project"] == {"id": "p-1", "name": "Analytics"}
    assert first["owner"] == {"name": "data", "basis": "label team of the costs of Analytics", "sharePercent": 90.0}
    assert first["account"] == {"id": "9001", "name": "acme-payer"} and first["startTime"] == "2026-09-19T00:00:00.000Z"
    assert second["open"] is False and second["project"] == {"id": "p-2", "name": "Shop"}
    # Most of its costs have no label.
    assert second["owner"] == {"name": "ann@acme.example", "basis": "owner of the allocation Shop costs"}
    assert found["openCount"] == 1 and found["currency"] == "USD" and "failed" not in found


async def test_a_failed_query_for_the_picture_alone_leaves_the_anomaly_whole() -> None:
    item = anomaly("a", "Analytics") | {"top3SKUs": [{"name": "Analysis", "cost": 4.0}]}

    def answer(request: Request) -> Any:
        if (request.body or {}).get("config", {}).get("timeInterval") == "day":
            return ApiError("", kind="rate", status=429)
        return recorder(item).answers[0](request)

    result = await TOOLS["get_anomaly"].run(Caller(Recorder(answer)), {"id": "a"})
    assert isinstance(result, ResultWithSeries)
    assert result.structured["owner"]["name"] == "data" and "failed" not in result.structured
    assert result.series["missing"] == [{"part": "daily costs of the top SKUs", "why": "too many requests (HTTP 429)"}]
    assert [series["name"] for series in result.series["series"]] == ["anomaly", "top SKUs"]


async def test_one_anomaly_links_to_its_page_in_the_console() -> None:
    found = await run("get_anomaly", recorder(anomaly("a b", "Analytics")), id="a b")
    assert found["url"].startswith("https://console.example/") and found["url"].endswith("anomalies/a%20b")


async def test_one_anomaly_says_the_same() -> None:
    item = anomaly("a", "Analytics")
    listed = (await run("get_anomalies", recorder(item)))["anomalies"][0]
    found = await run("get_anomaly", recorder(item), id="a")
    assert {name: found[name] for name in listed} == listed and found["currency"] == "USD"


async def test_labels_of_the_resources_come_first() -> None:
    resources = [
        {"resourceId": "r", "labels": [{"key": "Team", "value": "search", "cost": 7.0}, {"key": "env", "value": "x"}]},
        {"resourceId": "s", "labels": [{"key": "team", "value": "web", "cost": 2.0}]},
        {"resourceId": "t"},
    ]
    found = await run("get_anomaly", recorder(anomaly("a", "Analytics", resourceData=resources)), id="a")
    assert found["owner"] == {"name": "search", "basis": "label team of its resources", "sharePercent": 77.8}


def reorder(columns: list[str]) -> Any:
    """Return an API whose query responses have these columns, in this order, with the same rows."""
    good = recorder(anomaly("a", "Analytics"))

    def answer(request: Request) -> Any:
        body = good.answers[0](request)
        if "query" not in request.path:
            return body
        names = [column["name"] for column in body["result"]["schema"]]
        places = [names.index(name) for name in columns if name in names]
        rows = [[row[place] for place in places] for row in body["result"]["rows"]]
        return {"result": {"schema": [{"name": names[place]} for place in places], "rows": rows}}

    return answer


async def test_the_label_is_found_by_its_name() -> None:
    columns = ["project_name", "year", "month", "team", "cost", "project_id"]
    found = await run("get_anomaly", Recorder(reorder(columns)), id="a")
    assert found["owner"] == {"name": "data", "basis": "label team of the costs of Analytics", "sharePercent": 90.0}


async def test_costs_without_the_label_name_no_owner() -> None:
    found = await run("get_anomaly", Recorder(reorder(["project_name", "project_id", "year", "cost"])), id="a")
    assert found["owner"] is None
    assert found["failed"] == [{"part": "owners of projects", "why": "the result has no column team"}]


async def test_an_unknown_owner_is_null() -> None:
    found = await run("get_anomaly", recorder(anomaly("a", "elsewhere", attribution="gone")), id="a")
    assert found["owner"] is None and found["project"] == {"id": "elsewhere", "name": None}


async def test_without_an_owner_label_no_costs_are_read() -> None:
    api = recorder(anomaly("a", "Analytics"), **{"/dimensions": {"dimensions": DIMENSIONS[:2]}})
    assert (await run("get_anomaly", api, id="a"))["owner"] is None
    assert sum("query" in request.path for request in api.requests) == 1


@pytest.mark.parametrize("failing", ["query", "dimensions", "allocations"])
async def test_parts_that_fail_are_named(failing: str) -> None:
    good = recorder(anomaly("a", "Analytics", attribution="x"))

    def answer(request: Request) -> Any:
        return ApiError("", kind="timeout") if failing in request.path else good.answers[0](request)

    found = await run("get_anomalies", Recorder(answer))
    assert len(found["anomalies"]) == 1 and found["failed"][0]["why"] == "the request timed out"
    # The other sources still tell who owns it.
    assert found["anomalies"][0]["owner"] is not None


async def test_an_ended_sign_in_is_reported() -> None:
    def answer(request: Request) -> Any:
        if "allocations" in request.path:
            return ApiError("", kind="credential", status=401)
        return recorder(anomaly("a", "Analytics", attribution="x")).answers[0](request)

    with pytest.raises(ApiError):
        await run("get_anomalies", Recorder(answer))


async def test_no_anomalies_need_no_owners() -> None:
    api = recorder()
    found = await run("get_anomalies", api)
    assert found["anomalies"] == [] and found["openCount"] == 0 and len(api.requests) == 1


async def test_only_open_ones_are_found_on_later_pages() -> None:
    pages = pages_of("anomalies", [anomaly("a", "s", "inactive")], [anomaly("b", "s"), anomaly("c", "s", None)])
    api = recorder(**{"/anomalies/": pages})
    found = await run("get_anomalies", api, onlyOpen=True)
    assert [row["id"] for row in found["anomalies"]] == ["b", "c"] and found["openCount"] == 2


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({}, {"maxResults": "20"}),
        ({"sortBy": "COSTOFANOMALY", "sortOrder": "desc"}, {"sortBy": "costOfAnomaly", "sortOrder": "desc"}),
        ({"maxResults": "5", "pageToken": "3"}, {"maxResults": "5", "pageToken": "3"}),
        (
            {"minCreationTime": "2026-09-19", "maxCreationTime": START, "includeNotifications": True},
            {"minCreationTime": str(START), "maxCreationTime": str(START), "includeNotifications": "true"},
        ),
        ({"filter": "platform:aws"}, {"filter": "platform:amazon-web-services"}),
    ],
)
async def test_arguments_reach_the_api(arguments: dict[str, Any], query: dict[str, str]) -> None:
    api = Recorder({"anomalies": []})
    await run("get_anomalies", api, **arguments)
    assert api.requests[0].query == {"maxResults": "20", **query}


@pytest.mark.parametrize(
    ("status", "end", "expected"),
    [("active", "", True), ("active", "2026", True), ("inactive", "", False), ("", "", True), ("", "2026", False)],
)
def test_open(status: str, end: str, expected: bool) -> None:
    assert is_open({"status": status, "endTime": end}) is expected


def test_half_of_the_costs_name_an_owner() -> None:
    def owner(**costs: float) -> Any:
        exact = {name.replace("none", ""): Decimal(repr(cost)) for name, cost in costs.items()}
        return Ownership({"p": "P"}, {"id": "team"}, {"p": exact}).owner_of({"scope": "p"})

    assert owner(a=50.0, b=30.0, c=20.0)["sharePercent"] == 50.0
    assert owner(a=49.0, b=31.0, c=20.0) is None
    assert owner(a=40.0, none=60.0) is None and owner(a=0.0) is None and owner() is None


def test_allocations_of_both_forms() -> None:
    assert list_allocation_ids({"allocations": [{"id": "b"}, {"id": "c"}], "attribution": "a"}) == ["b", "c"]
    assert list_allocation_ids({"attribution": "a", "allocations": []}) == ["a"] and list_allocation_ids({}) == []


async def test_the_sandbox_agrees(ask: Ask) -> None:
    found = await ask("get_anomalies")
    query = {
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeRange": {"mode": "last", "amount": 30, "unit": "day", "includeCurrent": True},
        "timeInterval": "day",
        "group": [{"id": "project_name", "type": "fixed"}, {"id": "team", "type": "label"}],
    }
    costs: dict[str, dict[str | None, Decimal]] = {}
    for name, team, _, cost in (await ask("run_query", config=query))["rows"]:
        of_project = costs.setdefault(name, {})
        of_project[team] = of_project.get(team, Decimal(0)) + Decimal(repr(cost))
    assert found["openCount"] >= 1 and found["currency"] == "USD"
    for row in found["anomalies"]:
        of_project = costs[row["project"]["name"]]
        team = max(of_project, key=lambda key: of_project[key])
        assert row["owner"]["name"] == team
        assert row["owner"]["sharePercent"] == pytest.approx(
            float(100 * of_project[team] / sum(of_project.values())), abs=0.06
        )
        assert row["open"] is (row["status"] == "active") and row["project"]["id"] != row["project"]["name"]
    shown = (await ask("get_anomalies", onlyOpen=True))["anomalies"]
    assert [row["id"] for row in shown] == [row["id"] for row in found["anomalies"] if row["open"]]
