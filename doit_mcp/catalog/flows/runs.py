"""get_cloudflow_run: a run with its last node first, and the payloads of all nodes by handle."""

from __future__ import annotations

from typing import Annotated, Any

from ...api.areas.cloudflow import FlowId
from ...api.areas.cloudflow_types import RunSummary
from ...api.errors import ApiError
from ...api.markers import IDENTIFIER
from ...api.parameters import Id
from ...api.value_kinds import Verbatim
from ...protocol.json_schema import Length
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..tools.composed import composed_tool
from ..tools.result_handles import pack_table
from .run_payloads import PARTS, choose_node, describe_node, is_cut, payload_table, summarize_node

MAX_NAMED_NODES = 20
FAILED = ("failed", "completed-with-errors", "rejected", "approval-timed-out", "stopped")
NEXT_STEPS = {
    "pending": "Not finished: call again in a few seconds.",
    "running": "Not finished: call again in a few seconds.",
    "sleeping": "The flow waits. Call again later.",
    "pending-approval": "A step waits for approval, which its approvers give in the DoiT console.",
}


class ShownRun(RunSummary, total=False):
    """A run of a flow."""

    next: str
    node: Annotated[
        JsonObject | None, "The last node that has started, or the one asked for, with input and output.", Verbatim
    ]
    failedNodes: Annotated[list[JsonObject], "Nodes that did not complete, with their errors.", Verbatim]
    nodes: Annotated[list[JsonObject], "All nodes in order, with the sizes of their payloads.", Verbatim]
    handle: Annotated[str, "For query_result: all payloads in pieces, by node, part, entry and piece."]


@composed_tool(
    area="cloudflow",
    search_hint="Outcome of a CloudFlow run, result and error of each node, debugging a flow",
    narrow_hint="Ask for one node.",
    slow=False,
    default_list=False,
)
async def get_cloudflow_run(
    call: Call,
    *,
    flowId: FlowId,
    runId: Annotated[Id, "Run id, from list_cloudflow_runs."],
    node: Annotated[
        str | None, "Name or id of a node to show. Default: the last one.", Length(1, 500), IDENTIFIER
    ] = None,
) -> Annotated[JsonObject, ShownRun]:
    """Show a run of a CloudFlow automation: status, errors, and what its last node received and returned, or another
    node's. input is recorded for actions only. Sensitive values are redacted."""
    run = await call.doit.cloudflow.get_cloudflow_run(flowId=flowId, runId=runId)
    listed = run.get("nodes")
    nodes = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    chosen = choose_node(nodes, node)
    if node is not None and chosen is None:
        names = ", ".join(str(item.get("name")) for item in nodes[:MAX_NAMED_NODES])
        raise ApiError(f"node: the run has no such node. Nodes: {names or 'none'}", kind="argument")
    shown = None if chosen is None else describe_node(chosen)
    handle = await _store_payloads(call, nodes, chosen, shown)
    failed = [summarize_node(item) for item in nodes if item.get("error") or item.get("status") in FAILED]
    return {
        **{name: value for name, value in run.items() if name != "nodes"},
        **({"next": next_step} if (next_step := NEXT_STEPS.get(str(run.get("status")))) else {}),
        "node": shown,
        **({"failedNodes": failed} if failed else {}),
        "nodes": [summarize_node(item) for item in nodes],
        **({"handle": handle} if handle else {}),
    }


async def _store_payloads(call: Call, nodes: list[JsonObject], chosen: Any, shown: JsonObject | None) -> str | None:
    """Store all payloads if the result leaves some out, and return the handle."""
    others = any(item.get(part) is not None for item in nodes if item is not chosen for part in PARTS)
    if not others and not (shown and any(is_cut(shown[part]) for part in PARTS)):
        return None
    data = await run_in_thread(lambda: pack_table(payload_table(nodes), call.customer_context))
    return await call.results.put(call.owner, data)
