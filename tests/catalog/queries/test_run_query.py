"""run_query: its statement, totals, rows and errors, against the sandbox and against its billing lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.queries.totals import needs_total_query, total_config
from doit_mcp.catalog.tools.tool import ToolError
from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller, call
from ..conftest import Ask

COST = {"type": "basic", "value": "cost"}
USAGE = {"type": "basic", "value": "usage"}
BASE: dict[str, Any] = {"dataSource": "billing", "metrics": [COST], "timeInterval": "month"}
AUGUST = {**BASE, "timeRange": "last month"}
"""The tests' clock is at 21 September 2026."""


def group(identifier: str, kind: str = "fixed", limit: int = 0) -> dict[str, Any]:
    own = {"id": identifier, "type": kind}
    return {**own, "limit": {"metric": COST, "sort": "desc", "value": limit}} if limit else own


def only(identifier: str, *values: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": identifier, "type": "fixed", "values": list(values), **more}]


def sum_billed(witness: Api, first: str, last: str, service: str | None = None) -> float:
    """Return the cost of the billing lines of some days, without credits, to the cent."""
    days = [date.fromisoformat(day).toordinal() for day in (first, last)]
    lines = witness.tenant(ACME).ledger.sums(("day_start", "service_description", "cost_type"), *days)
    micros = sum(int(row[3] or 0) for row in lines if service in (None, row[1]) and row[2] != "credit")
    return round(micros / 1_000_000, 2)


async def refusal(ask: Ask, **config: Any) -> str:
    with pytest.raises(ApiError) as caught:
        await ask("run_query", config={**AUGUST, **config})
    assert caught.value.kind == "argument"
    return caught.value.reason


async def test_an_answer_states_period_currency_basis_and_total(ask: Ask, witness: Api) -> None:
    answer = await ask("run_query", config={**AUGUST, "group": [group("service_description")]})
    assert answer["period"] == {
        **{"from": "2026-08-01", "to": "2026-08-31", "days": 31},
        **{"complete": True, "finalThrough": "2026-08-31"},
    }
    assert answer["currency"] == "USD"
    zones = {"amazon-web-services": "UTC", "google-cloud": "America/Los_Angeles", "microsoft-azure": "UTC"}
    assert answer["basis"] == {"metric": "cost", "credits": "excluded", "timeZones": zones}
    assert answer["total"] == {"cost": sum_billed(witness, "2026-08-01", "2026-08-31")}
    assert [column["name"] for column in answer["columns"]] == ["service_description", "period", "cost"]
    assert {row[1] for row in answer["rows"]} == {"2026-08"} and "limited" not in answer
    shown = {row[0]: row[2] for row in answer["rows"]}
    assert round(shown["BigQuery"], 2) == sum_billed(witness, "2026-08-01", "2026-08-31", "BigQuery") > 0


async def test_a_running_period_is_not_complete_and_its_rows_are_partial(ask: Ask, witness: Api) -> None:
    config = {**BASE, "timeRange": {"mode": "last", "amount": 2, "unit": "month", "includeCurrent": True}}
    answer = await ask("run_query", config=config)
    assert answer["period"]["to"] == "2026-09-21" and answer["period"]["complete"] is False
    assert answer["period"]["finalThrough"] == "2026-09-18"
    assert answer["partialPeriods"] == [
        {"period": "2026-09", "from": "2026-09-01", "to": "2026-09-21", "days": 21, "of": 30, "partial": True}
    ]
    assert [[row[0], round(row[1], 2)] for row in answer["rows"]] == [
        ["2026-08", sum_billed(witness, "2026-08-01", "2026-08-31")],
        ["2026-09", sum_billed(witness, "2026-09-01", "2026-09-21")],
    ]


async def test_an_end_at_midnight_is_exclusive(ask: Ask, witness: Api) -> None:
    span = {"from": "2026-08-01T00:00:00Z", "to": "2026-09-01T00:00:00Z"}
    answer = await ask("run_query", config={**BASE, "timeRange": {"mode": "custom"}, "customTimeRange": span})
    assert answer["period"]["to"] == "2026-08-31"
    assert answer["total"]["cost"] == sum_billed(witness, "2026-08-01", "2026-08-31")


async def test_a_group_limit_states_the_total_of_everything(ask: Ask, witness: Api) -> None:
    limited = {**AUGUST, "group": [group("service_description", limit=3)]}
    answer = await ask("run_query", config=limited)
    assert answer["rowCount"] == 3 and answer["limited"] is True
    assert answer["total"] == {"cost": sum_billed(witness, "2026-08-01", "2026-08-31")}
    assert sum(row[2] for row in answer["rows"]) < answer["total"]["cost"]
    whole = await ask("run_query", config={**limited, "limitAggregation": "top"})
    assert whole["total"] == answer["total"] and "limited" not in whole
    everything = await ask("run_query", config={**AUGUST, "group": [group("service_description", limit=500)]})
    assert everything["limited"] is False


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"filters": only("service_description", "Amazon EC2")}, '"Amazon Elastic Compute Cloud"'),
        ({"filters": only("service_description", "bigquery")}, '"BigQuery"'),
        (
            {"filters": only("service_description", "bigquery", caseInsensitive=True)},
            'with mode is. .*"mode": "contains"',
        ),
        ({"filters": only("region", "EU.*", mode="regexp", caseInsensitive=True)}, "ignores it with mode regexp"),
        ({"filters": only("service_description", "BigQuery", "Amazon EC2")}, '"Amazon Elastic Compute Cloud"'),
        ({"filters": only("service_description", "bigquery", inverse=True)}, '"BigQuery"'),
        ({"filters": only("project_id", "acme-production")}, '("acme-production")'),
        ({"filters": only("cloud_provider", "oracle")}, '"amazon-web-services"'),
        ({"group": [group("Team", "label")]}, 'query.group[0]: .*{"id": "team", "type": "label"}'),
        ({"filters": [{"id": "Team", "type": "label", "values": ["x"]}]}, '{"id": "team", "type": "label"}'),
        ({"dimensions": [group("service")]}, '{"id": "service_id", "type": "fixed"}'),
        ({"timeRange": "2027-01"}, "forecast_spend"),
        ({"timeRange": "soon"}, "last_month"),
        ({"metrics": [USAGE]}, "query.metrics: .*pricing_unit"),
        ({"metrics": [COST, USAGE], "group": [group("project_id")]}, "query.metrics: .*sku_description"),
        (
            {"metrics": [USAGE], "filters": only("sku_description", "a", "b")},
            "query.metrics: .*filter on one unit or SKU",
        ),
    ],
    ids=str,
)
async def test_errors_repair_themselves(ask: Ask, config: dict[str, Any], message: str) -> None:
    reason = await refusal(ask, **config)
    first, *rest = message.split(".*")
    assert first in reason and all(part in reason for part in rest), reason


async def test_zero_is_stated_only_for_values_that_exist(ask: Ask) -> None:
    filters = [*only("cloud_provider", "gcp"), *only("service_description", "Amazon Elastic Compute Cloud")]
    answer = await ask("run_query", config={**AUGUST, "filters": filters})
    assert answer["rows"] == [] and answer["total"] == {"cost": 0.0}
    assert answer["note"] == "Nothing matches cloud and filters together in this period."


async def test_costs_before_the_data_are_unknown(ask: Ask) -> None:
    answer = await ask("run_query", config={**AUGUST, "timeRange": "2019-01"})
    assert answer["note"].startswith("The data begins on 2025-") and "total" not in answer


async def test_allocations_are_not_mistaken_for_unknown_values(ask: Ask) -> None:
    rows = (await ask("list_allocations"))["allocations"]
    one, other, *_ = [row for row in rows if row["allocationType"] == "single"]

    def of(*values: str) -> list[dict[str, Any]]:
        return [{"id": "attribution", "type": "attribution", "values": list(values)}]

    answer = await ask("run_query", config={**AUGUST, "filters": of(one["id"], other["id"])})
    assert answer["total"]["cost"] > 0
    reason = await refusal(ask, filters=of(one["id"], f"{other['name'].lower()}x"))
    assert "unknown allocation" in reason and f'"{other["id"]}" ("{other["name"]}")' in reason


async def test_usage_is_allowed_by_unit(ask: Ask, witness: Api) -> None:
    answer = await ask("run_query", config={**AUGUST, "metrics": [USAGE], "group": [group("pricing_unit")]})
    assert answer["basis"]["metric"] == "usage" and "total" not in answer
    days = (date(2026, 8, 1).toordinal(), date(2026, 8, 31).toordinal())
    lines = witness.tenant(ACME).ledger.sums(("pricing_unit", "day_start", "cost_type"), *days)
    units = {str(row[0]) for row in lines if row[2] != "credit"}
    assert {str(row[0]) for row in answer["rows"]} == units
    unit = answer["rows"][0][0]
    micros = sum(int(row[4] or 0) for row in lines if row[0] == unit and row[2] != "credit")
    assert abs(answer["rows"][0][2] - micros / 1_000_000) < 1e-6


@pytest.mark.parametrize("interval", ["day", "week", "isoweek", "month", "quarter", "year"])
async def test_rows_have_one_period_and_no_timestamps(ask: Ask, interval: str) -> None:
    answer = await ask("run_query", config={**BASE, "timeRange": "last_13_months", "timeInterval": interval})
    assert [column["name"] for column in answer["columns"]] == ["period", "cost"]
    periods = [row[0] for row in answer["rows"]]
    assert len(set(periods)) == len(periods) and periods == sorted(periods)
    assert {part["period"] for part in answer.get("partialPeriods", [])} <= set(periods)
    partial = {part["period"] for part in answer.get("partialPeriods", [])}
    whole = next((row for row in answer["rows"] if row[0] not in partial), None)
    if whole is None:
        assert interval == "year"
        return
    # A period is an argument too: it has the cost of its row.
    again = await ask("run_query", config={**BASE, "timeRange": whole[0], "timeInterval": "year"})
    assert again["total"]["cost"] == round(whole[1], 2)


async def test_secondary_and_forecast_rows_are_kept(ask: Ask) -> None:
    config = {**AUGUST, "secondaryTimeRange": {"amount": 1, "unit": "month"}}
    assert [row[0] for row in (await ask("run_query", config=config))["secondaryRows"]] == ["2026-07"]
    forecast = {**BASE, "timeRange": {"mode": "current", "unit": "month"}}
    answer = await ask(
        "run_query", config={**forecast, "forecastSettings": {"mode": "totals", "futureTimeIntervals": 2}}
    )
    assert [row[0] for row in answer["forecastRows"]] == ["2026-10", "2026-11"]


@pytest.mark.parametrize(
    ("config", "aggregation"),
    [
        ({"aggregation": "percent_total"}, "percent_total"),
        ({"timeInterval": "dayCumSum"}, "cumulative"),
        ({"aggregation": "count", "count": {"id": "project_id", "type": "fixed"}}, "count"),
    ],
)
async def test_values_that_do_not_add_up_have_no_total(ask: Ask, config: dict[str, Any], aggregation: str) -> None:
    answer = await ask("run_query", config={**AUGUST, "group": [group("cloud_provider")], **config})
    assert answer["rows"] and "total" not in answer and answer["basis"]["aggregation"] == aggregation


async def test_credits_are_part_of_the_basis(ask: Ask) -> None:
    answer = await ask("run_query", config={**AUGUST, "includePromotionalCredits": True})
    assert answer["basis"]["credits"] == "included"
    aws = await ask("run_query", config={**AUGUST, "filters": only("cloud_provider", "aws")})
    assert aws["basis"]["timeZones"] == {"amazon-web-services": "UTC"}


# Requests, with an API whose answers are prepared.

COLUMNS = [{"name": "service_description", "type": "string"}, {"name": "cost", "type": "float"}]


def api_with(rows: list[list[Any]], others: Callable[[Request], Any] | None = None, tenant: str = "") -> Recorder:
    def answer(request: Request) -> Any:
        if "query" in request.path:
            return {"result": {"schema": COLUMNS, "rows": rows}}
        return others(request) if others else {}

    api = Recorder(answer)
    api.tenant = tenant
    return api


async def test_the_currency_is_sent_and_stated() -> None:
    api = api_with([["EC2", 5.0]])
    token = (await call("run_query", api, config={}))["structuredContent"]
    assert token["currency"] == "USD" and (api.requests[0].body or {})["config"]["currency"] == "USD"
    assert len(api.requests) == 1
    api = api_with([["EC2", 5.0]], lambda request: {"settings": {"currency": "ILS"}}, tenant="acme")
    own = (await call("run_query", api, config={}))["structuredContent"]
    sent = [(request.body or {})["config"]["currency"] for request in api.requests if request.body]
    assert own["currency"] == "ILS" == sent[-1]
    api = api_with([["EC2", 5.125]])
    asked = (await call("run_query", api, config={"currency": "JPY"}))["structuredContent"]
    assert asked["currency"] == "JPY" and asked["total"] == {"cost": 5.0}


async def test_a_customer_that_cannot_be_read_gets_us_dollars() -> None:
    def forbidden(request: Request) -> Any:
        raise ApiError("", kind="forbidden", status=403)

    answer = await call("run_query", api_with([["EC2", 5.0]], forbidden, tenant="acme"), config={})
    assert answer["structuredContent"]["currency"] == "USD"


async def test_values_are_asked_for_only_if_they_can_be_wrong() -> None:
    api = api_with([["EC2", 5.0]])
    await call("run_query", api, config={"filters": only("region", "eu")})
    # The second query asks for the clouds, whose time zones the answer states.
    assert [request.path for request in api.requests] == ["/analytics/v1/reports/query"] * 2
    values = {"values": [{"value": "eu"}, {"value": "us"}]}
    api = api_with([["EC2", 5.0]], lambda request: values)
    await call("run_query", api, config={"filters": only("region", "eu", "us", "[Region N/A]")})
    assert sorted(request.path for request in api.requests) == [
        *("/analytics/v1/dimension", "/analytics/v1/reports/query", "/analytics/v1/reports/query"),
    ]


async def test_an_answer_stands_if_its_values_cannot_be_checked() -> None:
    def forbidden(request: Request) -> Any:
        raise ApiError("", kind="forbidden", status=403)

    api = api_with([["EC2", 5.0]], forbidden)
    answer = (await call("run_query", api, config={"filters": only("region", "eu", "us")}))["structuredContent"]
    assert answer["total"] == {"cost": 5.0}


async def test_zero_says_if_its_values_could_not_be_checked() -> None:
    def answer(request: Request) -> Any:
        if "query" not in request.path:
            raise ApiError("", kind="forbidden", status=403)
        dated = [{"name": name} for name in ("year", "month", "day", "cost")]
        rows = [] if "filters" in (request.body or {})["config"] else [["2024", "01", "01", 5.0]]
        return {"result": {"schema": dated, "rows": rows}}

    for kind in ("fixed", "attribution", "attribution_group"):
        filters = [{"id": "x", "type": kind, "values": ["eu"]}]
        found = (await call("run_query", Recorder(answer), config={"filters": filters}))["structuredContent"]
        assert found["total"] == {"cost": 0.0} and "not checked" in found["note"]


async def test_a_total_that_fails_is_named_and_not_zero() -> None:
    def answer(request: Request) -> Any:
        if "group" in (request.body or {})["config"]:
            return {"result": {"schema": COLUMNS, "rows": [["EC2", 5.0]]}}
        raise ApiError("", kind="timeout")

    found = (await call("run_query", Recorder(answer), config={"group": [group("region", limit=1)]}))[
        "structuredContent"
    ]
    assert "total" not in found and found["limited"] is True
    assert found["failed"] == [{"part": "total", "why": "the request timed out"}]


@pytest.mark.parametrize("lookup", [ApiError("", kind="forbidden"), {"dimensions": [{"id": "team", "type": "label"}]}])
async def test_the_reason_of_the_api_stands_if_the_dimensions_exist(lookup: Any) -> None:
    def answer(request: Request) -> Any:
        if "query" in request.path:
            raise ApiError("metrics: no", kind="refused", status=400)
        if isinstance(lookup, ApiError):
            raise lookup
        return lookup

    caller = Caller(Recorder(answer))
    with pytest.raises(ApiError, match="metrics: no"):
        await TOOLS["run_query"].run(caller, {"query": {"group": [group("team", "label")]}})


def test_a_text_or_an_object_is_a_time_range() -> None:
    tool = TOOLS["run_query"]
    as_text = '{"mode": "last", "amount": "3", "unit": "MONTH"}'
    coerced = tool.coerce_arguments({"config": {"timeRange": as_text}})
    assert coerced["query"]["timeRange"] == {"mode": "last", "amount": 3, "unit": "month"}
    assert tool.argument_problems(coerced) == []
    assert tool.coerce_arguments({"query": {"timeRange": "2026"}}) == {"query": {"timeRange": "2026"}}
    (problem,) = tool.argument_problems({"query": {"timeRange": 5}})
    assert problem == "query.timeRange: must be an object or must be text (got 5)"


def test_the_total_has_no_groups_and_limits() -> None:
    config = {
        **{"currency": "EUR", "metrics": [COST, USAGE], "timeRange": {"mode": "current", "unit": "month"}},
        **{"group": [group("sku_id", limit=3)], "filters": only("region", "eu"), "metricFilter": {"operator": "gt"}},
    }
    assert needs_total_query(config)
    assert total_config(config) == {
        **{"currency": "EUR", "metrics": [COST], "timeRange": {"mode": "current", "unit": "month"}},
        **{"filters": only("region", "eu"), "timeInterval": "year"},
    }
    assert not needs_total_query({**config, "metrics": [USAGE]})
    assert needs_total_query({"group": [group("attribution", "attribution")]})


async def test_a_large_answer_keeps_its_statement_for_query_result() -> None:
    rows = [[f"a long name of a service, number {number}", 0.01 * number] for number in range(3000)]
    caller = Caller(api_with(rows))
    found = await TOOLS["run_query"].run(caller, {"query": {"timeRange": "last_month", "currency": "EUR"}})
    assert isinstance(found, dict) and found["total"] == {"cost": 44985.0}
    part = await TOOLS["query_result"].run(caller, {"handle": found["handle"], "top": 1})
    assert isinstance(part, dict) and part["total"] == {"cost": 44985.0}
    assert part["source"] == {
        **{"tool": "run_query", "currency": "EUR"},
        **{"period": found["period"], "basis": found["basis"]},
    }
    with pytest.raises(ToolError):
        await TOOLS["query_result"].run(caller, {"handle": "another"})
