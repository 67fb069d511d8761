"""Bundles and runs of flows: the tools, against the sandbox and a recorder."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.flows.bundles import MAX_BUNDLE_CHARACTERS
from doit_mcp.catalog.flows.run_payloads import MAX_SHOWN_BYTES, PIECE_CHARACTERS
from doit_mcp.catalog.skills.collection import CLOUDFLOW_GUIDE
from doit_mcp.catalog.tools.series import structured_content
from doit_mcp.catalog.tools.tool import ContentResult
from tests.api.recorder import Recorder
from tests.sandbox.bodies import BUNDLE

from ..caller import TOOLS, Caller, run
from ..conftest import Ask

FAILING = "function main() { return 1 }"


def with_code(code: str) -> dict[str, Any]:
    """Return the bundle with this code in its second node."""
    first, second = BUNDLE["flows"][0]["nodes"]
    changed = second | {"parameters": {"code": code, "schema": "{}"}}
    return BUNDLE | {"flows": [BUNDLE["flows"][0] | {"nodes": [first, changed]}]}


async def test_exported_flow_is_imported_as_a_draft(ask: Ask) -> None:
    flows = (await ask("list_cloudflows"))["items"]
    draft = next(item for item in flows if not item["published"])
    bundle = await ask("export_cloudflow", flowId=draft["id"])
    assert bundle.pop("complete") is True
    plan = await ask("import_cloudflow", bundle=bundle, dryRun=True)
    assert plan["valid"] is True and plan["warnings"] == [] and "without dryRun" not in plan["next"]
    assert "nodes would be incomplete" in plan["next"] and 'bindings {"connections":{"aws":"id"}}' in plan["next"]
    assert plan["requirements"][0]["resolution"] == "suggested" and (await ask("list_cloudflows"))["items"] == flows
    connection = plan["requirements"][0]["candidates"][0]["id"]
    bound = await ask("import_cloudflow", bundle=bundle, bindings={"connections": {"aws": connection}}, dryRun=True)
    assert bound["next"] == "Call again without dryRun to create the drafts."
    unbound = await ask("import_cloudflow", bundle=bundle)
    assert "see incompleteNodes" in unbound["next"]
    made = await ask("import_cloudflow", bundle=bundle, bindings={"connections": {"aws": connection}})
    assert made["flows"][0]["status"] == "draft" and made["flows"][0]["incompleteNodes"] == []
    trial = await ask("test_cloudflow", flowId=made["flows"][0]["id"], dryRun=True)
    assert trial == {"valid": True, "status": "dry_run", "dryRun": True}


async def test_code_without_a_result_is_found_before_the_import(ask: Ask) -> None:
    plan = await ask("import_cloudflow", bundle=with_code(FAILING), dryRun=True)
    assert plan["valid"] is True, "the API accepts it"
    assert ["no return" in item["problem"] for item in plan["warnings"]] == [True, False]
    assert {item["node"] for item in plan["warnings"]} == {"Greet"} and "warnings" in plan["next"]
    assert (await ask("import_cloudflow", bundle=with_code("return 1"), dryRun=True))["warnings"] == []


async def test_refused_import_names_all_errors(ask: Ask) -> None:
    before = (await ask("list_cloudflows"))["items"]
    with pytest.raises(ApiError) as caught:
        await ask("import_cloudflow", bundle=BUNDLE | {"kind": "x", "schemaVersion": 2})
    for code in ("bundle_schema_invalid", "bundle_version_unsupported", "Nothing was created"):
        assert code in caught.value.reason
    assert (await ask("list_cloudflows"))["items"] == before
    plan = await ask("import_cloudflow", bundle=BUNDLE | {"kind": "x"}, dryRun=True)
    assert plan["valid"] is False and plan["next"].startswith("Correct the errors")


async def test_large_export_comes_in_parts() -> None:
    text = "x" * (MAX_BUNDLE_CHARACTERS // 2)
    nodes = [{"key": f"k{at}", "name": f"N{at}", "type": "codeNode", "parameters": {"code": text}} for at in range(3)]
    api = Recorder({"kind": "k", "rootFlow": "f", "flows": [{"key": "f", "name": "F", "nodes": nodes}]})
    outline = await run("export_cloudflow", api, flowId="f")
    assert outline["complete"] is False and "nodes" in outline["next"]
    (flow,) = outline["flows"]
    assert [set(node) for node in flow["nodes"]] == [{"key", "name", "type", "parametersBytes"}] * 3
    part = await run("export_cloudflow", api, flowId="f", nodes=["k0", "N2", "other"])
    assert part["flows"][0]["nodes"] == [nodes[0], nodes[2]] and part["complete"] is False


async def test_run_waits_for_approval_and_is_stopped(ask: Ask) -> None:
    draft = next(item["id"] for item in (await ask("list_cloudflows"))["items"] if not item["published"])
    started = await ask("test_cloudflow", flowId=draft)
    assert started["isTest"] is True and started["status"] == "pending"
    with pytest.raises(ApiError) as caught:
        await ask("test_cloudflow", flowId=draft, payload={"again": True})
    assert caught.value.kind == "conflict" and not caught.value.maybe_applied
    shown = await ask("get_cloudflow_run", flowId=draft, runId=started["id"])
    assert "call again" in shown["next"] and [node["status"] for node in shown["nodes"]] == ["pending"] * 4
    stopped = await ask("stop_cloudflow_run", flowId=draft)
    assert stopped["status"] == "stopped" and stopped["id"] == started["id"]
    shown = await ask("get_cloudflow_run", flowId=draft, runId=started["id"])
    assert shown["failedNodes"][0]["status"] == "stopped" and "next" not in shown


async def test_active_run_is_named(ask: Ask) -> None:
    flow = next(item["id"] for item in (await ask("list_cloudflows"))["items"] if item["published"])
    started = await ask("start_cloudflow_run", flowId=flow)
    with pytest.raises(ApiError) as caught:
        await ask("start_cloudflow_run", flowId=flow, payload={"another": 1})
    assert f"active run: {started['id']} (pending)" in caught.value.reason


async def test_every_node_that_cannot_run_is_named(ask: Ask) -> None:
    nodes = [{"key": f"k{at}", "name": f"N{at}", "type": "codeNode", "parameters": {}} for at in range(8)]
    flow = BUNDLE["flows"][0] | {"nodes": nodes, "firstNode": "k0"}
    made = await ask("import_cloudflow", bundle=BUNDLE | {"flows": [flow]})
    with pytest.raises(ApiError) as caught:
        await ask("test_cloudflow", flowId=made["flows"][0]["id"], dryRun=True)
    assert all(f"k{at}: parameters.code is required" in caught.value.reason for at in range(8))


def payload(*entries: Any, **members: Any) -> dict[str, Any]:
    return {"value": list(entries), "truncated": False, "totalBytes": 10, **members}


RUN = {
    **{"id": "r", "flowId": "f", "status": "complete", "isTest": True},
    "nodes": [
        {"nodeId": "k1", "name": "First", "status": "complete", "input": None, "output": payload("é" * 5_000)},
        {
            "nodeId": "k2",
            "name": "Second",
            "status": "failed",
            "error": "no access",
            "input": payload(1),
            "output": None,
        },
        {"nodeId": "k3", "name": "Last", "status": "complete", "input": None, "output": payload({"answer": 42})},
        {"nodeId": "k4", "name": "Other", "status": "skipped", "input": None, "output": None},
    ],
}


async def test_last_node_comes_first_and_the_rest_by_handle() -> None:
    caller = Caller(Recorder(RUN))
    result = await TOOLS["get_cloudflow_run"].run(caller, {"flowId": "f", "runId": "r"})
    assert not isinstance(result, ContentResult)
    shown = structured_content(result)
    assert shown["node"]["name"] == "Last" and shown["node"]["output"] == {"value": [{"answer": 42}]}
    assert list(shown).index("node") < list(shown).index("nodes")
    (failed,) = shown["failedNodes"]
    assert (failed["name"], failed["error"]) == ("Second", "no access")
    assert [node.get("outputBytes") for node in shown["nodes"]] == [10, None, 10, None]
    arguments = {"handle": shown["handle"], "filters": [{"column": "node", "op": "is", "values": ["First"]}]}
    query = TOOLS["query_result"].coerce_arguments(arguments)
    rows = structured_content(await TOOLS["query_result"].run(caller, query))["rows"]
    text = "".join(row[-1] for row in rows)
    assert text == f'"{"é" * 5_000}"' and all(len(row[-1]) <= PIECE_CHARACTERS for row in rows)


async def test_one_node_is_shown_on_request() -> None:
    shown = await run("get_cloudflow_run", Recorder(RUN), flowId="f", runId="r", node="k1")
    output = shown["node"]["output"]
    assert (output["value"], output["shown"], output["of"]) == ([], 0, 1)
    assert len(output["beginning"]) == PIECE_CHARACTERS < MAX_SHOWN_BYTES
    with pytest.raises(ApiError, match="First, Second, Last, Other"):
        await run("get_cloudflow_run", Recorder(RUN), flowId="f", runId="r", node="Third")


async def test_small_run_needs_no_handle() -> None:
    nodes = [{"nodeId": "k", "name": "N", "status": "complete", "input": None, "output": payload(1, truncated=True)}]
    shown = await run("get_cloudflow_run", Recorder(RUN | {"nodes": nodes}), flowId="f", runId="r")
    assert "handle" not in shown and shown["node"]["output"] == {"value": [1], "truncated": True, "totalBytes": 10}
    for empty in ([], None, "x"):
        assert (await run("get_cloudflow_run", Recorder(RUN | {"nodes": empty}), flowId="f", runId="r"))["node"] is None


async def test_guide_is_a_tool_and_a_resource(ask: Ask) -> None:
    assert (await ask("get_cloudflow_guide"))["guide"] == CLOUDFLOW_GUIDE.text
    assert "get_cloudflow_guide" in TOOLS["import_cloudflow"].description
