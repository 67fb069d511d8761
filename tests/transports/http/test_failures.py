"""Prompts, resources, completions and tools that fail in every way, and exactly what clients of each kind see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.prompts.prompt import Prompt, PromptArgument, user_message
from doit_mcp.catalog.resources.resource import Resource, ResourceNotFound, ResourceTemplate
from doit_mcp.catalog.skills.skill import Skill
from doit_mcp.catalog.tools.tool import ContentResult, Tool, ToolError
from doit_mcp.protocol.jsonrpc import RpcError
from tests.transports.http.serving import LATEST_STATEFUL, META, Answer, Json, Site, serving

CANARY = "canary-of-an-exception"
FAILURES: dict[str, Exception] = {
    "refusal": ToolError("It cannot be had; name another month."),
    "api": ApiError("the month is not known", kind="refused", status=400),
    "missing": ApiError("there is none", kind="missing", status=404),
    "away": ApiError("it does not answer", kind="fault", status=503),
    "late": TimeoutError(CANARY),
    "bug": ValueError(CANARY),
    "own code": RpcError(1001, "Not today", {"when": "tomorrow"}),
    "none": ResourceNotFound(CANARY),
}


def make_failing_catalog() -> dict[str, Any]:
    """A catalog in which everything fails as its name says."""

    def tool(kind: str) -> Tool:
        async def run(call: Call, arguments: Json) -> ContentResult:
            raise FAILURES[kind]

        name = kind.replace(" ", "_")
        return Tool(name, name, "Fails.", {"type": "object"}, run, writes=kind == "late")

    async def prompt(call: Call, arguments: Mapping[str, str]) -> list[Json]:
        if arguments["kind"] in FAILURES:
            raise FAILURES[arguments["kind"]]
        return [user_message(str(sorted(arguments)))]

    async def complete(call: Call, typed: str, settled: Mapping[str, str]) -> list[str]:
        if typed in FAILURES:
            raise FAILURES[typed]
        return [f"{typed}{settled.get('more', '')}{number}" for number in range(int(settled.get("count", 3)))]

    async def read(call: Call, variables: Mapping[str, str]) -> Json:
        raise FAILURES[variables["kind"]]

    async def blob(call: Call) -> Json:
        return {"blob": "AAEC"}

    arguments = (PromptArgument("kind", "How", True, complete), PromptArgument("more", "More"))
    return {
        "tools": tuple(map(tool, FAILURES)),
        "prompts": (Prompt("fails", "Fails", "Fails", prompt, arguments),),
        "resources": (Resource("doc://blob", "blob", "Blob", "Bytes", "image/png", blob, size=3),),
        "resource_templates": (
            ResourceTemplate("doc://fails/{kind}", "fails", "Fails", "Fails", "text/plain", read, {"kind": complete}),
        ),
    }


@pytest.fixture
async def failing_site() -> AsyncIterator[Site]:
    """A server with this catalog."""
    async with serving(changes=make_failing_catalog()) as site:
        yield site


def check_silent(answer: Answer) -> None:
    """Check that nothing of an exception is exposed."""
    assert CANARY not in answer.text and "Traceback" not in answer.text


@pytest.mark.requirement("G4")
@pytest.mark.parametrize("kind", FAILURES)
async def test_tool_failures(failing_site: Site, kind: str) -> None:
    """A result for the model, -32603 for a bug, and a custom code unchanged; the status is always 200."""
    session = await failing_site.initialize()
    for answer in (await failing_site.call(kind.replace(" ", "_")), await session.call(kind.replace(" ", "_"))):
        assert answer.status == 200
        check_silent(answer)
        if kind in ("bug", "none"):
            assert answer.error["code"] == -32603
        elif kind == "own code":
            assert answer.error == {"code": 1001, "message": "Not today", "data": {"when": "tomorrow"}}
        else:
            assert answer.result["isError"] is True and answer.result["content"][0]["text"]
        if kind == "late":
            assert "check the current state" in answer.text


@pytest.mark.parametrize("kind", FAILURES)
async def test_prompt_failures(failing_site: Site, kind: str) -> None:
    """-32602 with a message for errors that the client can correct."""
    params = {"name": "fails", "arguments": {"kind": kind}}
    session = await failing_site.initialize()
    answers = {
        400: await failing_site.send_stateless("prompts/get", params),
        200: await session.ask("prompts/get", params),
    }
    for status, answer in answers.items():
        check_silent(answer)
        code = {"bug": -32603, "none": -32603, "late": -32603, "own code": 1001}.get(kind, -32602)
        assert answer.code == (200 if code != -32602 else status, code)
        assert ("within 45 seconds" in answer.text) == (kind == "late")


@pytest.mark.parametrize("kind", FAILURES)
async def test_resource_failures(failing_site: Site, kind: str) -> None:
    """An unknown resource is -32002, or -32602 on the newest revision, and the error names the URI."""
    params = {"uri": f"doc://fails/{kind.replace(' ', '%20')}"}
    session = await failing_site.initialize()
    is_missing = kind in ("missing", "none")
    answers = {
        True: await failing_site.send_stateless("resources/read", params),
        False: await session.ask("resources/read", params),
    }
    for modern, answer in answers.items():
        check_silent(answer)
        assert ("more than 45 seconds" in answer.text) == (kind == "late")
        if kind in ("bug", "late"):
            assert answer.code == (200, -32603)
        elif kind == "own code":
            assert answer.code == (200, 1001)
        else:
            code = -32002 if is_missing and not modern else -32602
            assert answer.code == (400 if modern else 200, code) and answer.error["data"] == params


@pytest.mark.parametrize("kind", ["refusal", "api", "missing", "away", "late"])
async def test_failed_completion_suggests_nothing(failing_site: Site, kind: str) -> None:
    """A completion that fails returns no values instead of an error, so that users can continue typing."""
    for ref in ({"type": "ref/prompt", "name": "fails"}, {"type": "ref/resource", "uri": "doc://fails/{kind}"}):
        params = {"ref": ref, "argument": {"name": "kind", "value": kind}}
        answer = await failing_site.send_stateless("completion/complete", params)
        assert answer.result["completion"] == {"values": [], "total": 0, "hasMore": False}


async def test_completions_are_bounded_and_receive_the_context(failing_site: Site) -> None:
    """At most 100 values, which the context narrows down."""
    ref = {"type": "ref/prompt", "name": "fails"}
    around = {"arguments": {"count": "250", "more": "-", "odd": 5}}
    params = {"ref": ref, "argument": {"name": "kind", "value": "x"}, "context": around}
    completion = (await failing_site.send_stateless("completion/complete", params)).result["completion"]
    assert len(completion["values"]) == 100 and completion["total"] == 250 and completion["hasMore"] is True
    assert completion["values"][0] == "x-0"
    plain = {"ref": ref, "argument": {"name": "more", "value": "x"}}
    assert (await failing_site.send_stateless("completion/complete", plain)).result["completion"]["values"] == []
    for context in (5, {"arguments": 5}):
        answer = await failing_site.send_stateless("completion/complete", params | {"context": context})
        assert len(answer.result["completion"]["values"]) == 3


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"ref": {"type": "ref/prompt", "name": "fails"}},
        {"ref": {"type": "ref/prompt", "name": "fails"}, "argument": {"name": "kind", "value": 5}},
        {"ref": {"type": "ref/prompt", "name": "fails"}, "argument": {"name": "none", "value": ""}},
        {"ref": {"type": "ref/resource", "uri": "doc://other"}, "argument": {"name": "kind", "value": ""}},
        {"ref": {"type": "ref/tool", "name": "fails"}, "argument": {"name": "kind", "value": ""}},
        {"ref": 5, "argument": {"name": "kind", "value": ""}},
    ],
)
async def test_completion_of_unknown_references(failing_site: Site, params: Json) -> None:
    assert (await failing_site.send_stateless("completion/complete", params)).code == (400, -32602)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"kind": ""}, "kind: is required"),
        ({"kind": 5}, "kind: must be text"),
        ({"kind": "x" * 10_001}, "10000"),
        ({"kind": "x", "other": "y"}, "other: is not an argument"),
        ([], "kind: is required"),
        (["x"], "must be an object"),
    ],
)
async def test_prompt_arguments(failing_site: Site, arguments: Any, wrong: str) -> None:
    """The error lists every problem."""
    answer = await failing_site.send_stateless("prompts/get", {"name": "fails", "arguments": arguments})
    assert answer.code == (400, -32602) and wrong in answer.error["message"]


async def test_null_prompt_argument_is_omitted(failing_site: Site) -> None:
    answer = await failing_site.send_stateless(
        "prompts/get", {"name": "fails", "arguments": {"kind": "x", "more": None}}
    )
    assert answer.result["messages"][0]["content"]["text"] == "['kind']"


async def test_bytes_are_base64(failing_site: Site) -> None:
    (listed,) = (await failing_site.send_stateless("resources/list")).result["resources"]
    assert listed["size"] == 3 and listed["mimeType"] == "image/png"
    (content,) = (await failing_site.send_stateless("resources/read", {"uri": "doc://blob"})).result["contents"]
    assert content == {"uri": "doc://blob", "mimeType": "image/png", "blob": "AAEC"}


@pytest.mark.parametrize("uri", [None, 5, "", "x" * 2049])
async def test_invalid_uris(failing_site: Site, uri: Any) -> None:
    session = await failing_site.initialize()
    for method in ("resources/read", "resources/subscribe", "resources/unsubscribe"):
        assert (await session.ask(method, {"uri": uri})).code == (200, -32602)


async def test_subscriptions_are_bounded(failing_site: Site) -> None:
    session = await failing_site.initialize()
    answers = [await session.ask("resources/subscribe", {"uri": f"doc://fails/{number}"}) for number in range(101)]
    assert all(answer.result == {} for answer in answers[:100]) and answers[100].code == (200, -32602)
    # Without a session the subscription is not stored.
    alone = await failing_site.post(
        failing_site.request("resources/subscribe", {"uri": "doc://blob"}), MCP_Protocol_Version=LATEST_STATEFUL
    )
    assert alone.result == {}


@pytest.mark.parametrize("params", [{"name": 5}, {"name": ["refusal"]}, {"arguments": {}}])
async def test_invalid_calls(failing_site: Site, params: Json) -> None:
    """Parameters that violate the schema of tools/call are a protocol error."""
    session = await failing_site.initialize()
    assert (await session.ask("tools/call", params)).code == (200, -32602)
    assert (await failing_site.send_stateless("tools/call", params, headers={"Mcp-Name": "refusal"})).code == (
        400,
        -32602,
    )


NOTHING: Json = {
    "tools": (),
    "prompts": (),
    "resources": (),
    "resource_templates": (),
    "instructions": "",
    "can_change": False,
}


async def test_unsupported_features_are_neither_declared_nor_available() -> None:
    """Capabilities list only what is offered; other methods get -32601."""
    async with serving(changes=NOTHING, events=False) as site:
        session = await site.initialize()
        assert session.welcome["capabilities"] == {"logging": {}} and "instructions" not in session.welcome
        for method in (
            "events/list",
            "events/subscribe",
            "prompts/list",
            "prompts/get",
            "resources/list",
            "resources/read",
            "completion/complete",
        ):
            assert (await session.ask(method, {})).code == (200, -32601)
            params = {"name": "x", "uri": "x"}
            assert (await site.send_stateless(method, params)).code == (404, -32601)
        assert (await site.send_stateless("tools/list")).result["tools"] == []
        assert "listChanged" not in json.dumps((await site.send_stateless("server/discover")).result["capabilities"])


SKILL = Skill(
    {"name": "costs", "description": "How to read costs"},
    {"SKILL.md": b"---\nname: costs\n---\n", "data/rates.csv": b"a,b\n", "data/pixel": b"\xff\x00"},
)


async def test_skills() -> None:
    """SEP-2640: listed with digests, read as resources, browsed as directories, and only if they are offered."""
    async with serving(changes={"skills": (SKILL,)}) as site:
        declared = (await site.send_stateless("server/discover")).result["capabilities"]["extensions"]
        assert declared[f"{META}skills"] == {"directoryRead": True}
        (listed,) = (await site.send_stateless("skills/list")).result["skills"]
        assert [resource["uri"] for resource in listed["resources"]][0] == "skill://costs/SKILL.md"
        assert (await site.send_stateless("skills/get", {"uri": "skill://costs/SKILL.md"})).result["skill"] == listed
        assert "skill://costs/SKILL.md" in (await site.send_stateless("resources/list")).text
        for path, content in (("SKILL.md", {"text": "---\nname: costs\n---\n"}), ("data/pixel", {"blob": "/wA="})):
            read = await site.send_stateless("resources/read", {"uri": f"skill://costs/{path}"})
            assert content.items() <= read.result["contents"][0].items()
        root = (await site.send_stateless("resources/directory/read", {"uri": "skill://costs"})).result["resources"]
        assert [(resource["name"], resource["mimeType"]) for resource in root] == [
            ("SKILL.md", "text/markdown"),
            ("data", "inode/directory"),
        ]
        for method, uri in (
            ("skills/get", "skill://costs/data/rates.csv"),
            ("skills/get", "skill://other/SKILL.md"),
            ("skills/get", None),
            ("resources/directory/read", "skill://costs/SKILL.md"),
            ("resources/read", "skill://costs/none"),
            ("resources/read", "skill://costs/../SKILL.md"),
        ):
            assert (await site.send_stateless(method, {"uri": uri})).code == (400, -32602)
        session = await site.initialize(revision="2025-03-26")
        assert (await session.ask("skills/list")).code == (200, -32601)
        assert f"{META}skills" not in session.welcome["capabilities"].get("extensions", {})
