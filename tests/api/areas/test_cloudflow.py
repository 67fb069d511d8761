"""CloudFlow, its connections and templates, Ava, commitments, Cloud Connect: requests and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.api import AREAS, Doit
from doit_mcp.api.errors import ApiError, explain
from doit_mcp.api.operation import Request
from tests.api.recorder import Recorder

from .calling import asked

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
            {"filter": "provider:[google-cloud]", "sortBy": "endDate", "sortOrder": "asc"},
            Request(
                "GET",
                "/analytics/v1/commitment-manager",
                {"filter": "provider:[google-cloud]", "sortBy": "endDate", "sortOrder": "asc"},
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
    assert await asked(area, name, arguments) == request_


@pytest.mark.parametrize(
    ("given", "ephemeral"),
    [
        ({}, True),
        ({"conversationId": "c"}, False),
        ({"conversationId": "c", "ephemeral": True}, True),
        ({"ephemeral": False}, False),
    ],
)
async def test_a_conversation_that_goes_on_is_kept(given: dict[str, Any], ephemeral: bool) -> None:
    sent = await asked("ava", "ask_ava_sync", {"question": "q", **given}, {"answer": "a"})
    assert sent == Request("POST", "/ava/v1/askSync", {}, {"question": "q", **given, "ephemeral": ephemeral})


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
async def test_what_ava_could_not_answer_is_an_error(said: dict[str, Any], kind: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        await asked("ava", "ask_ava_sync", {"question": "q"}, said)
    assert caught.value.kind == kind and reason in caught.value.reason


@pytest.mark.parametrize(("kind", "told"), [("timeout", True), ("fault", False)])
async def test_who_cannot_wait_for_ava_is_told_what_can_be_waited_for(kind: Any, told: bool) -> None:
    with pytest.raises(ApiError) as caught:
        await Doit.for_sender(Recorder(ApiError("", kind=kind))).ava.ask_ava_sync(question="q")
    said = explain(caught.value, "ask_ava_sync")
    assert caught.value.kind == kind and ("ask_ava_streaming returns the answer so far" in said) == told


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("create_cloudflow_connection", {"name": "n"}),
        ("create_cloudflow_connection", {"name": "n", "awsConfig": AWS, "gcpConfig": {}}),
        ("update_cloudflow_connection", {"connectionId": "c", "awsConfig": {}, "gcpConfig": {}}),
    ],
)
async def test_a_connection_is_to_one_cloud(name: str, given: dict[str, Any]) -> None:
    api = Recorder()
    with pytest.raises(ApiError, match="gcpConfig and awsConfig"):
        await getattr(Doit.for_sender(api).cloudflow_connections, name)(**given)
    assert not api.requests


@pytest.mark.parametrize(
    "payload", [{}, {"a": [1, None]}, {"flowId": "other", "payload": 1, "self": 2, "requestBodyJson": {}, "": ""}]
)
async def test_a_flow_gets_its_payload_as_it_is(payload: dict[str, Any]) -> None:
    given = {"flowID": "f 1", "requestBodyJson": payload}
    assert await asked("cloudflow", "trigger_cloud_flow", given) == Request(
        "POST", "/cloudflow/v1/trigger/f%201", {}, payload
    )
    assert (await asked("cloudflow", "trigger_cloud_flow", {"flowID": "f"})).body == {}


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
async def test_a_flow_is_named_by_no_other_address(flow: str) -> None:
    api = Recorder()
    with pytest.raises(ApiError) as caught:
        await Doit.for_sender(api).cloudflow.trigger_cloud_flow(flowID=flow)
    assert caught.value.kind == "argument" and not api.requests


@pytest.mark.parametrize(
    "start",
    ["https://api.doit.com", "http://127.0.0.1:8081", "https://evil.example", "https://proxy.example/doit/api"],
)
async def test_of_a_flow_s_address_only_the_id_counts(start: str) -> None:
    """The old server took it. Its host is never contacted: the request goes where all go."""
    flow = f" {start}/cloudflow/v1/trigger/f-1.x \n"
    sent = await asked("cloudflow", "trigger_cloud_flow", {"flowID": flow, "requestBodyJson": {"a": 1}})
    assert sent == Request("POST", "/cloudflow/v1/trigger/f-1.x", {}, {"a": 1})


async def test_what_is_no_url_stays_one_segment_of_our_path() -> None:
    for flow in ("evil.example", "https:evil", "f?x=1#y", "a\\b", "ü"):
        sent = await asked("cloudflow", "trigger_cloud_flow", {"flowID": flow})
        start, _, last = sent.path.rpartition("/")
        assert start == "/cloudflow/v1/trigger" and last.replace("%", "").replace(".", "").isalnum()


def test_what_reaches_outside_or_replaces_says_so() -> None:
    rows = {row.name: row for area in ("cloudflow", "cloud_connect", "ava") for row in AREAS[area].operations}
    assert {name for name, row in rows.items() if row.open_world} == {"trigger_cloud_flow", "ava_feedback"}
    assert {name for name, row in rows.items() if row.destructive} == {"trigger_cloud_flow", "create_account_role"}
