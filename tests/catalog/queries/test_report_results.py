"""get_report_results: another period, what it cuts, and names that do not exist."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.sandbox.accounts import ACME
from doit_mcp.sandbox.api import Api
from tests.api.recorder import Recorder

from ..caller import TOOLS, Caller, call
from ..conftest import Ask

NAME = "Cost by team"


def sum_billed(witness: Api, first: str, last: str) -> float:
    """Return the cost of the billing lines of some days, without credits, to the cent."""
    days = [date.fromisoformat(day).toordinal() for day in (first, last)]
    lines = witness.tenant(ACME).ledger.sums(("day_start", "cost_type"), *days)
    return round(sum(int(row[2] or 0) for row in lines if row[1] != "credit") / 1_000_000, 2)


@pytest.mark.parametrize(
    ("arguments", "first", "last", "partial"),
    [
        ({"timeRange": "last month"}, "2026-08-01", "2026-08-31", []),
        ({"timeRange": "2026-Q2"}, "2026-04-01", "2026-06-30", []),
        ({"timeRange": "P1M"}, "2026-08-22", "2026-09-21", [("2026-08", 10, 31), ("2026-09", 21, 30)]),
        ({"timeRange": "last_7_days"}, "2026-09-14", "2026-09-20", [("2026-09", 7, 30)]),
        ({"startDate": "2026-07-15", "endDate": "2026-08-31"}, "2026-07-15", "2026-08-31", [("2026-07", 17, 31)]),
        ({"startDate": "2026-07", "endDate": "2026-08"}, "2026-07-01", "2026-08-31", []),
        ({"startDate": "2026-08-01T00:00:00Z", "endDate": "2026-09-01T00:00:00Z"}, "2026-08-01", "2026-08-31", []),
    ],
    ids=str,
)
async def test_another_period_is_stated_and_cut_months_are_marked(
    ask: Ask, witness: Api, arguments: dict[str, str], first: str, last: str, partial: list[tuple[str, int, int]]
) -> None:
    answer = await ask("get_report_results", name=NAME, **arguments)
    assert (answer["period"]["from"], answer["period"]["to"]) == (first, last)
    assert answer["currency"] == "USD" and answer["basis"]["metric"] == "cost"
    assert answer["total"] == {"cost": sum_billed(witness, first, last)}
    parts = answer.get("partialPeriods", [])
    assert [(part["period"], part["days"], part["of"]) for part in parts] == partial
    assert all(part["partial"] for part in parts)
    assert [column["name"] for column in answer["result"]["schema"]] == ["team", "period", "cost"]
    assert round(sum(row[2] for row in answer["result"]["rows"]), 2) == answer["total"]["cost"]


async def test_the_reports_own_period_is_stated(ask: Ask, witness: Api) -> None:
    config = (await ask("get_report_config", name=NAME))["config"]
    assert config["timeRange"] == {"mode": "last", "amount": 3, "unit": "month", "includeCurrent": True}
    answer = await ask("get_report_results", name=NAME)
    assert answer["period"] == {
        **{"from": "2026-07-01", "to": "2026-09-21", "days": 83},
        **{"complete": False, "finalThrough": "2026-09-18"},
    }
    assert answer["total"] == {"cost": sum_billed(witness, "2026-07-01", "2026-09-21")}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"name": "forecst"}, ['"Forecast"']),
        ({"name": "dayly costs"}, ['"Daily cost"']),
        ({"name": "cost"}, ['"Daily cost"', '"Cost by team"', '"Cost by cloud"', "pass the id"]),
        ({"name": NAME, "timeRange": "soon"}, ["timeRange: ", "last_month", "2026-Q3"]),
        ({"name": NAME, "timeRange": "P0D"}, ["timeRange: ", "P30D"]),
        ({"name": NAME, "timeRange": "2027"}, ["timeRange: ", "forecast_spend"]),
        ({"name": NAME, "startDate": "in June", "endDate": "2026-07-01"}, ["startDate: ", "2026-10-05"]),
        ({"name": NAME, "startDate": "2026-07-02", "endDate": "2026-07-01"}, ["endDate: must not be before startDate"]),
        ({"name": NAME, "startDate": "2026-07-01"}, ["given together", "last_month"]),
        ({"name": NAME, "timeRange": "P1M", "startDate": "2026-07-01"}, ["cannot be combined"]),
    ],
    ids=str,
)
async def test_errors_repair_themselves(ask: Ask, arguments: dict[str, str], parts: list[str]) -> None:
    with pytest.raises(ApiError) as caught:
        await ask("get_report_results", **arguments)
    assert caught.value.kind == "argument" and all(part in caught.value.reason for part in parts), caught.value.reason
    assert "\\d" not in caught.value.reason and "^" not in caught.value.reason


async def test_a_misspelled_name_suggests_names_for_the_config_too(ask: Ask) -> None:
    with pytest.raises(ApiError, match='no report has the name "forecst". Did you mean "Forecast"?'):
        await ask("get_report_config", name="forecst")


async def test_a_report_that_limits_its_rows_says_so(ask: Ask) -> None:
    metric = {"type": "basic", "value": "cost"}
    config = {
        **{"dataSource": "billing", "metrics": [metric], "timeInterval": "month", "currency": "EUR"},
        "timeRange": {"mode": "last", "amount": 1, "unit": "month"},
        "group": [{"id": "service_id", "type": "fixed", "limit": {"metric": metric, "sort": "desc", "value": 2}}],
    }
    report = await ask("create_report", name="Two services", config=config)
    answer = await ask("get_report_results", id=report["id"])
    assert answer["limited"] is True and answer["total"] is None and answer["currency"] == "EUR"
    assert answer["note"].startswith("The total is unknown")
    assert len(answer["result"]["rows"]) == 2
    await ask("delete_report", id=report["id"])


async def test_a_report_without_rows_says_why(ask: Ask) -> None:
    config = {
        **{"dataSource": "billing", "metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month"},
        **{"timeRange": {"mode": "last", "amount": 1, "unit": "month"}, "currency": "USD"},
        "filters": [{"id": "service_description", "type": "fixed", "values": ["Amazon EC2"]}],
    }
    report = await ask("create_report", name="Nothing", config=config)
    answer = await ask("get_report_results", id=report["id"])
    assert answer["result"]["rows"] == [] and "total" not in answer
    assert 'no service "Amazon EC2"' in answer["note"] and "Amazon Elastic Compute Cloud" in answer["note"]
    await ask("delete_report", id=report["id"])
    early = await ask("get_report_results", name=NAME, timeRange="2020")
    assert early["note"].startswith("The data begins on 2025-") and early["period"]["to"] == "2020-12-31"


# Requests, with an API whose answers are prepared.

RESULT = {"schema": [{"name": "year"}, {"name": "cost"}], "rows": [["2026", 5.0]]}


def api_with(config: Any) -> Recorder:
    def answer(request: Request) -> Any:
        if request.path.endswith("/config"):
            if isinstance(config, ApiError):
                raise config
            return {"id": "r", "config": config}
        return {"id": "r", "result": RESULT}

    return Recorder(answer)


async def test_a_period_is_sent_as_two_days_in_one_round() -> None:
    api = api_with({"currency": "USD"})
    await call("get_report_results", api, id="r", timeRange="P1M")
    days = {"startDate": "2026-08-22", "endDate": "2026-09-21"}
    path = "/analytics/v1/reports/r"
    assert {request.path: request.query for request in api.requests} == {path: days, f"{path}/config": {}}


@pytest.mark.parametrize(
    ("config", "failed"),
    [
        (ApiError("", kind="forbidden", status=403), "config"),
        ({"timeRange": {"mode": "custom"}, "currency": "USD"}, "period"),
    ],
)
async def test_unknown_parts_are_named_and_not_guessed(config: Any, failed: str) -> None:
    answer = (await call("get_report_results", api_with(config), id="r"))["structuredContent"]
    assert answer["period"] is None and [part["part"] for part in answer["failed"]] == [failed]
    assert answer["currency"] == ("USD" if failed == "period" else None)
    assert answer["result"]["rows"] == [["2026", 5.0]]


async def test_columns_tell_the_currency_without_the_config() -> None:
    columns = [
        {"name": "team", "type": "string"},
        {"name": "spend", "type": "float", "unit": "currency", "currency": "JPY"},
    ]
    usage = {"name": "usage", "type": "float", "unit": "number"}
    result = {"schema": [*columns, usage], "rows": [["a", 5.4, 5.4]], "details": {"valueAliases": {}}}

    def answer(request: Request) -> Any:
        if request.path.endswith("/config"):
            raise ApiError("", kind="forbidden", status=403)
        return {"id": "r", "result": result}

    found = (await call("get_report_results", Recorder(answer), id="r"))["structuredContent"]
    assert found["currency"] == "JPY" and "total" not in found
    # Yen have no decimals; usage is not money.
    assert found["result"]["rows"] == [["a", 5, 5.4]] and found["result"]["details"] == {"valueAliases": {}}


async def test_a_report_that_fails_raises_its_own_error() -> None:
    def answer(request: Request) -> Any:
        raise ApiError("gone", kind="missing", status=404)

    with pytest.raises(ApiError, match="gone"):
        await TOOLS["get_report_results"].run(Caller(Recorder(answer)), {"id": "r"})
    odd = await TOOLS["get_report_results"].run(Caller(Recorder({"id": "r", "result": {"rows": 5}})), {"id": "r"})
    assert isinstance(odd, dict) and odd["result"] == {"rows": 5} and odd["currency"] is None
    result = {"rows": [["a", 5.0]], "schema": True}
    odd = await TOOLS["get_report_results"].run(Caller(Recorder({"id": "r", "result": result})), {"id": "r"})
    assert isinstance(odd, dict) and odd["result"] == result
    with pytest.raises(ApiError, match="the report has no result"):
        await TOOLS["get_report_results"].run(Caller(Recorder({"id": "r", "result": 5})), {"id": "r"})
