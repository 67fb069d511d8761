"""Initial CloudFlow flows of both customers, in the form of bundles: nodes, transitions and required connections."""

from __future__ import annotations

from collections.abc import Iterator

from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..responses import JsonObject
from ..tenants import Tenant

CODE_SCHEMA = '{"type": "object", "properties": {"message": {"type": "string"}}}'
DIGEST_CODE = """const rows = $nodes["Query last week's cost by service"][0].results;
return {message: `${rows.length} services`};"""
AWS_CONNECTION: JsonObject = {"key": "aws", "provider": "AWS", "name": "Production accounts"}


def seed_flows(tenant: Tenant) -> Iterator[JsonObject]:
    """Three flows: one that runs weekly, a draft, and one that a webhook starts."""
    yield make_flow(
        tenant,
        "Weekly cost digest",
        "Sends the cost of the week by service.",
        48,
        chain_nodes(
            make_node("Every Monday", "triggerNode", {"schedule": {"cron": "0 8 * * 1"}}),
            make_node("Query last week's cost by service", "actionNode", make_action("DoiT", "runQuery")),
            make_node("Format the digest", "codeNode", {"code": DIGEST_CODE, "schema": CODE_SCHEMA}),
            make_node("Send the result by email", "actionNode", make_action("DoiT", "sendEmail")),
        ),
        "schedule",
    )
    yield make_flow(
        tenant,
        "Stop idle staging machines",
        "Looks for machines without load and stops them.",
        11,
        chain_nodes(
            make_node("Start", "manualTrigger", {}),
            make_node("List machines in staging", "actionNode", make_action("AWS", "DescribeInstances")),
            make_node("Keep those below 5 % load", "filterNode", {"condition": {"field": "load", "below": 5}}),
            make_node("Stop them", "actionNode", make_action("AWS", "StopInstances"))
            | {"approval": {"required": True, "message": "Stop these machines?"}},
        ),
        None,
        [AWS_CONNECTION],
    )
    yield make_flow(
        tenant,
        "Snapshot disks on request",
        "Makes a snapshot of the disks that a webhook names.",
        90,
        chain_nodes(
            make_node("Request", "triggerNode", {"webhook": {}}),
            make_node("Make snapshots", "actionNode", make_action("AWS", "CreateSnapshot")),
        ),
        "webhook",
        [AWS_CONNECTION],
    )


def make_node(name: str, type_: str, parameters: JsonObject) -> JsonObject:
    """A node without a key and transitions."""
    return {"name": name, "type": type_, "parameters": parameters}


def make_action(provider: str, operation: str) -> JsonObject:
    """The parameters of an action; those of a cloud name the connection that they require."""
    identity = {"id": operation, "provider": provider, "service": provider.lower(), "version": "v1"}
    connection = {"connection": "$req:connections/aws"} if provider == "AWS" else {}
    return {"provider": provider, "operation": identity, "configurationValues": connection, "formValues": {}}


def chain_nodes(*nodes: JsonObject) -> list[JsonObject]:
    """The nodes one after the other."""
    keys = [f"node-{at}" for at in range(1, len(nodes) + 1)]
    return [
        {"key": key, **node, "transitions": [{"target": target}] if target else []}
        for key, target, node in zip(keys, [*keys[1:], None], nodes)
    ]


def make_flow(
    tenant: Tenant,
    name: str,
    description: str,
    days_ago: int,
    nodes: list[JsonObject],
    trigger: str | None,
    connections: list[JsonObject] | None = None,
) -> JsonObject:
    """A flow, a draft without a *trigger*, and the connections that its nodes require."""
    ran = format_rfc3339(tenant.started_at - 3 * DAY_SECONDS) if trigger else None
    return {
        "name": name,
        "description": description,
        "instructions": None,
        "published": trigger is not None,
        "triggerType": trigger,
        "createTime": format_rfc3339(tenant.started_at - days_ago * DAY_SECONDS),
        "updateTime": None,
        "lastExecutedTime": ran,
        "lastExecutionStatus": "complete" if trigger else None,
        "nextRun": format_rfc3339(tenant.started_at + 4 * DAY_SECONDS) if trigger == "schedule" else None,
        "nodes": nodes,
        "localVariables": [],
        "requirements": {"connections": connections or [], "datastoreTables": [], "globalVariables": []},
        "unbound": [],
    }
