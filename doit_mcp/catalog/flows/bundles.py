"""Bundles of flows: the tools import_cloudflow, which checks them first, and export_cloudflow."""

from __future__ import annotations

from typing import Annotated, Any

import orjson

from ...api.areas.cloudflow import FlowId
from ...api.areas.cloudflow_types import Bindings, FlowBundle, ImportOptions, ImportPlan
from ...api.common_types import AnyMembers
from ...api.errors import ApiError
from ...api.parameters import DryRun
from ...api.value_kinds import Members
from ...protocol.json_schema import Length
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..tools.composed import composed_tool
from .bundle_lint import BundleWarning, lint_bundle, select_objects
from .next_steps import suggest_next_step

MAX_BUNDLE_CHARACTERS = 25_000
"""Length of a bundle that is returned as a whole: longer results are truncated, and then cannot be imported."""
MAX_LISTED_ERRORS = 20


class CheckedPlan(ImportPlan, total=False):
    """What an import creates, or would create, and the probable mistakes."""

    warnings: Annotated[
        list[JsonObject], "Probable mistakes that the API accepts: flow, node, problem.", Members(BundleWarning)
    ]
    next: str


class ExportedBundle(FlowBundle, total=False):
    """A bundle, or a part of one that is too large."""

    complete: Annotated[bool, "false: some nodes lack their parameters, so it cannot be imported."]
    next: Annotated[str, "How to read the rest."]


@composed_tool(
    area="cloudflow",
    search_hint="Create, clone or copy a CloudFlow from a bundle, check a flow definition and its code",
    writes=True,
    open_world=False,
    confirm=False,
    verify_with=None,
    undone_by="nothing",
    no_undo="No tool deletes a flow. Imported flows are drafts: they do nothing until they are published.",
    default_list=False,
)
async def import_cloudflow(
    call: Call,
    *,
    bundle: Annotated[
        AnyMembers, "As export_cloudflow returns it: kind, schemaVersion, rootFlow, flows, requirements."
    ],
    bindings: Annotated[Bindings | None, "Ids for the requirements, by their keys."] = None,
    options: Annotated[ImportOptions | None, "createMissingTables, namePrefix."] = None,
    dryRun: Annotated[DryRun, "true only checks the bundle."] = None,
) -> Annotated[JsonObject, CheckedPlan]:
    """Create CloudFlow automations from a bundle, as drafts with new ids; nothing is published or scheduled. Read
    get_cloudflow_guide first, then call with dryRun: it lists all errors, what the flows need from this customer (with
    candidates for bindings), and code that would run without an error and return nothing."""
    warnings = await run_in_thread(lint_bundle, bundle)
    request: Any = {"bundle": bundle}
    request |= {name: value for name, value in (("bindings", bindings), ("options", options)) if value}
    send = call.doit.cloudflow.import_cloudflow
    try:
        # The response of a write can be empty.
        plan: JsonObject = await send(dryRun=dryRun, **request) or {}
    except ApiError as error:
        if dryRun or error.status != 422:
            raise
        raise _import_error(error, await send(dryRun=True, **request) or {}) from error
    return {**plan, "warnings": warnings, "next": suggest_next_step(plan, warnings, is_dry_run=dryRun is True)}


def _import_error(error: ApiError, plan: JsonObject) -> ApiError:
    """Return the *error* of an import with all errors of its *plan*: the API's own message may have only one."""
    listed = select_objects(plan.get("errors"))
    problems = [
        ": ".join(str(item[name]) for name in ("field", "code", "message") if item.get(name)) for item in listed
    ]
    if not problems:
        return error
    more = f"; and {len(problems) - MAX_LISTED_ERRORS} more" if len(problems) > MAX_LISTED_ERRORS else ""
    reason = "; ".join(problems[:MAX_LISTED_ERRORS])
    return ApiError(f"{reason}{more}. Nothing was created", kind="refused", status=error.status)


@composed_tool(
    area="cloudflow",
    search_hint="Export, read or clone a CloudFlow: its nodes, code and parameters as a bundle",
    narrow_hint="Pass nodes for only some of them.",
    slow=False,
    default_list=False,
)
async def export_cloudflow(
    call: Call,
    *,
    flowId: FlowId,
    includeVariableValues: Annotated[
        bool | None, "false leaves out the values of variables, which can be secret."
    ] = None,
    nodes: Annotated[
        list[str] | None, "Names or keys of nodes: only these, with their parameters.", Length(1, 50)
    ] = None,
) -> Annotated[JsonObject, ExportedBundle]:
    """Export a CloudFlow automation and its subflows as a bundle, without credentials: to read its nodes and code, or to
    change it and create a new flow with import_cloudflow. For a very large flow, the
    first result omits the parameters of its nodes."""
    bundle = await call.doit.cloudflow.export_cloudflow(flowId=flowId, includeVariableValues=includeVariableValues)
    if nodes:
        return {**_select_nodes(bundle, set(nodes)), "complete": False}
    if len(orjson.dumps(bundle)) <= MAX_BUNDLE_CHARACTERS:
        return {**bundle, "complete": True}
    outline = _with_nodes(bundle, _outline_node)
    return {**outline, "complete": False, "next": "Call again with nodes to read the parameters of some nodes."}


def _select_nodes(bundle: JsonObject, wanted: set[str]) -> JsonObject:
    return _with_nodes(bundle, lambda node: node if {str(node.get("key")), str(node.get("name"))} & wanted else None)


def _outline_node(node: JsonObject) -> JsonObject:
    """Return a node without its parameters, but with their size."""
    outline: JsonObject = {name: node[name] for name in ("key", "name", "type", "transitions") if name in node}
    return {**outline, "parametersBytes": len(orjson.dumps(node.get("parameters")))}


def _with_nodes(bundle: JsonObject, change: Any) -> JsonObject:
    """Return a bundle with its nodes as *change* returns them, without those for which it returns None."""
    return {
        **bundle,
        "flows": [
            {
                **flow,
                "nodes": [kept for node in select_objects(flow.get("nodes")) if (kept := change(node)) is not None],
            }
            for flow in select_objects(bundle.get("flows"))
        ],
    }
