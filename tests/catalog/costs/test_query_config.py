"""The queries of composed cost tools, and the statement of their answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.costs.data_start import fetch_data_start
from doit_mcp.catalog.costs.groups import find_fixed_group
from doit_mcp.catalog.costs.projects import fetch_project_names
from doit_mcp.catalog.costs.query_config import COST_METRIC, USAGE_METRIC, cost_config
from doit_mcp.catalog.costs.scope import Scope
from doit_mcp.catalog.costs.statement import cost_statement
from doit_mcp.catalog.periods.period import Period, ReportedPeriod
from tests.api.recorder import Recorder

from ..billing import make_api
from ..caller import TOOLS, Caller

NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 28))


def test_a_query_has_its_currency_and_exactly_its_days() -> None:
    config = cost_config(Scope("gcp"), NOVEMBER, "EUR")
    assert config == {
        "dataSource": "billing",
        "metrics": [COST_METRIC],
        "timeInterval": "month",
        "currency": "EUR",
        "filters": [{"id": "cloud_provider", "type": "fixed", "mode": "is", "values": ["google-cloud"]}],
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": "2026-11-01T00:00:00Z", "to": "2026-11-28T23:59:59Z"},
    }


def test_a_query_is_limited_in_its_first_group() -> None:
    groups = [find_fixed_group("project"), find_fixed_group("service")]
    config = cost_config(
        Scope(), NOVEMBER, "USD", interval="day", groups=groups, metrics=[COST_METRIC, USAGE_METRIC], limit=3
    )
    limit = {"metric": COST_METRIC, "sort": "desc", "value": 3}
    assert config["group"] == [
        {"id": "project_id", "type": "fixed", "limit": limit},
        {"id": "project_name", "type": "fixed"},
        {"id": "service_description", "type": "fixed"},
    ]
    assert TOOLS["run_query"].argument_problems({"query": config}) == []


def test_credits_exist_by_month_only() -> None:
    assert cost_config(Scope(include_credits=True), NOVEMBER, "USD")["includePromotionalCredits"] is True
    with pytest.raises(ApiError, match="includeCredits") as caught:
        cost_config(Scope(include_credits=True), NOVEMBER, "USD", interval="day")
    assert caught.value.kind == "argument"


def test_a_statement_names_period_currency_and_basis() -> None:
    period = ReportedPeriod(Period(date(2026, 11, 1), date(2026, 11, 30)), date(2026, 11, 28))
    stated = cost_statement(period, "USD", Scope(), ["google-cloud", "aws", "snowflake", "google-cloud"])
    assert stated == {
        "period": {
            "from": "2026-11-01",
            "to": "2026-11-28",
            "days": 28,
            "complete": False,
            "finalThrough": "2026-11-25",
        },
        "currency": "USD",
        "basis": {
            "metric": "cost",
            "credits": "excluded",
            "timeZones": {"amazon-web-services": "UTC", "google-cloud": "America/Los_Angeles"},
        },
    }
    assert cost_statement(period, "USD", Scope(include_credits=True), [])["basis"]["credits"] == "included"


async def test_the_first_day_with_costs_is_found_and_remembered() -> None:
    lines: Any = [("2025-10-03", {}, 5.0, 1.0), ("2025-10-09", {}, 5.0, 1.0), ("2026-02-01", {}, 5.0, 1.0)]
    api = Recorder(make_api({}, lines))
    call = Caller(api)
    for _ in range(2):
        assert await fetch_data_start(call) == date(2025, 10, 3)
    assert len(api.requests) == 2
    assert await fetch_data_start(Caller(Recorder(make_api({}, [])))) is None


async def test_projects_have_names(make_caller: Callable[[], Caller]) -> None:
    names = await fetch_project_names(make_caller())
    assert "acme-production" in names.values()
    api = Recorder(make_api({}, []))
    call = Caller(api)
    assert await fetch_project_names(call) == {} == await fetch_project_names(call)
    assert len(api.requests) == 1
    assert await fetch_project_names(Caller(Recorder({"result": {"rows": [["x"]], "schema": [{"name": "y"}]}}))) == {}
