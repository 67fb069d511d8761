"""The localized display of results: only if the client states a locale, beside the unchanged plain values."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.api.value_kinds import DeclaredMember, read_declared_members
from doit_mcp.catalog.costs.breakdown import CostBreakdown
from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.localized_display import (
    DISPLAY_KEY,
    MAX_DISPLAY_VALUES,
    client_locale,
    localize_result,
    select_displayed_members,
    with_localized_display,
)
from doit_mcp.catalog.tools.series import structured_content, with_structured
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.protocol.jsonrpc import JsonObject
from tests.api.recorder import Recorder

from ..caller import TOOLS as NAMED
from ..caller import Caller
from .test_locales import locale_of, replace_spaces

ALERT_CONFIG = {"metric": {"type": "basic", "value": "cost"}, "timeInterval": "month", "value": 1}
LOCALIZED_TOOLS: dict[str, JsonObject] = {
    "unit_cost": {"metric": "orders"},
    "allocation_coverage": {"by": "label:team"},
    "cost_breakdown": {"groupBy": "service"},
    "get_report_results": {"id": "r", "timeRange": "2026-08"},
    "run_query": {"query": {}},
    "compare_spend": {"period2": {"from": "2026-09-01", "to": "2026-09-10"}},
    "explain_cost_change": {"by": ["service"], "after": "2026-09-06", "before": "2026-09-05"},
    "get_anomaly": {"id": "x"},
    "get_budget": {"id": "x"},
    "get_cloud_diagram_cost_snapshot": {"layerId": "x", "startDate": "2026-10-01", "endDate": "2026-10-15"},
    "get_commitment": {"id": "x"},
    "get_invoice": {"id": "x"},
    "create_budget": {"name": "n", "currency": "USD", "type": "fixed", "startPeriod": "2026-01-01"},
    "update_budget": {"id": "x", "amount": 1},
    "create_alert": {"name": "n", "alert": ALERT_CONFIG},
    "update_alert": {"id": "x", "alert": ALERT_CONFIG},
    **dict.fromkeys(
        (
            "ai_spend",
            "commitment_summary",
            "cost_trend",
            "forecast_spend",
            "get_anomalies",
            "get_cloud_overview",
            "get_savings_summary",
            "list_budgets",
            "list_optimization_recommendations",
        ),
        {},
    ),
}
"""Arguments of calls, by tool. Further tools need no entry."""


def members_of(name: str) -> dict[str, DeclaredMember]:
    record = NAMED[name].result_type
    assert record is not None
    return select_displayed_members(read_declared_members(record))


def display(name: str, result: JsonObject, tag: str = "en-US") -> Any:
    """The display that the tool *name* gives to a *result*, with ordinary spaces."""
    localized = localize_result(result, members_of(name), locale_of(tag))
    return orjson.loads(replace_spaces(orjson.dumps(localized.get(DISPLAY_KEY, {})).decode()))


def reader(api: Recorder, meta: JsonObject) -> Caller:
    """A caller whose requests have this _meta."""
    caller = Caller(api)
    caller.request_meta = meta
    return caller


COSTS: dict[str, Any] = {
    "result": {
        "schema": [
            {"name": name} for name in ("service_description", "cloud_provider", "project_id", "year", "month", "cost")
        ],
        "rows": [
            ["Compute", "google-cloud", "p", "2026", "09", 1234.5],
            ["Storage", "google-cloud", "p", "2026", "09", 100.25],
        ],
    }
}


async def breakdown(caller: Caller) -> Any:
    tool = NAMED["cost_breakdown"]
    arguments = tool.coerce_arguments({"groupBy": "service", "currency": "EUR"})
    result: Any = await tool.run(caller, arguments)
    return structured_content(result)


async def test_breakdown_has_a_localized_display() -> None:
    result = await breakdown(reader(Recorder(COSTS), {"openai/locale": "de-DE", "openai/userLocation": {"city": "X"}}))
    localized = orjson.loads(replace_spaces(orjson.dumps(result[DISPLAY_KEY]).decode()))
    assert localized == {
        "locale": "de-DE",
        "groups": [
            {"name": "Compute", "cost": "1.234,50 EUR", "sharePercent": "92,5 %"},
            {"name": "Storage", "cost": "100,25 EUR", "sharePercent": "7,5 %"},
        ],
        "total": {
            "shown": "1.334,75 EUR",
            "other": "0,00 EUR",
            "otherSharePercent": "0,0 %",
            "all": "1.334,75 EUR",
        },
        "period": {"from": "01.09.2026", "to": "21.09.2026", "finalThrough": "18.09.2026"},
    }
    without = await breakdown(Caller(Recorder(COSTS)))
    assert {name: value for name, value in result.items() if name != DISPLAY_KEY} == without
    body = tool_result.make_tool_result_inline(NAMED["cost_breakdown"], {}, result)
    assert "isError" not in body


@pytest.mark.parametrize("locale", [None, 5, "", "tlh", "de" * 99, ["de"], {"de": 1}, "en-US\nx"])
async def test_unknown_locale_changes_nothing(locale: Any) -> None:
    result = await breakdown(reader(Recorder(COSTS), {"openai/locale": locale}))
    assert result == await breakdown(Caller(Recorder(COSTS)))


async def test_call_without_a_hint_has_no_locale() -> None:
    assert await client_locale(Caller(Recorder())) is None
    assert await client_locale(reader(Recorder(), {})) is None
    first = await client_locale(reader(Recorder(), {"openai/locale": "fr-LU"}))
    assert first is not None and first is await client_locale(reader(Recorder(), {"openai/locale": "fr-LU"}))


def test_results_with_amounts_declare_a_display() -> None:
    declaring = {
        name
        for name, tool in NAMED.items()
        if tool.result_type and select_displayed_members(read_declared_members(tool.result_type))
    }
    assert LOCALIZED_TOOLS.keys() <= declaring


@pytest.mark.parametrize("name", LOCALIZED_TOOLS)
async def test_localized_tools_add_a_display_to_an_unchanged_result(name: str) -> None:
    """The API returns all kinds of values: the display may be small, but the plain result is unchanged."""
    row = {"id": "x", "amount": 100, "currentUtilization": 150, "currency": "USD", "timeInterval": "month"}
    further = {"team": "x", "project_name": "P", "sku_description": "s", "pricing_unit": "u", "day": "05", "usage": 2.0}
    table = COSTS["result"]
    response = {
        "result": {
            "schema": [*table["schema"], *({"name": column} for column in further)],
            "rows": [[*cells, *further.values()] for cells in table["rows"]],
        },
        "dimensions": [{"id": "team", "type": "label"}],
        "amount": 100,
        "currency": "USD",
        "total": 3,
        "totalAmount": 3,
        "totalCommitmentValue": 3,
        "anomalies": [{"id": "x", "costOfAnomaly": 3}],
        "budgets": [row],
        "results": [{"summary": {"potentialDailySavings": 2}, "key": "k"}],
    }
    localized = await NAMED[name].run(
        reader(Recorder(response), {"openai/locale": "fr-FR"}), dict(LOCALIZED_TOOLS[name])
    )
    assert not isinstance(localized, ContentResult)
    result = structured_content(localized)
    assert result[DISPLAY_KEY]["locale"] == "fr-FR" and len(result[DISPLAY_KEY]) > 1
    plainly = await NAMED[name].run(Caller(Recorder(response)), dict(LOCALIZED_TOOLS[name]))
    without = {key: value for key, value in result.items() if key != DISPLAY_KEY}
    assert with_structured(localized, without) == plainly


def test_budgets_use_their_own_currencies() -> None:
    result = {"currency": "EUR", "month": {"spent": 1}, "budgets": [{"name": "b", "amount": 2, "currency": "GBP"}]}
    assert display("forecast_spend", result) == {
        "locale": "en-US",
        "month": {"spent": "EUR 1.00"},
        "budgets": [{"name": "b", "currency": "GBP", "amount": "GBP 2.00"}],
    }


def test_anomalies_and_recommendations_use_dollars() -> None:
    anomaly = {
        "serviceName": "BigQuery",
        "costOfAnomaly": 5,
        "top3SKUs": [{"name": "s", "cost": 4}, None],
        "endTime": "",
    }
    localized = display("get_cloud_overview", {"currency": "EUR", "totalCost": 9.5, "anomalies": [anomaly]})
    assert localized["totalCost"] == "EUR 9.50"
    assert localized["anomalies"] == [
        {"serviceName": "BigQuery", "costOfAnomaly": "USD 5.00", "top3SKUs": [{"name": "s", "cost": "USD 4.00"}]}
    ]
    localized = display("list_optimization_recommendations", {"totalDailySavings": 2, "insights": [{"title": "t"}]})
    assert localized == {"locale": "en-US", "totalDailySavings": "USD 2.00"}


def test_percentages_dates_and_labels() -> None:
    month = {
        "period": "2026-08",
        "cost": 1.0,
        "changePercent": -2.5,
        "likeForLike": {"changePercent": 1.5, "days": "x"},
    }
    result = {
        "months": [month],
        "groups": [{"name": None, "cost": 3}],
        "period": {"from": "2026-08", "to": 5, "days": 5, "complete": False},
    }
    assert display("cost_trend", result, "de") == {
        "locale": "de",
        "months": [
            {
                "period": "Aug. 2026",
                "cost": "1,00",
                "changePercent": "-2,5 %",
                "likeForLike": {"changePercent": "1,5 %"},
            }
        ],
        "groups": [{"cost": "3,00"}],
        "period": {"from": "Aug. 2026"},
    }


def test_display_is_bounded() -> None:
    result = {"groups": [{"name": f"g{n}", "cost": n} for n in range(1000)], "total": {"all": 1}}
    localized = display("cost_breakdown", result)
    assert len(localized["groups"]) == MAX_DISPLAY_VALUES and "total" not in localized


def test_values_of_an_unexpected_type_are_omitted() -> None:
    deep: Any = {"cost": 1}
    for _ in range(50):
        deep = {"total": deep, "rows": [deep]}
    assert display("cost_breakdown", deep) == {}
    odd = {"groups": {"cost": {"cost": 1}}, "total": [{"all": [1]}, 5], "period": "2026-08", "rowCount": 5}
    assert display("cost_breakdown", odd) == {}


async def test_other_tools_and_results_with_content_have_no_display() -> None:
    assert with_localized_display(NAMED["list_reports"]) is NAMED["list_reports"]

    async def blocks(call: Any, arguments: JsonObject) -> ContentResult:
        return ContentResult([{"type": "text", "text": "x"}])

    tool = Tool("x", "T", "D.", {"type": "object", "properties": {}}, blocks, result_type=CostBreakdown)
    assert with_localized_display(tool) is not tool
    assert isinstance(
        await with_localized_display(tool).run(reader(Recorder(), {"openai/locale": "de"}), {}), ContentResult
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["cost", "share", "first", "currency", "total", "name", "x"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["cost", "total", "groups", "currency", "period"]), VALUES))
def test_any_result_is_preserved(result: dict[str, Any]) -> None:
    localized = localize_result(result, members_of("cost_breakdown"), locale_of("de-DE"))
    assert repr({name: value for name, value in localized.items() if name != DISPLAY_KEY}) == repr(result)
    texts = orjson.dumps(localized.get(DISPLAY_KEY, {}))
    assert isinstance(orjson.loads(texts), dict)
