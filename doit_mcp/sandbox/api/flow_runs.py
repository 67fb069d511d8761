"""Runs of CloudFlow flows: their state over time, and what each node received and returned.

A run takes RUN_SECONDS, the same time for each node. It waits at a node that needs approval until it is stopped, because
the sandbox has no approvers. One run of a flow at a time, test runs among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from .costs.calendar_days import DAY_SECONDS, format_rfc3339
from .responses import JsonObject
from .seeds.flows import seed_flows
from .tenants import MAX_RECORDS, ApiRequest, Records, Tenant

RUN_SECONDS = 60
PENDING_SECONDS = 2  # before the first node starts
MAX_PAYLOAD_BYTES = 64 << 10
ACTIVE = ("pending", "running", "pending-approval", "sleeping")
TRIGGER_TYPES = ("triggerNode", "manualTrigger")
SECRET_NAME = re.compile(r"password|secret|token|api_?key|credential", re.IGNORECASE)
REDACTED = "[REDACTED]"
TOP_LEVEL_RETURN = re.compile(r"^return\b", re.MULTILINE)


def run_records(request: ApiRequest) -> Records:
    """The tenant's runs by id, oldest first."""
    return request.tenant.collection("flow runs", seed_runs)


def seed_runs(tenant: Tenant) -> Iterator[JsonObject]:
    """The last run of each published flow, oldest first."""
    for flow in tenant.collection("flows", seed_flows).values():
        if flow["published"]:
            yield {
                "flowId": flow["id"],
                "flowName": flow["name"],
                "isTest": False,
                "triggeredBy": flow["triggerType"],
                "start": tenant.started_at - 3 * DAY_SECONDS,
                "stopped": None,
                "stoppedBy": None,
                "nodes": [dict(node) for node in flow["nodes"]],
                "payload": {},
            }


def start_run(request: ApiRequest, flow: JsonObject, payload: JsonObject, *, is_test: bool) -> JsonObject:
    """Start a run and return its record. The oldest ones are forgotten."""
    records = run_records(request)
    while len(records) >= MAX_RECORDS:
        del records[next(iter(records))]
    run: JsonObject = {
        "id": request.tenant.new_id(),
        "flowId": flow["id"],
        "flowName": flow["name"],
        "isTest": is_test,
        "triggeredBy": request.user.email,
        "start": request.now,
        "stopped": None,
        "stoppedBy": None,
        "nodes": [dict(node) for node in flow["nodes"]],
        "payload": payload,
    }
    records[run["id"]] = run
    return run


def list_flow_runs(request: ApiRequest, flow_id: str) -> list[JsonObject]:
    """The runs of a flow, newest first."""
    return [run for run in reversed(run_records(request).values()) if run["flowId"] == flow_id]


def find_active_run(request: ApiRequest, flow_id: str) -> JsonObject | None:
    """The run of a flow that has not ended, if any."""
    return next((run for run in list_flow_runs(request, flow_id) if run_status(run, request.now) in ACTIVE), None)


def last_execution(request: ApiRequest, flow: JsonObject) -> JsonObject:
    """Time and status of the last run of a flow, without test runs."""
    run = next((run for run in list_flow_runs(request, flow["id"]) if not run["isTest"]), None)
    if run is None:
        return {name: flow[name] for name in ("lastExecutedTime", "lastExecutionStatus")}
    status = run_status(run, request.now)
    return {"lastExecutedTime": format_rfc3339(run["start"]), "lastExecutionStatus": status}


def step_names(flow: JsonObject) -> list[str]:
    """The names of the nodes after the trigger."""
    return [node["name"] for node in flow["nodes"] if node["type"] not in TRIGGER_TYPES]


def run_status(run: JsonObject, now: float) -> str:
    """The status of a run."""
    if run["stopped"] is not None:
        return "stopped"
    if now - run["start"] < PENDING_SECONDS:
        return "pending"
    done = _finished_count(run, now)
    if done < len(run["nodes"]):
        return "pending-approval" if _needs_approval(run["nodes"][done]) else "running"
    return "complete"


def summarize_run(run: JsonObject, now: float) -> JsonObject:
    """CloudflowRunSummary."""
    status = run_status(run, now)
    summary = {name: run[name] for name in ("id", "flowId", "flowName", "isTest", "triggeredBy", "stoppedBy")}
    summary |= {"status": status, "triggerTime": format_rfc3339(run["start"]), "error": None}
    if status != "pending":
        summary["startTime"] = format_rfc3339(run["start"] + PENDING_SECONDS)
    if status not in ACTIVE:
        summary["endTime"] = format_rfc3339(run["stopped"] or run["start"] + RUN_SECONDS)
    return summary


def describe_run(run: JsonObject, now: float) -> JsonObject:
    """CloudflowRun: the summary and every node in execution order."""
    done = _finished_count(run, run["stopped"] or now)
    outputs: list[Any] = []
    nodes = []
    for at, node in enumerate(run["nodes"]):
        received = outputs[-1] if outputs else [run["payload"]]
        if at < done:
            outputs.append(_make_output(node, received))
        nodes.append(_describe_node(run, at, done, received, outputs[at] if at < done else None, now))
    return {**summarize_run(run, now), "nodes": nodes}


def _describe_node(run: JsonObject, at: int, done: int, received: Any, output: Any, now: float) -> JsonObject:
    node, node_seconds = run["nodes"][at], RUN_SECONDS / len(run["nodes"])
    begin = run["start"] + at * node_seconds
    row: JsonObject = {"nodeId": node["key"], "name": node["name"], "stepNumber": at + 1, "error": None}
    if at < done:
        row |= {
            "status": "complete",
            "startTime": format_rfc3339(begin),
            "endTime": format_rfc3339(begin + node_seconds),
        }
    elif run["stopped"] is not None:
        row["status"] = "stopped" if at == done else "skipped"
    elif at == done and run_status(run, now) != "pending":
        row |= {
            "status": "pending-approval" if _needs_approval(node) else "in-progress",
            "startTime": format_rfc3339(begin),
        }
    else:
        row["status"] = "pending"
    is_action = node["type"] == "actionNode" and at < done
    return row | {
        "input": _make_payload(received) if is_action else None,
        "output": None if output is None else _make_payload(output),
    }


def _finished_count(run: JsonObject, now: float) -> int:
    """How many nodes have finished; those from the first one that needs approval have not."""
    nodes = run["nodes"]
    by_time = int(len(nodes) * min(1.0, (now - run["start"]) / RUN_SECONDS))
    waiting = next((at for at, node in enumerate(nodes) if _needs_approval(node)), len(nodes))
    return min(by_time, waiting)


def _needs_approval(node: JsonObject) -> bool:
    return bool((node.get("approval") or {}).get("required"))


def _make_output(node: JsonObject, received: Any) -> list[Any]:
    """What a node returns: a trigger its payload, an action one result, code its message, anything else its input."""
    if node["type"] == "actionNode":
        return [{"results": [{"operation": node["parameters"].get("operation", {}).get("id"), "status": "ok"}]}]
    if node["type"] == "codeNode":
        # Code without a return at the top level returns nothing, and no error.
        returns = TOP_LEVEL_RETURN.search(str(node["parameters"].get("code", "")))
        return [{"results": [{"message": f"{node['name']} is done"} if returns else {}]}]
    return list(received)


def _make_payload(value: list[Any]) -> JsonObject:
    """CloudflowRunNodePayload: sensitive values redacted, and whole entries dropped beyond MAX_PAYLOAD_BYTES."""
    entries = [_redact(entry) for entry in value]
    sizes = [len(orjson.dumps(entry)) for entry in entries]
    kept, size = 0, 0
    while kept < len(entries) and size + sizes[kept] <= MAX_PAYLOAD_BYTES:
        size += sizes[kept]
        kept += 1
    return {"value": entries[:kept], "truncated": kept < len(entries), "totalBytes": sum(sizes)}


def _redact(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: REDACTED if SECRET_NAME.search(name) else _redact(member) for name, member in value.items()}
    return [_redact(item) for item in value] if isinstance(value, list) else value
