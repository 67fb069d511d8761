"""Bundles of CloudFlow flows: exporting a flow, and importing a bundle as drafts."""

from __future__ import annotations

import jsonschema_rs
from aiohttp import web

from ..costs.calendar_days import format_rfc3339
from ..flow_bundles import KIND, SECTIONS, Bundle, find_errors, plan_import
from ..idempotency import run_once
from ..listing import query_flag
from ..responses import ApiError, JsonObject, json_response
from ..routes import Route
from ..schemas import BOOLEAN, object_schema, text_schema
from ..tenants import ApiRequest, add_record, check_capacity, get_existing
from . import cloudflow, cloudflow_connections
from .cloudflow_runs import ALL_PROBLEMS

# Errors of these operations are problem details, except 422.
PROBLEMS = ALL_PROBLEMS - {422}
IMPORT_BODY = jsonschema_rs.validator_for(
    object_schema(
        "bundle",
        bundle={"type": "object"},
        bindings=object_schema(
            "", **{name: {"type": "object", "additionalProperties": {"type": "string"}} for name in SECTIONS}
        ),
        options=object_schema("", createMissingTables=BOOLEAN, namePrefix=text_schema(100)),
    )
)


async def export_flow(request: ApiRequest) -> web.Response:
    """GET /cloudflow/v1/flows/{flowId}/export: the flow without credentials, ids of the tenant and state."""
    flow = get_existing(cloudflow.flow_records(request), request.path_parameter("flowId"), "flow")
    with_values = query_flag(request.query, "includeVariableValues", True)
    requirements = {name: flow["requirements"].get(name, []) for name in SECTIONS}
    exported = {
        "key": "main",
        **{name: flow[name] for name in ("name", "description", "triggerType")},
        "firstNode": flow["nodes"][0]["key"],
        "nodes": flow["nodes"],
        "localVariables": [_without_value(item, with_values) for item in flow["localVariables"]],
    }
    requirements["globalVariables"] = [_without_value(item, with_values) for item in requirements["globalVariables"]]
    bundle = {"kind": KIND, "schemaVersion": 1, "exportedAt": format_rfc3339(request.now), "rootFlow": "main"}
    return json_response({**bundle, "flows": [exported], "requirements": requirements})


async def import_flows(request: ApiRequest) -> web.Response:
    """POST /cloudflow/v1/flows/actions/import: creates drafts only; a dry run returns the plan with all errors."""
    body = await request.read_body(IMPORT_BODY)
    connections = [
        {"id": item["id"], "name": item["name"], "provider": "AWS" if "awsConfig" in item else "GCP"}
        for item in cloudflow_connections.connection_records(request).values()
    ]
    bundle = Bundle.from_body(body, connections)
    dry_run = query_flag(request.query, "dryRun")
    if not dry_run and (errors := find_errors(bundle)):
        raise ApiError(422, "; ".join(f"{error['code']}: {error['message']}" for error in errors))

    def run(dry_run: bool) -> JsonObject:
        return plan_import(bundle) if dry_run else _create_flows(request, bundle)

    return json_response(await run_once(request, run, reused_status=422, per_path=True), 200 if dry_run else 201)


def _create_flows(request: ApiRequest, bundle: Bundle) -> JsonObject:
    check_capacity(cloudflow.flow_records(request), len(bundle.flows))
    created = []
    for flow in bundle.flows:
        incomplete = bundle.incomplete_nodes(flow)
        record: JsonObject = {
            **dict.fromkeys(cloudflow.FLOW_FIELDS),
            "id": request.tenant.new_id(),
            "name": f"{bundle.name_prefix}{flow['name']}",
            "description": flow.get("description") or "",
            "published": False,
            "triggerType": flow.get("triggerType"),
            "createTime": format_rfc3339(request.now),
            "nodes": [dict(node) for node in flow["nodes"]],
            "localVariables": flow.get("localVariables", []),
            "requirements": bundle.requirements,
            "unbound": [node["id"] for node in incomplete],
        }
        add_record(cloudflow.flow_records(request), record)
        created.append(
            {
                "key": flow["key"],
                "id": record["id"],
                "name": record["name"],
                "status": "draft",
                "incompleteNodes": incomplete,
            }
        )
    variables = [
        {"key": item["key"], "id": request.tenant.new_id(), "name": item["name"]}
        for item in bundle.list_unbound("globalVariables")
    ]
    return {"flows": created, "createdTables": [], "createdGlobalVariables": variables, "orphanedResources": []}


def _without_value(variable: JsonObject, with_values: bool) -> JsonObject:
    return variable if with_values else {name: value for name, value in variable.items() if name != "value"}


ROUTES = (
    Route("GET", "/cloudflow/v1/flows/{flowId}/export", export_flow, "flows.read", problem_statuses=PROBLEMS),
    Route("POST", "/cloudflow/v1/flows/actions/import", import_flows, "flows.write", problem_statuses=PROBLEMS),
)
