"""A call that worked on DoiT's TypeScript server works here: names, arguments, and where each argument is sent.

``tests/data/compat.json`` is the digest of that server's tools: operations, argument schemas and argument mapping.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doit_mcp.api.operation import Request
from doit_mcp.api.request_encoding import query_value
from doit_mcp.catalog.tools.tool import Tool
from tests.api.recorder import Recorder

from .caller import STREAMED, TOOLS, run
from .examples import examples, objects, with_change

OLD: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[1] / "data" / "compat.json").read_text())
NAMED = {**{tool.facts.get("alias"): tool for tool in TOOLS.values()}, **TOOLS}
COVERED = sorted(name for name in OLD if name in NAMED)
EACH = pytest.mark.parametrize("name", COVERED)
# Allowed by that server's schemas but refused by the API: rules without conditions, members without an action, and
# alerts by the hour.
for _name in ("create_allocation", "update_allocation"):
    _fields = OLD[_name]["arguments"]["properties"]
    _fields["rule"]["required"] = ["components", "formula"]
    _fields["rules"]["items"]["required"] = ["action"]
for _name in ("create_alert", "update_alert"):
    OLD[_name]["arguments"]["properties"]["config"]["properties"]["timeInterval"]["enum"].remove("hour")
# Arguments that a call also needs, although that server's schema does not require them.
NEEDED: dict[str, dict[str, Any]] = {"update_theme": {"id": "some id"}, "id_of_asset": {"quantity": 1}}
# Set by this server; callers cannot choose the values.
OURS = {"customerContext", "X-Tenant-Id", "Idempotency-Key"}


def tool_of(name: str) -> Tool:
    """Return the tool that a name of that server refers to."""
    return NAMED[name]


@EACH
def test_every_legacy_argument_is_accepted(name: str) -> None:
    tool = tool_of(name)
    for arguments in objects(OLD[name]["arguments"]):
        assert tool.argument_problems(tool.coerce_arguments(arguments)) == [], arguments


@EACH
def test_no_optional_legacy_argument_became_required(name: str) -> None:
    tool = tool_of(name)
    former = {current: old for old, current in tool.former_names.items()}
    required = {former.get(one, one) for one in tool.input_schema.get("required", ())}
    assert required <= set(OLD[name]["arguments"].get("required", ()))


LISTS = ("/contracts", "/contract-templates", "/find", "/stats", "/snapshots", "/activity", "/node-activities")
"""Suffixes of paths whose responses are bare lists."""


def answer(request: Request) -> Any:
    """Return a response that every tool accepts: rows to find names in, and a result for queries."""
    if request.path.endswith(LISTS) or (request.method, request.path) == ("POST", "/insights/v1/results"):
        return []
    row = {"id": "found", "budgetName": "some name", "reportName": "some name"}
    return {"budgets": [row], "reports": [row], "result": {"rows": [], "schema": []}, "answer": "said"}


# Their requests are tested with each tool.
COMPOSED = (
    *("cost_breakdown", "cost_trend", "compare_spend", "get_cloud_overview", "run_query", "get_report_results"),
    *("list_budgets", "get_anomalies", "get_anomaly", "list_optimization_recommendations", "list_tickets"),
    "delete_datahub_events_by_filter",
    *("get_cloud_diagram_components", "post_insight_result", "create_cloudflow_connection"),
)
# Refused unless they match costs: tests/catalog/budgets/test_written_scope.py.
SCOPES = {(name, argument) for name in ("create_budget", "update_budget") for argument in ("scope", "scopes")}
PLACES = [
    (name, argument, place)
    for name in COVERED
    for argument, place in OLD[name]["mapping"].items()
    if place.split()[0] in ("path", "query", "body")
    and name not in COMPOSED
    and argument not in OURS
    and (name, argument) not in SCOPES
]


@pytest.mark.parametrize(("name", "argument", "place"), PLACES)
async def test_legacy_arguments_reach_the_same_place(name: str, argument: str, place: str) -> None:
    schema = OLD[name]["arguments"]
    value = next(examples(schema["properties"][argument], argument))
    arguments = {**next(objects(schema)), **NEEDED.get(name, {}), argument: value}
    api = Recorder(answer if name not in STREAMED else [{"answer": "done"}])
    await run(tool_of(name), api, **with_change(tool_of(name), arguments))
    sent = [
        f"{request.method} {operation.path}" for request, operation in zip(api.requests, api.operations, strict=True)
    ]
    assert OLD[name]["operations"][0] in sent
    # A dry run also reads the object, to show its change.
    last = max(index for index, line in enumerate(sent) if line == OLD[name]["operations"][0])
    request = api.requests[last]
    where, key = place.split()
    if where == "path":
        place_in_path = api.operations[last].path.split("/").index(f"{{{key}}}")
        assert request.path.split("/")[place_in_path] == str(value).replace(" ", "%20")
    elif where == "query":
        assert request.query[key] == query_value(value)
    else:
        assert request.body is not None
        actual, expected = request.body[key], value
        if name == "create_ticket":
            expected = {**value, "platform": "doit"}
        elif name == "create_alert" and key == "config":
            expected = {"operator": "gt", **value}
        assert actual == expected


@EACH
def test_server_controlled_arguments_are_accepted_and_dropped(name: str) -> None:
    tool, example = tool_of(name), next(objects(OLD[name]["arguments"]))
    arguments = tool.coerce_arguments({**example, **dict.fromkeys(OURS, "another")})
    assert not OURS & arguments.keys() and tool.argument_problems(arguments) == []


@pytest.mark.parametrize(
    ("name", "arguments", "query"),
    [
        ("list_budgets", {"maxResults": "40"}, {"maxResults": "40"}),
        ("list_budgets", {"maxResults": 40.0, "pageToken": "", "filter": None}, {"maxResults": "40"}),
        ("list_budgets", {"name": "ads"}, {"nameContains": "ads"}),
        ("list_tickets", {"pageSize": 25, "pageToken": "t"}, {"maxResults": "25", "pageToken": "t"}),
        ("list_reports", {"maxResults": 5, "nameContains": "x"}, {"maxResults": "5", "nameContains": "x"}),
        ("get_anomalies", {"sortBy": "COSTOFANOMALY"}, {"maxResults": "20", "sortBy": "costOfAnomaly"}),
    ],
)
async def test_loosely_typed_arguments_reach_the_api(
    name: str, arguments: dict[str, Any], query: dict[str, str]
) -> None:
    api = Recorder({})
    await run(name, api, **arguments)
    assert api.requests[0].query == query


NEWER = [
    {"timeRange": {"mode": "last", "amount": 1, "unit": "day"}, "filters": [{"id": "a", "type": "fixed"}]},
    {"aggregation": "count", "count": {"id": "project_id", "type": "fixed"}},
    {"aggregation": "total_over_total", "displaySettings": {"numberScale": "raw", "decimalPrecision": 2}},
    {"forecastSettings": {"mode": "grouping", "futureTimeIntervals": 3}, "limitAggregation": "top"},
    {"filters": [{"id": "a", "type": "label", "mode": "contains", "caseInsensitive": True, "includeNull": True}]},
    {
        "limitByChange": {
            "metric": {"type": "basic", "value": "cost"},
            **{"changeType": "percentage", "operator": "b", "values": [1, 2], "includeIncompleteData": False},
        }
    },
    {
        "metricFilter": {
            "metric": {"type": "basic", "value": "cost"},
            **{"operator": "gt", "values": [5], "operand": "series_total"},
        }
    },
]


@pytest.mark.parametrize("config", NEWER)
async def test_query_fields_once_stripped_are_sent(config: dict[str, Any]) -> None:
    api = Recorder({"result": {"rows": [], "schema": []}})
    await run("run_query", api, config=config)
    config_sent = (api.requests[0].body or {})["config"]
    assert {name: config_sent[name] for name in config} == config
    # Without a period and a currency, the API's choices would be unknown.
    assert config_sent.keys() - config <= {"timeRange", "currency"}


def test_misspelled_argument_is_rejected_with_a_hint() -> None:
    tool = TOOLS["list_budgets"]
    assert tool.argument_problems(tool.coerce_arguments({"maxResult": 5})) == [
        "maxResult: is unknown; did you mean maxResults?"
    ]


COST_COLUMNS = ("service_description", "cloud_provider", "project_id", "project_name", "year", "month", "cost")
COST_ROWS = {
    "schema": [{"name": name} for name in COST_COLUMNS],
    "rows": [["Compute", "google-cloud", "p", "P", "2026", "09", 5.0]],
}
ALL_KINDS = {
    "result": COST_ROWS,
    "budgets": [{"id": "b"}],
    "anomalies": [{"id": "a"}],
    "invoices": [{"id": "i", "invoiceDate": 1_767_182_400_000, "dueDate": 0}],
    **{name: [{"id": "x"}] for name in ("incidents", "reports", "allocations", "dimensions", "alerts", "users")},
    **{name: [{"id": "x", "name": "n"}] for name in ("tickets", "assets", "labels", "results")},
    **{"rowCount": 1, "pageToken": "t", "answer": "said", "domain": "acme.example", "email": "a@acme.example"},
    **{"organizations": [{"id": "o", "name": "n"}], "platforms": [{"id": "p", "displayName": "P"}]},
    **{"roles": [{"id": "r"}], "products": [{"id": "p"}], "accountManagers": [{"name": "m"}], "id": "found"},
    **{"costOfAnomaly": 4.0, "status": "active", "startTime": 1_767_182_400_000, "title": "t", "anomalyChartUrl": "u"},
}
"""A response in which every operation finds what it looks for."""
RESULTS = {
    # The API answers 204 for any key, so the result says whether there was such an insight.
    "delete_insight_results": "insightKey deleted",
    "get_cloud_overview": "costByCloud topServices topProjects anomalies incidents",
    "get_cloud_incidents": "rowCount incidents pageToken",
    "get_anomalies": "rowCount anomalies pageToken",
    "get_anomaly": "id platform serviceName scope costOfAnomaly severityLevel status startTime endTime top3SKUs"
    " billingAccount attribution timeFrame acknowledged anomalyChartUrl",
    "list_reports": "rowCount reports pageToken",
    "run_query": "rowCount rows columns",
    "cost_breakdown": "rowCount rows columns",
    "cost_trend": "rowCount rows columns",
    "compare_spend": "period1 period2",
    "list_optimization_recommendations": "rowCount insights",
    "update_insight_status": "success source key status",
    "validate_user": "domain email",
    "list_dimensions": "rowCount dimensions pageToken",
    "list_tickets": "tickets rowCount",
    "list_invoices": "invoices rowCount",
    "get_invoice": "invoiceDateFormatted dueDateFormatted",
    "list_allocations": "allocations pageToken",
    "list_assets": "assets",
    "list_alerts": "alerts rowCount pageToken",
    "refine_cloudflow": "answer conversationId",
    "list_organizations": "organizations",
    "list_platforms": "platforms",
    "list_users": "users rowCount",
    "list_roles": "roles",
    "list_products": "products",
    "list_budgets": "budgets",
    "list_account_team": "accountManagers",
}
"""The fields that that server's reshaped results had at least; it passed other responses through unchanged."""
NEEDED_HERE = {
    "compare_spend": {"period2": {"from": "2026-09-01", "to": "2026-09-10"}},
    "update_asset": {"id": "a", "quantity": 1},
    "id_of_asset": {"id": "a", "quantity": 1},
    "delete_datahub_events_by_filter": {"dataset": "d", "eventIds": ["x"]},
    "create_cloudflow_connection": {"name": "n", "awsConfig": {"roleName": "r"}},
    "datahub_events_csv_file": {"provider": "p", "file": "dGltZQo="},
}


def minimal_arguments(name: str) -> dict[str, Any]:
    """Return the minimal arguments for a tool of that server, plus an id where the tool takes one."""
    identifiers = {"id": "1"} if "id" in OLD[name]["arguments"]["properties"] else {}
    arguments = {
        **identifiers,
        **next(objects(OLD[name]["arguments"])),
        **NEEDED.get(name, {}),
        **NEEDED_HERE.get(name, {}),
    }
    return with_change(tool_of(name), arguments)


@pytest.mark.parametrize("name", sorted(RESULTS))
async def test_results_keep_legacy_fields(name: str) -> None:
    events = [{"answer": "done", "conversationId": "c"}]
    api = Recorder(ALL_KINDS if name not in STREAMED else events)
    result = await run(tool_of(name), api, **minimal_arguments(name))
    assert set(RESULTS[name].split()) <= result.keys()


PASSED_ON = [name for name in COVERED if name not in RESULTS and name not in STREAMED]


@pytest.mark.parametrize("name", PASSED_ON)
async def test_passthrough_results_are_unchanged(name: str) -> None:
    """Every field of the API's response is in the result, unchanged."""
    response = {**ALL_KINDS, "something": {"new": [1, "x"]}}
    bare = [{"id": "found", "something": 1}]

    def api(request: Request) -> Any:
        return bare if answer(request) == [] else response

    recorder = Recorder(api)
    result = await run(tool_of(name), recorder, **minimal_arguments(name))
    if answer(recorder.requests[-1]) == []:
        assert bare in result.values()
    else:
        assert result["something"] == response["something"]
