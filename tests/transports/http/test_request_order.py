"""If a request has several faults, the first check that fails decides the response; tested for pairs of faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from tests.transports.http.serving import META, OTHER_USER, STATELESS_REVISION, Json, Site, serving

UNKNOWN = "1900-01-01"

Change = Callable[[dict[str, Any]], Any]
# A fault, how it changes a request (method, headers, body), and its response if it is the only one.
FAULTS: dict[str, tuple[Change, int, int | None]] = {
    "host": (lambda sent: sent["headers"].update({"Host": "evil.example"}), 421, None),
    "origin": (lambda sent: sent["headers"].update({"Origin": "https://evil.example"}), 403, None),
    "token": (lambda sent: sent["headers"].update({"Authorization": "Bearer forged"}), 401, None),
    "method": (lambda sent: sent.update(method="PUT"), 405, -32600),
    "content type": (lambda sent: sent["headers"].update({"Content-Type": "text/plain"}), 415, -32600),
    "accept": (lambda sent: sent["headers"].update({"Accept": "text/html"}), 406, -32600),
    "message": (lambda sent: sent.update(body=b"5"), 400, -32600),
    "json": (lambda sent: sent.update(body=b"{"), 400, -32700),
}
PAIRS = [pair for pair in combinations(FAULTS, 2) if pair != ("message", "json")]


@pytest.mark.parametrize("faults", [*((name,) for name in FAULTS), *PAIRS], ids=" and ".join)
async def test_checks_before_the_request_style_is_known(site: Site, faults: tuple[str, ...]) -> None:
    """Faults of the HTTP request are reported before those of the message."""
    headers = site.headers() | {"Content-Type": "application/json"}
    request: dict[str, Any] = {"method": "POST", "headers": headers, "body": json.dumps(site.request("ping")).encode()}
    # Applied in reverse, so that the earlier fault wins where both change the same part.
    for name in reversed(faults):
        FAULTS[name][0](request)
    answer = await site.send(request["method"], "/mcp", request["headers"], request["body"])
    _, status, code = FAULTS[faults[0]]
    assert answer.status == status
    assert code is None or answer.error["code"] == code
    assert "id" not in answer.body


def _meta(message: Json, name: str, value: Any) -> None:
    message["params"]["_meta"][META + name] = value


Fault = Callable[[Json, dict[str, str]], Any]
# The order of checks for a tools/call of echo: the position, the fault, and its code.
CHECKS_IN_ORDER: dict[str, tuple[Fault, int, int]] = {
    "3 id": (lambda message, headers: message.update(id=1.5), 400, -32600),
    "4 envelope": (lambda message, headers: _meta(message, "clientCapabilities", 5), 400, -32602),
    "5 version": (lambda message, headers: headers.update({"MCP-Protocol-Version": "2030-01-01"}), 400, -32020),
    "6 support": (lambda message, headers: _meta(message, "protocolVersion", UNKNOWN), 400, -32022),
    "7 method": (lambda message, headers: headers.update({"Mcp-Method": "tools/list"}), 400, -32020),
    "8 name": (lambda message, headers: headers.update({"Mcp-Name": "wait"}), 400, -32020),
    "10 tool": (lambda message, headers: message["params"].update(name="none"), 400, -32602),
    "11 parameters": (lambda message, headers: headers.update({"Mcp-Param-Region": "us"}), 400, -32020),
    "12 arguments": (lambda message, headers: message["params"]["arguments"].update(colour="red"), 200, 0),
}


@pytest.mark.requirement("J10", "M78")
@pytest.mark.parametrize(
    "faults", [*((name,) for name in CHECKS_IN_ORDER), *combinations(CHECKS_IN_ORDER, 2)], ids=" and ".join
)
async def test_order_of_stateless_checks(site: Site, faults: tuple[str, ...]) -> None:
    """The check that comes first decides."""
    message = site.stateless_request("tools/call", {"name": "echo", "arguments": {"region": "eu"}})
    headers = site.stateless_headers(message) | {"Mcp-Param-Region": "eu"}
    for name in faults:
        CHECKS_IN_ORDER[name][0](message, headers)
    if "6 support" in faults and "5 version" not in faults:
        headers["MCP-Protocol-Version"] = UNKNOWN
    if "10 tool" in faults and "8 name" not in faults:
        headers["Mcp-Name"] = "none"
    request_headers = site.headers() | headers | {"Content-Type": "application/json"}
    answer = await site.send("POST", "/mcp", request_headers, json.dumps(message).encode())
    _, status, code = CHECKS_IN_ORDER[faults[0]]
    if status == 200:
        assert answer.result["isError"] is True
    else:
        assert answer.code == (status, code), answer
        assert ("id" in answer.body) == (faults[0] != "3 id")
    assert site.bench.ran == []


@pytest.mark.parametrize(
    ("method", "source"),
    [("tools/call", "name"), ("prompts/get", "name"), ("resources/read", "uri"), ("tasks/get", "taskId")],
)
async def test_unknown_metadata_source(site: Site, method: str, source: str) -> None:
    """A missing or malformed name is invalid params, whatever the header says."""
    for params in ({}, {source: 5}):
        assert (await site.send_stateless(method, params, headers={"Mcp-Name": "x"})).code == (400, -32602)


async def test_names_are_required_nowhere_else(site: Site) -> None:
    assert (await site.send_stateless("prompts/list", headers={"Mcp-Name": "anything"})).status == 200


@pytest.mark.requirement("M76", "M107", "M111")
@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_client_without_tasks_is_rejected_before_any_lookup(site: Site, method: str) -> None:
    """-32021 before any look-up, also with the older capability of the same name."""
    for capabilities in ({}, {"tasks": {}}):
        answer = await site.send_stateless(method, {"taskId": "unknown"}, clientCapabilities=capabilities)
        assert answer.code == (400, -32021)
        assert answer.error["data"]["requiredCapabilities"] == {"extensions": {f"{META}tasks": {}}}


async def test_body_is_checked_before_headers(site: Site) -> None:
    """Metadata in _meta makes a request stateless without any header, and headers alone never do."""
    answer = await site.post(site.stateless_request("tools/list"))
    assert answer.code == (400, -32020)
    session = await site.initialize()
    named = await session.post(site.request("tools/list"), Mcp_Method="tools/call", Mcp_Name="no", Mcp_Param_Region="x")
    assert named.status == 200 and "resultType" not in named.result
    stateless_message = site.stateless_request("tools/list")
    request_headers = {
        name.replace("-", "_"): value for name, value in site.stateless_headers(stateless_message).items()
    }
    answer = await site.post(
        stateless_message, revision=STATELESS_REVISION, Mcp_Session_Id=session.id, **request_headers
    )
    assert answer.result["resultType"] == "complete"


@pytest.mark.requirement("M50")
async def test_order_of_stateful_checks(site: Site) -> None:
    """The session is checked before the version, and the version before the message."""
    session = await site.initialize()
    unknown = await site.post(site.request("nothing"), Mcp_Session_Id="unknown", MCP_Protocol_Version="2025-03-26")
    assert unknown.code == (404, -32600)
    wrong = await session.post(site.request("nothing"), MCP_Protocol_Version="2025-03-26")
    assert wrong.code == (400, -32600)
    foreign = await site.post([site.request("ping")], user=OTHER_USER, Mcp_Session_Id=session.id)
    assert foreign.code == (404, -32600)


@pytest.mark.requirement("M4")
async def test_errors_of_a_parsed_request_have_its_id(site: Site) -> None:
    """Every layer that refuses a parsed request includes its id."""
    session = await site.initialize()
    message = site.request("ping", id="mine")
    answers = [
        await site.post(message, Mcp_Session_Id="unknown"),
        await session.post(message, MCP_Protocol_Version="2025-03-26"),
        await site.post(message, MCP_Protocol_Version="2025-06-18, 2025-03-26"),
    ]
    async with serving(calls_per_principal=1) as full:
        session = await full.initialize()
        first = asyncio.create_task(session.call("wait"))
        await full.bench.started.wait()
        for refused in (await session.call("echo", id="mine"), await full.call("echo", id="mine")):
            assert refused.status == 429
            answers.append(refused)
        full.bench.proceed.set()
        await first
    assert [answer.body.get("id") for answer in answers] == ["mine"] * 5
