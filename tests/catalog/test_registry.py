"""The whole catalog: properties that every tool must have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doit_mcp.api import AREAS
from doit_mcp.api.common_types import ListPage
from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.queries.stored_result import MAX_CSV_CHARACTERS
from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tools import tool_result
from doit_mcp.catalog.tools.declarations import COMPOSED_TOOLSETS
from doit_mcp.catalog.tools.sanitize import sanitize_json
from doit_mcp.catalog.tools.tool import ContentResult, Tool, ToolError
from doit_mcp.catalog.tools.tool_factory import MAX_RESULT_SIZE_KEY
from doit_mcp.catalog.toolsets import Selection, select_callable_tools
from tests.api.recorder import Recorder

from .caller import STREAMED, Caller
from .examples import objects, with_change

TOOLS = all_tools()
EACH = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
HINTS = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}


def schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield a schema and every schema nested in it."""
    assert isinstance(schema, dict), f"a subschema that is not an object: {schema!r}"
    yield schema
    for name in ("properties", "patternProperties", "$defs"):
        for inner in schema.get(name, {}).values():
            yield from schemas(inner)
    for name in ("items", "not"):
        if name in schema:
            yield from schemas(schema[name])
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for inner in schema.get(name, []):
            yield from schemas(inner)


@pytest.mark.requirement("A1", "M61")
@EACH
def test_tool_has_a_name_and_description(tool: Tool) -> None:
    where = f"{tool.declared_in}: {tool.name}"
    assert re.fullmatch(r"[a-z][a-z0-9_]{2,39}", tool.name), (
        f"{where} needs a name in snake case, of 3 to 40 characters"
    )
    assert tool.title and tool.title[0].isupper() and len(tool.title) <= 60, f"{where} needs title= in its decorator"
    assert 20 <= len(tool.description) <= 1024 and tool.description.endswith((".", "}")), (
        f"{where} needs a docstring of 20 to 1024 characters that ends with a period: it is the tool's description"
    )
    members = (tool.output_schema or {})["properties"]
    lists = [name for name, schema in members.items() if schema.get("type") == "array"]
    only_rows = not tool.writes and members.keys() - ListPage.__annotations__.keys() == {*lists}
    # The result of search, a composed tool, has the form that ChatGPT requires.
    is_list = tool.verb == "list" or (only_rows and tool.declared_in.startswith("doit_mcp/api/"))
    assert tool.rows_key or not is_list or len(lists) != 1, (
        f"{where} needs items={lists[0]!r} (rows_key= for a composed tool) in its decorator: it holds the rows"
    )
    assert sanitize_json(tool.description) == tool.description and tool.description.isprintable()
    assert tool.area in {*AREAS, *COMPOSED_TOOLSETS}
    assert tool.narrow_hint.endswith("."), f"{where} needs a sentence with a period in narrow_hint="


@pytest.mark.requirement("A2")
@EACH
def test_hints_match_the_operation(tool: Tool) -> None:
    assert set(tool.annotations) == HINTS and all(isinstance(hint, bool) for hint in tool.annotations.values())
    assert tool.writes != tool.annotations["readOnlyHint"]
    assert not (tool.annotations["readOnlyHint"] and tool.annotations["destructiveHint"])


@EACH
def test_tool_has_client_metadata(tool: Tool) -> None:
    assert tool.security and all(scheme == {"type": "oauth2", "scopes": ["mcp:tools"]} for scheme in tool.security)
    assert tool.meta["securitySchemes"] == list(tool.security)
    for status in ("invoking", "invoked"):
        assert 0 < len(tool.meta[f"openai/toolInvocation/{status}"]) <= 64
    assert 10 < len(tool.meta["anthropic/searchHint"]) <= 200
    # The client itself limits a single read request.
    assert not tool.writes if tool.deadline is None else 0 < tool.deadline <= 45


def test_the_search_that_stores_a_filter_is_a_write() -> None:
    """find_cloud_diagrams also queues the rendering of images, so no read-only list may have it."""
    [tool] = [tool for tool in TOOLS if tool.name == "find_cloud_diagrams"]
    assert tool.writes and {name: tool.annotations[name] for name in ("readOnlyHint", "destructiveHint")} == {
        "readOnlyHint": False,
        "destructiveHint": False,
    }
    assert tool not in select_callable_tools(TOOLS, Selection(readonly=True))


def test_few_tools_are_always_loaded() -> None:
    pinned = {tool.name for tool in TOOLS if tool.meta.get("anthropic/alwaysLoad") is True}
    assert pinned == {"get_cloud_overview", "find_operation", "read_operation", "call_operation", "confirm_action"}
    assert pinned < {tool.name for tool in TOOLS if tool.facts.get("default_list")}
    assert all("anthropic/alwaysLoad" not in tool.meta for tool in TOOLS if tool.name not in pinned)


def test_only_exports_may_exceed_the_truncation_limit() -> None:
    roomy = {tool.name: tool.meta[MAX_RESULT_SIZE_KEY] for tool in TOOLS if MAX_RESULT_SIZE_KEY in tool.meta}
    assert (
        roomy == {"query_result": 2 * MAX_CSV_CHARACTERS}
        and tool_result.MAX_READ_CHARACTERS < 2 * MAX_CSV_CHARACTERS <= 500_000
    )


def test_one_tool_identifies_the_account() -> None:
    """The profile tool meets ChatGPT's rules: no arguments, and a required id."""
    (tool,) = (tool for tool in TOOLS if "openai/profile" in tool.meta)
    assert tool.name == "validate_user" and tool.meta["openai/profile"] is True and tool.annotations["readOnlyHint"]
    assert tool.input_schema["properties"] == {} and tool.output_schema is not None
    fields = tool.output_schema["properties"]
    assert tool.output_schema["required"] == ["id"] and fields["id"]["type"] == fields["email"]["type"] == "string"


@pytest.mark.requirement("M58", "M61", "M70", "M91")
@EACH
def test_schemas_are_portable(tool: Tool) -> None:
    assert tool.output_schema is not None
    for root in (tool.input_schema, tool.output_schema):
        jsonschema_rs.meta.validate(root)
        assert root["type"] == "object" and not {"anyOf", "oneOf", "allOf", "$ref", "$schema"} & set(root)
        for schema in schemas(root):
            assert isinstance(schema.get("type", ""), str) and "$ref" not in schema
            assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) for name in schema.get("properties", {}))
            assert set(schema.get("required", ())) <= set(schema.get("properties", {}))
            assert "description" not in schema or schema["description"].strip()
    assert "additionalProperties" not in tool.input_schema and tool.accepted_schema["additionalProperties"] is False
    assert "additionalProperties" not in tool.output_schema


@EACH
def test_definition_stays_below_chatgpts_size_limit(tool: Tool) -> None:
    # The limit is 5,000 tokens of name, description and input schema; a token of JSON Schema is about 3.5 characters.
    assert len(str(tool.input_schema)) + len(tool.description) < 15_000


@pytest.mark.requirement("M51")
@EACH
def test_empty_results_and_receipts_match_the_output_schema(tool: Tool) -> None:
    assert tool.result_problems({}) == [] or not tool.writes
    receipt = tool_result.oversized_result(tool, {"id": "x"})
    if tool.writes:
        assert tool.result_problems({"status": "completed", "identifiers": {"id": "x"}}) == []
        assert "isError" not in receipt and receipt["content"]
    else:
        assert receipt["isError"] and "RESPONSE_TOO_LARGE" in receipt["content"][0]["text"]


@pytest.mark.requirement("A1", "M103")
def test_names_are_unique_and_order_is_stable() -> None:
    names = [tool.name for tool in TOOLS]
    again = sorted({name for name in names if names.count(name) > 1})
    assert not again, f"several tools are called {', '.join(again)}"
    assert all_tools() is TOOLS
    assert names[:2] == ["get_cloud_overview", "cost_breakdown"]


def test_every_operation_is_a_tool() -> None:
    operations = {operation.name for area in AREAS.values() for operation in area.operations}
    assert operations <= {tool.name for tool in TOOLS}


def test_core_operations_are_present() -> None:
    names = {tool.name for tool in TOOLS}
    assert names >= {
        *("validate_user", "list_budgets", "get_budget", "create_budget", "update_budget", "list_reports"),
        *("get_report_results", "run_query", "cost_breakdown", "get_anomalies", "get_anomaly", "list_invoices"),
        *("get_invoice", "list_tickets", "create_ticket", "refine_cloudflow"),
    }


# Minimal arguments that the schema alone does not determine.
LEAST: dict[str, dict[str, Any]] = {
    "call_operation": {"name": "create_label", "input": {"name": "n", "color": "blue"}},
    "read_operation": {"name": "list_labels"},
    "find_operation": {"query": "labels"},
    "cost_breakdown": {"groupBy": "service"},
    "compare_spend": {"period2": {"from": "2026-01-01", "to": "2026-01-31"}},
    "explain_cost_change": {},
    "fetch": {"id": "budget:x"},
    "query_result": {"handle": "x"},
    "search": {"query": "x"},
    "get_customer": {"customerId": "c"},
    "update_customer": {"customerId": "c", "settings": {"mfaRequired": True}},
    "delete_datahub_events_by_filter": {"dataset": "d", "eventIds": ["x"]},
    "upload_datahub_csv": {"provider": "p", "csv": "time\n"},
    "create_budget": {"name": "n", "currency": "USD", "type": "fixed", "startPeriod": 1},
    "create_ticket": {
        "ticket": {"subject": "s", "body": "b", "platform": "doit", "product": "p", "severity": "low"},
    },
    "refine_cloudflow": {"flowId": "f", "question": "q"},
    "run_query": {"query": {}},
}


def minimal_arguments(tool: Tool) -> dict[str, Any]:
    """Return minimal arguments for a call."""
    by_id = {"id": "x"} if tool.input_schema["properties"].get("id", {}).get("type") == "string" else {}
    return LEAST.get(tool.name, with_change(tool, by_id | next(objects(tool.accepted_schema))))


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("result", "rows", "schema", "name", "cost", "id", "pageToken", "rowCount", "answer", "error"),
                    *("budgets", "reports", "anomalies", "invoices", "tickets", "startTime", "invoiceDate", "subject"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@EACH
@settings(max_examples=40)
@given(odd=ODD)
async def test_any_api_response_is_a_result_or_a_clean_error(tool: Tool, odd: Any) -> None:
    arguments = minimal_arguments(tool)
    assert tool.argument_problems(arguments) == [], (
        f"{tool.name}: add arguments for a call to LEAST in tests/catalog/test_registry.py"
    )
    api = Recorder(odd if tool.name not in STREAMED else [odd] if isinstance(odd, dict) else [])
    try:
        result = await tool.run(Caller(api), arguments)
    except (ApiError, ToolError):
        return
    if isinstance(result, ContentResult):
        assert tool.result_problems(result.structured or {}) == []
        return
    body = orjson.loads(orjson.dumps(tool_result.make_tool_result_inline(tool, arguments, result)))
    if not body.get("isError"):
        assert tool.result_problems(body["structuredContent"]) == []
