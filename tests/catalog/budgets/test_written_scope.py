"""The scopes of budgets and alerts are checked before the user is asked and before anything is written."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.budgets.written_scope import alert_scope, budget_scope
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import run
from ..conftest import Ask

EC2 = {"cloud_provider": "amazon-web-services", "service_description": "Amazon Elastic Compute Cloud"}
S3 = {"cloud_provider": "amazon-web-services", "service_description": "Amazon Simple Storage Service"}
BQ = {"cloud_provider": "google-cloud", "service_description": "BigQuery"}
# Today is 2026-09-21.
LINES: list[Line] = [
    ("2026-08-03", EC2, 70.25, 1.0),
    ("2026-08-09", EC2, 30.5, 1.0),
    ("2026-09-02", EC2, 900.0, 1.0),
    ("2026-07-02", S3, 5.0, 1.0),
    ("2026-08-31", BQ, 11.11, 1.0),
]
BUDGET: dict[str, Any] = {
    **{"name": "b", "currency": "USD", "type": "recurring", "timeInterval": "month", "amount": 100},
    "startPeriod": "2026-09-01",
}
ALERT: dict[str, Any] = {
    "name": "a",
    "config": {"metric": {"type": "basic", "value": "cost"}, "timeInterval": "month", "value": 5, "currency": "USD"},
}
AUGUST = {"from": "2026-08-01", "to": "2026-08-31", "days": 31}


def service(*names: str, **members: Any) -> dict[str, Any]:
    return {"id": "service_description", "type": "fixed", "mode": "is", "values": list(names), **members}


def dimension(request: Request) -> Any:
    identifier = request.query["id"]
    if identifier not in EC2:
        return ApiError("no dimension", kind="missing", status=404)
    values = sorted({line[1][str(identifier)] for line in LINES})
    return {"id": identifier, "type": "fixed", "values": [{"value": value} for value in values]}


def budget(request: Request) -> Any:
    return {"id": "b1", "name": "b", "currency": "EUR", "scopes": [service(EC2["service_description"])]}


def recorder(**others: Any) -> Recorder:
    answers = {
        "/dimensions": {"dimensions": [{"id": "service_description", "type": "fixed"}]},
        "/dimension": dimension,
        "/budgets": budget,
        "/alerts": {"id": "a1", "createTime": 1_795_824_000_000, "lastAlerted": None},
        "/allocations": {"allocations": [{"id": "x1", "name": "Data team"}, {"id": "x2", "name": "Web"}]},
    }
    return Recorder(make_api({**others, **answers}, LINES))


def list_writes(api: Recorder) -> list[Request]:
    """The requests that change something."""
    pairs = zip(api.operations, api.requests, strict=True)
    return [request for operation, request in pairs if not operation.read_only]


async def test_a_budget_says_what_its_scope_cost_last_month() -> None:
    api = recorder()
    found = await run("create_budget", api, **BUDGET, scopes=[service(EC2["service_description"])])
    statement = found["scopeLastMonth"]
    assert statement["cost"] == 100.75 and statement["currency"] == "USD" and "note" not in statement
    assert AUGUST.items() <= statement["period"].items() and statement["period"]["complete"] is True
    (request,) = list_writes(api)
    assert (request.body or {})["startPeriod"] == 1_788_220_800_000
    assert api.requests[-1] is request


async def test_a_budget_for_everything_says_what_everything_cost() -> None:
    assert (await run("create_budget", recorder(), **BUDGET))["scopeLastMonth"]["cost"] == 111.86


async def test_a_scope_that_cost_nothing_last_month_says_so() -> None:
    found = await run("create_budget", recorder(), **BUDGET, scopes=[service(S3["service_description"])])
    assert found["scopeLastMonth"]["cost"] == 0.0 and found["scopeLastMonth"]["note"] == "nothing matched in that month"


@pytest.mark.parametrize(
    ("scopes", "message"),
    [
        ([service("Amazon EC2")], 'scopes: the data has no service "Amazon EC2".*"Amazon Elastic Compute Cloud"'),
        ([service("EC2")], 'no service "EC2".*"Amazon Elastic Compute Cloud"'),
        ([service("BigQuery", "bigqery")], 'no service "bigqery".*"BigQuery"'),
        ([{"id": "cloud_provider", "type": "fixed", "values": ["oracle"]}], 'no cloud "oracle".*"google-cloud"'),
        ([{"id": "service_descripton", "type": "fixed", "values": ["x"]}], "unknown dimension.*service_description"),
        # Each value exists, but not together.
        (
            [service("BigQuery"), {"id": "cloud_provider", "type": "fixed", "values": ["aws"]}],
            "scopes: no costs since 2025-09-01 match all of its parts",
        ),
        ([service("^Oracle", mode="regexp")], "scopes: no costs since 2025-09-01"),
    ],
)
@pytest.mark.parametrize("name", ["create_budget", "update_budget", "create_alert", "update_alert"])
async def test_a_scope_without_costs_is_refused_before_the_write(
    name: str, scopes: list[dict[str, Any]], message: str
) -> None:
    arguments: dict[str, Any] = {"scopes": scopes}
    if name.endswith("alert"):
        arguments = {**ALERT, "config": {**ALERT["config"], "scopes": scopes}}
    elif name == "create_budget":
        arguments |= BUDGET
    api = recorder()
    with pytest.raises(ApiError, match=message) as caught:
        await run(name, api, **arguments, **({"id": "b1"} if name.startswith("update") else {}))
    assert caught.value.kind == "argument" and list_writes(api) == []
    assert caught.value.reason.startswith("alert.scopes" if name.endswith("alert") else "scopes")


async def test_names_of_clouds_are_brought_into_the_form_of_the_data() -> None:
    api = recorder()
    clouds = [{"id": "cloud_provider", "type": "fixed", "values": ["AWS"]}]
    found = await run("create_budget", api, **BUDGET, scopes=clouds)
    assert found["scopeLastMonth"]["cost"] == 100.75
    assert (list_writes(api)[0].body or {})["scopes"][0]["values"] == ["amazon-web-services"]
    config = {**ALERT["config"], "scopes": clouds}
    await run("create_alert", api, **{**ALERT, "config": config})
    assert (list_writes(api)[1].body or {})["config"]["scopes"][0]["values"] == ["amazon-web-services"]


async def test_a_changed_amount_is_measured_by_the_scope_that_stays() -> None:
    api = recorder()
    found = await run("update_budget", api, id="b1", amount=5)
    assert found["scopeLastMonth"]["cost"] == 100.75 and found["scopeLastMonth"]["currency"] == "EUR"
    assert (list_writes(api)[0].body or {}) == {"amount": 5}


async def test_an_emptied_scope_is_everything() -> None:
    """Not the scope from before, which the write removes."""
    config = {**ALERT["config"], "scopes": [service(EC2["service_description"])]}
    answer = recorder().answers[0]
    api = Recorder(lambda request: {"id": "a1", "config": config} if "/alerts" in request.path else answer(request))
    found = await run("update_alert", api, id="a1", alert={"scopes": []})
    assert found["scopeLastMonth"]["cost"] == 111.86
    assert list_writes(api)[0].body == {"config": {"scopes": []}}


async def test_changed_scopes_are_measured_as_the_alert_measures() -> None:
    config = {**ALERT["config"], "currency": "EUR", "dataSource": "billing-datahub"}
    answer = recorder().answers[0]
    api = Recorder(lambda request: {"id": "a1", "config": config} if "/alerts" in request.path else answer(request))
    found = await run("update_alert", api, id="a1", alert={"scopes": [service(EC2["service_description"])]})
    assert "billing-datahub" in found["scopeLastMonth"]["note"]


async def test_other_changes_need_no_query() -> None:
    api = recorder()
    found = await run("update_budget", api, id="b1", name="new")
    # The former state is read, so that the result says how to restore it.
    assert "scopeLastMonth" not in found and [request.method for request in api.requests] == ["GET", "PATCH"]


async def test_a_cost_that_cannot_be_read_does_not_stop_the_write() -> None:
    def answer(request: Request) -> Any:
        return ApiError("", kind="timeout") if "query" in request.path else budget(request)

    found = await run("create_budget", Recorder(answer), **BUDGET)
    assert found["scopeLastMonth"] == {"cost": None, "note": "unknown: the request timed out"} and found["id"] == "b1"


async def test_values_that_cannot_be_checked_are_noted() -> None:
    def answer(request: Request) -> Any:
        if "/dimension" in request.path:
            return ApiError("", kind="timeout")
        return recorder().answers[0](request)

    scopes = [service(EC2["service_description"], BQ["service_description"])]
    found = await run("create_budget", Recorder(answer), **BUDGET, scopes=scopes)
    assert found["scopeLastMonth"]["cost"] == 111.86
    assert found["scopeLastMonth"]["note"] == "not every value of scopes could be checked"


async def test_an_ended_sign_in_stops_the_write() -> None:
    api = Recorder(ApiError("", kind="credential", status=401))
    with pytest.raises(ApiError):
        await run("create_budget", api, **BUDGET)
    assert list_writes(api) == []


async def test_allocations_of_the_older_form_are_checked() -> None:
    api = recorder()
    with pytest.raises(ApiError, match=r'scope: unknown allocation id "Data".*"x1" \("Data team"\)'):
        await run("create_budget", api, **BUDGET, scope=["x1", "Data"])
    assert list_writes(api) == []


async def test_seconds_are_refused_before_anything_is_read() -> None:
    api = recorder()
    with pytest.raises(ApiError, match="startPeriod: 1788220800 looks like seconds.*2026-09-01"):
        await run("create_budget", api, **{**BUDGET, "startPeriod": 1_788_220_800})
    assert api.requests == []


async def test_times_of_alerts_are_iso() -> None:
    found = await run("create_alert", recorder(), **ALERT)
    assert found["createTime"] == "2026-11-28T00:00:00.000Z" and found["lastAlerted"] is None
    assert found["scopeLastMonth"]["cost"] == 111.86


async def test_other_data_sources_are_not_checked() -> None:
    config = {**ALERT["config"], "dataSource": "billing-datahub", "scopes": [service("x")]}
    found = await run("create_alert", recorder(), **{**ALERT, "config": config})
    assert found["scopeLastMonth"]["cost"] is None and "billing-datahub" in found["scopeLastMonth"]["note"]


def test_the_metric_of_a_scope_is_an_amount() -> None:
    assert budget_scope({"metric": "amortized_cost"}).metric == {"type": "extended", "value": "amortized_cost"}
    usage = alert_scope({"config": {"metric": {"type": "basic", "value": "usage"}}})
    assert usage.metric == {"type": "basic", "value": "cost"} and usage.is_everything
    amortized = {"type": "extended", "value": "amortized_cost"}
    assert alert_scope({"config": {"metric": amortized}}).metric == amortized
    assert alert_scope({}).currency is None


async def test_the_sandbox_agrees(ask: Ask) -> None:
    scope = {"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["google-cloud"]}
    query = {
        "metrics": [{"type": "basic", "value": "cost"}],
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": "2026-08-01T00:00:00Z", "to": "2026-08-31T23:59:59Z"},
        "timeInterval": "month",
        "filters": [scope],
        "currency": "EUR",
    }
    ((_, total),) = (await ask("run_query", config=query))["rows"]
    created = await ask("create_budget", **{**BUDGET, "currency": "EUR"}, scopes=[scope])
    assert created["scopeLastMonth"]["cost"] == pytest.approx(total, abs=0.01)
    assert created["scopeLastMonth"]["currency"] == "EUR" and date.fromisoformat(created["startPeriod"])
    changed = await ask("update_budget", id=created["id"], amount=7, startPeriod="2026-08-01")
    assert changed["scopeLastMonth"] == created["scopeLastMonth"] and changed["startPeriod"] == "2026-08-01"
    for wrong in ("Amazon EC2", "bigquery"):
        with pytest.raises(ApiError, match='scopes: the data has no service.*Did you mean "(Amazon Elastic|BigQuery)'):
            await ask("update_budget", id=created["id"], scopes=[service(wrong)])
    await ask("delete_budget", id=created["id"])
    allocation = next(
        row for row in (await ask("list_allocations"))["allocations"] if row["allocationType"] == "single"
    )
    older = await ask("create_budget", **BUDGET, scope=[allocation["id"]])
    assert older["scopeLastMonth"]["cost"] > 0
    await ask("delete_budget", id=older["id"])
    config = {**ALERT["config"], "currency": "EUR", "scopes": [scope], "condition": "value", "operator": "gt"}
    alert = await ask("create_alert", **{**ALERT, "config": config})
    assert alert["scopeLastMonth"] == created["scopeLastMonth"] and alert["createTime"].endswith("Z")
    assert (await ask("get_alert", id=alert["id"]))["createTime"] == alert["createTime"]
    listed = (await ask("list_alerts"))["alerts"]
    assert all(row["createTime"].endswith("Z") for row in listed) and alert["id"] in {row["id"] for row in listed}
    await ask("delete_alert", id=alert["id"])
