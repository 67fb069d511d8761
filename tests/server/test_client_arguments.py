"""Arguments in the forms that clients and agent frameworks send, from HTTP to the DoiT API of the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from doit_mcp.sandbox.api import Api
from doit_mcp.server.catalog import catalog_factory
from tests.transports.http.serving import Answer, Site, serving

CLOCK = 1_790_000_000.0
QUERY = {"metrics": [{"type": "basic", "value": "cost"}], "timeInterval": "month", "timeRange": "2026-08"}
REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving(make=catalog_factory(), api=Api(clock=lambda: CLOCK)) as server:
        yield server


async def structured(site: Site, name: str, arguments: Any) -> Any:
    answer = await site.apply(name, arguments)
    assert not answer.result.get("isError"), text_of(answer)
    return answer.result["structuredContent"]


def text_of(answer: Answer) -> str:
    """Return the text that a model reads."""
    text: str = answer.result["content"][0]["text"]
    return text


@pytest.mark.parametrize(
    "extra",
    [
        # n8n
        {"toolCallId": "call_1", "sessionId": "s", "action": "sendMessage", "chatInput": "my costs?"},
        {"task_progress": "- [x] find the budgets"},  # Cline
        {"random_string": "x"},  # Cursor
        {"dummy": ""},  # Cursor
    ],
)
async def test_arguments_that_clients_add_are_dropped(site: Site, extra: dict[str, Any]) -> None:
    assert await structured(site, "list_budgets", {"maxResults": 1, **extra}) == await structured(
        site, "list_budgets", {"maxResults": 1}
    )
    assert (await structured(site, "validate_user", extra))["domain"]


async def test_other_unknown_arguments_are_errors(site: Site) -> None:
    answer = await site.call("list_budgets", {"maxResult": 1})
    assert text_of(answer) == "Invalid arguments: maxResult: is unknown; did you mean maxResults?"


@pytest.mark.parametrize(
    "arguments",
    [
        '{"maxResults": 1}',
        {"maxResults": "1.0"},
        {"maxResults": 1.0, "filter": None, "pageToken": "None", "nameContains": "undefined"},
        {"maxResults": "1", "pageToken": "null", "anything": None},
    ],
)
async def test_loosely_written_arguments_are_read_as_meant(site: Site, arguments: Any) -> None:
    assert await structured(site, "list_reports", arguments) == await structured(
        site, "list_reports", {"maxResults": 1}
    )


async def test_one_value_is_a_list_of_one(site: Site) -> None:
    one = await structured(site, "list_optimization_recommendations", {"category": "FinOps"})
    assert one == await structured(site, "list_optimization_recommendations", {"category": ["FinOps"]})


@pytest.mark.parametrize("arguments", ["soon", "[1]", "{", '"\ud800"'.encode("utf-16", "surrogatepass").hex()])
async def test_arguments_that_are_other_text_are_errors(site: Site, arguments: str) -> None:
    answer = await site.call("list_budgets", arguments)  # type: ignore[arg-type]  # what a client sends
    assert text_of(answer).startswith("Invalid arguments: must be an object, not ")
    assert answer.result["isError"] is True


@pytest.mark.parametrize("arguments", [None, [], "", "null", "None", "[]", "{}"])
async def test_no_arguments_have_many_forms(site: Site, arguments: Any) -> None:
    """PHP serializes an empty object as a list."""
    answer = await site.send_stateless("tools/call", {"name": "validate_user", "arguments": arguments})
    assert answer.result["structuredContent"]["domain"]


@pytest.mark.parametrize("arguments", [0, False, [1], '"text"'])
async def test_arguments_of_another_type_are_errors(site: Site, arguments: Any) -> None:
    answer = await site.send_stateless("tools/call", {"name": "validate_user", "arguments": arguments})
    assert answer.result["isError"] and text_of(answer).startswith("Invalid arguments: must be an object, not ")


@pytest.mark.parametrize("revision", REVISIONS)
async def test_invalid_arguments_are_results_in_every_revision(site: Site, revision: str) -> None:
    session = await site.initialize(revision)
    answer = await session.call("list_budgets", {"maxResults": "many"})
    assert answer.result["isError"] is True and text_of(answer).startswith("Invalid arguments: maxResults: must be")


@pytest.mark.parametrize("name", ["query", "config"])
async def test_a_query_has_its_former_name_too(site: Site, name: str) -> None:
    assert (await structured(site, "run_query", {name: QUERY}))["rowCount"] == 1


async def test_an_argument_under_both_names_is_an_error(site: Site) -> None:
    answer = await site.call("run_query", {"query": QUERY, "config": QUERY})
    assert text_of(answer) == "Invalid arguments: config: is unknown. Available: query, file"


@pytest.mark.parametrize(("report", "alert"), [("report", "alert"), ("config", "config")])
async def test_reports_and_alerts_are_written_under_both_names(site: Site, report: str, alert: str) -> None:
    config = {"timeInterval": "month", "timeRange": {"mode": "current", "unit": "month"}}
    made = await structured(site, "create_report", {"name": "R", report: config})
    changed = {"timeRange": {"mode": "current", "unit": "year"}}
    await structured(site, "update_report", {"id": made["id"], report: config | changed})
    shown = await structured(site, "get_report_config", {"id": made["id"]})
    assert shown["config"]["timeRange"] == {"mode": "current", "unit": "year"}
    condition = {"metric": {"type": "basic", "value": "cost"}, "timeInterval": "month", "value": 5, "operator": "gt"}
    created = await structured(site, "create_alert", {"name": "A", alert: condition})
    await structured(site, "update_alert", {"id": created["id"], alert: condition | {"value": 6}})
    assert (await structured(site, "get_alert", {"id": created["id"]}))["config"]["value"] == 6


@pytest.mark.parametrize("name", ["commitmentType", "service"])
async def test_planned_purchases_are_filtered_under_both_names(site: Site, name: str) -> None:
    (organization, *_) = (await structured(site, "list_aws_organizations", {}))["items"]
    rows = (
        await structured(
            site,
            "list_aws_planned_purchases",
            {"managementAccountId": organization["managementAccountId"], name: "compute"},
        )
    )["items"]
    assert rows and {row["service"] for row in rows} == {"compute"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"input": {"maxResults": 1}},
        {"arguments": {"maxResults": 1}},
        {"input": '{"maxResults": "1"}'},
        # Semantic Kernel passes all arguments of the call for one named arguments.
        {"arguments": {"name": "list_reports", "arguments": {"maxResults": 1}}},
    ],
)
async def test_operations_take_their_input_in_each_form(site: Site, arguments: dict[str, Any]) -> None:
    expected = await structured(site, "list_reports", {"maxResults": 1})
    assert await structured(site, "read_operation", {"name": "list_reports", **arguments}) == expected


async def test_only_the_nested_shape_is_unwrapped(site: Site) -> None:
    nested = {"name": "list_reports", "arguments": {"name": "list_reports"}}
    assert (await structured(site, "read_operation", nested))["reports"]
    other = {"name": "list_reports", "arguments": {"name": "list_budgets", "arguments": {}}}
    answer = await site.call("read_operation", other)
    assert text_of(answer).startswith("Invalid arguments: ") and "arguments: is unknown" in text_of(answer)


async def test_null_changes_nothing(site: Site) -> None:
    folder = await structured(site, "create_folder", {"name": "Audits", "description": "Yearly"})
    answer = await site.call("update_folder", {"id": folder["id"], "description": None})
    assert text_of(answer).startswith("Could not run update_folder. Nothing to change")
    await structured(site, "update_folder", {"id": folder["id"], "description": None, "name": "Reviews"})
    assert (await structured(site, "get_folder", {"id": folder["id"]}))["description"] == "Yearly"


async def test_public_access_is_removed_by_a_word_and_kept_by_null(site: Site) -> None:
    report = (await structured(site, "list_reports", {"maxResults": 1}))["reports"][0]
    resource = {"resourceType": "reports", "resourceId": report["id"]}
    owners = (await structured(site, "get_resource_permissions", resource))["permissions"]
    await structured(site, "update_resource_permissions", {**resource, "permissions": owners, "public": "viewer"})
    await structured(site, "update_resource_permissions", {**resource, "permissions": owners, "public": None})
    assert (await structured(site, "get_resource_permissions", resource))["public"] == "viewer"
    await structured(site, "update_resource_permissions", {**resource, "permissions": owners, "public": "no_access"})
    assert (await structured(site, "get_resource_permissions", resource)).get("public") is None
    # Alone, it leaves the users unchanged.
    before = (await structured(site, "get_resource_permissions", resource))["permissions"]
    await structured(site, "update_resource_permissions", {**resource, "public": "viewer"})
    after = await structured(site, "get_resource_permissions", resource)
    assert after["public"] == "viewer" and after["permissions"] == before


async def test_members_that_are_null_inside_are_omitted(site: Site) -> None:
    empty = dict.fromkeys(("metricFilter", "limitByChange", "forecastSettings", "customTimeRange", "currency"))
    filters = [{"id": "cloud_provider", "values": ["aws"], "mode": None, "inverse": None, "type": None}]
    query = {**QUERY, **empty, "secondaryTimeRange": {"amount": 1, "unit": "month", "customTimeRange": None}}
    assert (await structured(site, "run_query", {"query": query}))["secondaryRows"]
    breakdown = {"groupBy": "service", "period": "2026-08", "filters": filters}
    assert (await structured(site, "cost_breakdown", breakdown))["rows"]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("get_budget", {"id": "no-such-budget"}, "Could not run get_budget (HTTP 404)"),
        ("read_operation", {"name": "delete_budget"}, "Could not run read_operation: delete_budget changes something"),
        ("cost_breakdown", {"groupBy": "service", "period": "someday"}, "Could not run cost_breakdown: period: "),
        ("create_budget", {"amount": 0}, "Invalid arguments: "),
    ],
)
async def test_errors_begin_with_what_failed(site: Site, name: str, arguments: dict[str, Any], text: str) -> None:
    answer = await site.call(name, arguments)
    assert answer.result["isError"] is True and text_of(answer).startswith(text), text_of(answer)


@pytest.mark.parametrize("tool", ["list_budgets", "list_reports", "list_invoices", "get_anomalies", "list_tickets"])
async def test_an_empty_time_is_omitted(site: Site, tool: str) -> None:
    answer = await site.call(tool, {"minCreationTime": "", "maxCreationTime": ""})
    assert not answer.result.get("isError"), text_of(answer)
