"""CloudFlow, its connections and templates, Ava, commitments, Cloud Connect: requests and rejected arguments."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS, Doit
from doit_mcp.api.errors import ApiError, explain
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder

from .calling import capture_request

FLOWS, CONNECTIONS = "/cloudflow/v1/flows", "/cloudflow/v1/connections"
CONNECT = "/core/v1/cloudconnect"
AWS = {"context": [{"accountId": "1", "regions": ["us-east-1"]}], "roleName": "r"}
FEATURES = {"enabledFeatures": ["real-time-data"], "s3Bucket": "b", "s3BucketRegion": "us-east-1"}


@pytest.mark.parametrize(
    ("area", "name", "arguments", "request_"),
    [
        ("cloudflow", "list_cloudflows", {"maxResults": 5}, Request("GET", FLOWS, {"maxResults": "5"}, None)),
        (
            "cloudflow",
            "list_cloudflow_templates",
            {"pageToken": "t"},
            Request("GET", "/cloudflow/v1/templates", {"pageToken": "t"}, None),
        ),
        (
            "cloudflow",
            "get_cloudflow_template",
            {"templateId": "a b"},
            Request("GET", "/cloudflow/v1/templates/a%20b", {}, None),
        ),
        (
            "cloudflow",
            "list_cloudflow_runs",
            {"flowId": "f", "mode": "test", "maxResults": 5},
            Request("GET", f"{FLOWS}/f/runs", {"mode": "test", "maxResults": "5"}, None),
        ),
        (
            "cloudflow",
            "get_cloudflow_run",
            {"flowId": "f", "runId": "r/1"},
            Request("GET", f"{FLOWS}/f/runs/r%2F1", {}, None),
        ),
        (
            "cloudflow",
            "start_cloudflow_run",
            {"flowId": "f", "payload": {"a": 1}},
            Request("POST", f"{FLOWS}/f/actions/trigger", {}, {"a": 1}),
        ),
        (
            "cloudflow",
            "test_cloudflow",
            {"flowId": "f", "dryRun": True},
            Request("POST", f"{FLOWS}/f/actions/test-run", {"dryRun": "true"}, {}),
        ),
        ("cloudflow", "stop_cloudflow_run", {"flowId": "f"}, Request("POST", f"{FLOWS}/f/actions/stop", {}, None)),
        (
            "cloudflow",
            "export_cloudflow",
            {"flowId": "f", "includeVariableValues": False},
            Request("GET", f"{FLOWS}/f/export", {"includeVariableValues": "false"}, None),
        ),
        (
            "cloudflow",
            "import_cloudflow",
            {"dryRun": True, "bundle": {"kind": "k"}, "options": {"namePrefix": "p"}},
            Request(
                "POST",
                f"{FLOWS}/actions/import",
                {"dryRun": "true"},
                {"bundle": {"kind": "k"}, "options": {"namePrefix": "p"}},
            ),
        ),
        (
            "cloudflow_connections",
            "list_cloudflow_connections",
            {"maxResults": 100, "pageToken": "t"},
            Request("GET", CONNECTIONS, {"maxResults": "100", "pageToken": "t"}, None),
        ),
        (
            "cloudflow_connections",
            "get_cloudflow_connection",
            {"connectionId": "c/1"},
            Request("GET", f"{CONNECTIONS}/c%2F1", {}, None),
        ),
        (
            "cloudflow_connections",
            "create_cloudflow_connection",
            {"name": "n", "awsConfig": AWS, "enabled": False},
            Request("POST", CONNECTIONS, {}, {"name": "n", "awsConfig": AWS, "enabled": False}),
        ),
        (
            "cloudflow_connections",
            "update_cloudflow_connection",
            {"connectionId": "c", "gcpConfig": {"level": "project", "projectId": "p"}},
            Request("PATCH", f"{CONNECTIONS}/c", {}, {"gcpConfig": {"level": "project", "projectId": "p"}}),
        ),
        (
            "cloudflow_connections",
            "delete_cloudflow_connection",
            {"connectionId": "c"},
            Request("DELETE", f"{CONNECTIONS}/c", {}, None),
        ),
        (
            "cloud_connect",
            "get_cloud_connect_supported_features",
            {"accountID": "1"},
            Request("GET", f"{CONNECT}/supportedFeatures/1", {}, None),
        ),
        ("cloud_connect", "get_aws_account", {"accountID": "1"}, Request("GET", f"{CONNECT}/aws/accounts/1", {}, None)),
        (
            "cloud_connect",
            "create_account_role",
            {"accountID": "1", "roleArn": "arn", **FEATURES},
            Request("POST", f"{CONNECT}/aws/accounts", {}, {"accountID": "1", "roleArn": "arn", **FEATURES}),
        ),
        (
            "cloud_connect",
            "update_aws_feature",
            {"accountID": "1", "enabledFeatures": []},
            Request("PUT", f"{CONNECT}/aws/accounts/1", {}, {"enabledFeatures": []}),
        ),
        (
            "cloud_connect",
            "delete_account_role",
            {"accountID": "1"},
            Request("DELETE", f"{CONNECT}/aws/accounts/1", {}, None),
        ),
        (
            "commitments",
            "list_commitments",
            {"filter": "provider:google-cloud", "sortBy": "endDate", "sortOrder": "asc"},
            Request(
                "GET",
                "/analytics/v1/commitment-manager",
                {"filter": "provider:google-cloud", "sortBy": "endDate", "sortOrder": "asc"},
                None,
            ),
        ),
        (
            "commitments",
            "get_commitment",
            {"id": "c/1"},
            Request("GET", "/analytics/v1/commitment-manager/c%2F1", {}, None),
        ),
        (
            "ava",
            "delete_ava_conversation",
            {"conversationId": "c&x=1"},
            Request("DELETE", "/ava/v1/deleteConversation", {"conversationId": "c&x=1"}, None),
        ),
        (
            "ava",
            "ava_feedback",
            {"conversationId": "c", "answerId": "a", "feedback": {"positive": False}},
            Request(
                "POST",
                "/ava/v1/feedback",
                {},
                {"conversationId": "c", "answerId": "a", "feedback": {"positive": False}},
            ),
        ),
    ],
)
async def test_requests(area: str, name: str, arguments: dict[str, Any], request_: Request) -> None:
    assert await capture_request(area, name, arguments) == request_


@pytest.mark.parametrize(
    ("arguments", "ephemeral"),
    [
        ({}, True),
        ({"conversationId": "c"}, False),
        ({"conversationId": "c", "ephemeral": True}, True),
        ({"ephemeral": False}, False),
    ],
)
async def test_conversation_is_ephemeral_unless_continued(arguments: dict[str, Any], ephemeral: bool) -> None:
    request = await capture_request("ava", "ask_ava_sync", {"question": "q", **arguments}, {"answer": "a"})
    assert request == Request("POST", "/ava/v1/askSync", {}, {"question": "q", **arguments, "ephemeral": ephemeral})


@pytest.mark.parametrize(
    ("said", "kind", "reason"),
    [
        ({"error": "model gone"}, "fault", "model gone"),
        ({"error": "see https://inner.example/x", "answer": "half"}, "fault", "see [link]"),
        ({"error": ""}, "answer", "no answer"),
        ({}, "answer", "no answer"),
        ({"answer": None}, "answer", "no answer"),
    ],
)
async def test_unanswered_question_is_an_error(said: dict[str, Any], kind: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        await capture_request("ava", "ask_ava_sync", {"question": "q"}, said)
    assert caught.value.kind == kind and reason in caught.value.reason


@pytest.mark.parametrize(("kind", "suggests_streaming"), [("timeout", True), ("fault", False)])
async def test_ava_timeout_error_suggests_streaming(kind: Any, suggests_streaming: bool) -> None:
    with pytest.raises(ApiError) as caught:
        await Doit.for_sender(Recorder(ApiError("", kind=kind))).ava.ask_ava_sync(question="q")
    message = explain(caught.value, "ask_ava_sync")
    assert (
        caught.value.kind == kind and ("ask_ava_streaming returns the answer so far" in message) == suggests_streaming
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create_cloudflow_connection", {"name": "n"}),
        ("create_cloudflow_connection", {"name": "n", "awsConfig": AWS, "gcpConfig": {}}),
        ("update_cloudflow_connection", {"connectionId": "c", "awsConfig": {}, "gcpConfig": {}}),
    ],
)
async def test_connection_targets_exactly_one_cloud(name: str, arguments: dict[str, Any]) -> None:
    api = Recorder()
    with pytest.raises(ApiError, match="gcpConfig and awsConfig"):
        await getattr(Doit.for_sender(api).cloudflow_connections, name)(**arguments)
    assert not api.requests


@pytest.mark.parametrize(
    "payload", [{}, {"a": [1, None]}, {"flowId": "other", "payload": 1, "self": 2, "requestBodyJson": {}, "": ""}]
)
async def test_flow_payload_is_sent_unchanged(payload: dict[str, Any]) -> None:
    arguments = {"flowID": "f 1", "requestBodyJson": payload}
    assert await capture_request("cloudflow", "trigger_cloud_flow", arguments) == Request(
        "POST", "/cloudflow/v1/trigger/f%201", {}, payload
    )
    assert (await capture_request("cloudflow", "trigger_cloud_flow", {"flowID": "f"})).body == {}


@pytest.mark.parametrize(
    "flow",
    [
        "https://evil.example/x",
        "https://api.doit.com/cloudflow/v1/trigger/",
        "https://api.doit.com/cloudflow/v1/trigger/..",
        "https://api.doit.com/cloudflow/v1/trigger/f/",
        "https://api.doit.com/cloudflow/v1/trigger/f/../../x",
        "https://api.doit.com/cloudflow/v1/trigger/f%2Fg",
        "https://api.doit.com/cloudflow/v1/trigger/f?x=/cloudflow/v1/trigger/g",
        "https://api.doit.com/x?y=/cloudflow/v1/trigger/f",
        "https://api.doit.com/x#/cloudflow/v1/trigger/f",
        "https://someone@api.doit.com/cloudflow/v1/trigger/f",
        "https:///cloudflow/v1/trigger/f",
        "https://api.doit.com\\x/cloudflow/v1/trigger/f",
        "ftp://api.doit.com/cloudflow/v1/trigger/f",
        "javascript://api.doit.com/cloudflow/v1/trigger/f",
        "https://api.doit.com/cloudflow/v2/trigger/f",
        "https://api.doit.com/cloudflow/v1/trigger/" + "f" * 1501,
        "/cloudflow/v1/trigger/f",
        "//evil.example",
        "evil.example/cloudflow/v1/trigger/f",
        "../flows",
        "f%2F..%2Fx",
        "..",
        ".",
        " ",
        "",
        " .. ",
    ],
)
async def test_other_urls_do_not_identify_a_flow(flow: str) -> None:
    api = Recorder()
    with pytest.raises(ApiError) as caught:
        await Doit.for_sender(api).cloudflow.trigger_cloud_flow(flowID=flow)
    assert caught.value.kind == "argument" and not api.requests


@pytest.mark.parametrize(
    "start",
    ["https://api.doit.com", "http://127.0.0.1:8081", "https://evil.example", "https://proxy.example/doit/api"],
)
async def test_only_the_id_of_a_flow_url_is_used(start: str) -> None:
    """The previous server accepted it. Its host is never contacted: the request goes to the API as usual."""
    flow = f" {start}/cloudflow/v1/trigger/f-1.x \n"
    request = await capture_request("cloudflow", "trigger_cloud_flow", {"flowID": flow, "requestBodyJson": {"a": 1}})
    assert request == Request("POST", "/cloudflow/v1/trigger/f-1.x", {}, {"a": 1})


async def test_non_url_flow_id_stays_one_path_segment() -> None:
    for flow in ("evil.example", "https:evil", "f?x=1#y", "a\\b", "ü"):
        request = await capture_request("cloudflow", "trigger_cloud_flow", {"flowID": flow})
        start, _, last = request.path.rpartition("/")
        assert start == "/cloudflow/v1/trigger" and last.replace("%", "").replace(".", "").isalnum()


def test_hints_declare_external_and_destructive_operations() -> None:
    rows = {row.name: row for area in ("cloudflow", "cloud_connect", "ava") for row in AREAS[area].operations}
    runs = {"trigger_cloud_flow", "start_cloudflow_run", "test_cloudflow"}
    assert {name for name, row in rows.items() if row.open_world} == {*runs, "ava_feedback"}
    destructive = {*runs, "stop_cloudflow_run", "create_account_role"}
    assert {name for name, row in rows.items() if row.destructive} == destructive
