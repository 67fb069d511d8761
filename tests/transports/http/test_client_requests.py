"""Requests to the client from tools, prompts, resources and tasks, on every revision that supports them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from doit_mcp.catalog.call import Call, MissingClientCapability, Question
from doit_mcp.catalog.prompts.prompt import Prompt, user_message
from doit_mcp.catalog.resources.resource import Resource
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from tests.transports.http.serving import (
    LATEST_STATEFUL,
    META,
    NAME,
    OTHER_USER,
    STATELESS_REVISION,
    VIEWER,
    Answer,
    Bench,
    Json,
    Session,
    Site,
    serving,
)
from tests.transports.http.streaming import open_stream

ELICIT, SAMPLE, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"
SAMPLING = {"messages": [{"role": "user", "content": {"type": "text", "text": "Think."}}], "maxTokens": 10}
URL = {"mode": "url", "message": "Sign there", "url": "https://console.example/sign", "elicitationId": "e-1"}
WITH_TOOLS = SAMPLING | {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}
QUESTIONS: dict[str, tuple[str, Json]] = {
    "form": (ELICIT, NAME),
    "url": (ELICIT, URL),
    "sample": (SAMPLE, SAMPLING),
    "sample_tools": (SAMPLE, WITH_TOOLS),
    "roots": (ROOTS, {}),
}
REPLY: dict[str, Json] = {
    "form": {"action": "accept", "content": {"name": "Ann"}},
    "url": {"action": "accept"},
    "sample": {"role": "assistant", "content": {"type": "text", "text": "Hm."}, "model": "m"},
    "sample_tools": {"role": "assistant", "content": [{"type": "text", "text": "Hm."}], "model": "m"},
    "roots": {"roots": []},
}
# The capabilities that a client declares for each, in terms of the newest revision.
NEEDED: dict[str, Json] = {
    "form": {"elicitation": {"form": {}}},
    "url": {"elicitation": {"url": {}}},
    "sample": {"sampling": {}},
    "sample_tools": {"sampling": {"tools": {}}},
    "roots": {"roots": {}},
}
ALL: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}}
TASKS: Json = {"extensions": {f"{META}tasks": {}}}


def words(text: str) -> ContentResult:
    return ContentResult([{"type": "text", "text": text}])


def make_asking_catalog(bench: Bench) -> dict[str, Any]:
    """A catalog with every kind of request to the client."""

    def tool(name: str, run: Any) -> Tool:
        return Tool(name, name, f"Asks: {name}.", {"type": "object"}, run)

    def asks(kind: str) -> Tool:
        async def run(call: Call, arguments: Json) -> ContentResult:
            bench.ran.append(kind)
            answer = await call.ask(kind, *QUESTIONS[kind])
            return words(json.dumps(answer, sort_keys=True))

        return tool(kind, run)

    async def twice(call: Call, arguments: Json) -> ContentResult:
        first = await call.ask("first", ELICIT, NAME)
        second = await call.ask("second", ELICIT, NAME)
        return words(f"{first['content']['name']} and {second['content']['name']}")

    async def optional(call: Call, arguments: Json) -> ContentResult:
        return words(str([kind for kind in QUESTIONS if call.can_ask(Question(*QUESTIONS[kind]))]))

    async def job(call: Call, arguments: Json) -> ContentResult:
        before = await call.ask("before", ELICIT, NAME)
        await call.run_in_background(required=True)
        answers = await call.ask_all({"one": Question(ELICIT, NAME), "two": Question(ELICIT, NAME)})
        return words(" ".join(input_response["content"]["name"] for input_response in (before, *answers.values())))

    async def read(call: Call) -> Json:
        return {"text": (await call.ask("form", ELICIT, NAME))["content"]["name"]}

    async def prompt(call: Call, arguments: Mapping[str, str]) -> list[Json]:
        return [user_message((await call.ask("form", ELICIT, NAME))["content"]["name"])]

    async def never(call: Call, arguments: Json) -> ContentResult:
        raise MissingClientCapability({"roots": {}})

    tools = (*map(asks, QUESTIONS), tool("twice", twice), tool("optional", optional), tool("job", job))
    return {
        "tools": (*tools, tool("never", never)),
        # It has the name of the tool that asks the same.
        "prompts": (Prompt("form", "Ask", "Asks first", prompt),),
        "resources": (Resource("doc://ask", "ask", "Ask", "Asks first", "text/plain", read),),
    }


@pytest.fixture
async def asker() -> AsyncIterator[Site]:
    """A server whose catalog sends requests to the client."""
    bench = Bench()
    async with serving(bench, make_asking_catalog(bench)) as site:
        yield site


def result_text(answer: Answer) -> str:
    text: str = answer.result["content"][0]["text"]
    return text


@pytest.mark.parametrize("kind", QUESTIONS)
async def test_each_kind_of_request_stateless(asker: Site, kind: str) -> None:
    """A client that declared the capability is asked and answers by its retry; one that declared all others gets an
    error."""
    declared = {"clientCapabilities": NEEDED[kind]}
    first = (await asker.call(kind, **declared)).result
    method, params = QUESTIONS[kind]
    assert first["resultType"] == "input_required" and "ttlMs" not in first
    assert first["inputRequests"][kind]["method"] == method
    more = {"inputResponses": {kind: REPLY[kind]}, "requestState": first["requestState"]}
    retry = {"name": kind, "arguments": {}, **more}
    assert json.loads(result_text(await asker.send_stateless("tools/call", retry, **declared))) == REPLY[kind]
    others = {name: value for name, value in ALL.items() if name not in NEEDED[kind]}
    refused = await asker.call(kind, clientCapabilities=others)
    assert refused.code == (400, -32021)
    (name,) = NEEDED[kind]
    assert name in refused.error["data"]["requiredCapabilities"]


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", LATEST_STATEFUL])
async def test_each_kind_of_request_on_a_session(asker: Site, revision: str, kind: str) -> None:
    """Requests that the revision defines are sent on the stream in its format; others never are."""
    knows = kind not in ("form", "url", "sample_tools") or revision == LATEST_STATEFUL
    knows = knows or (kind == "form" and revision == "2025-06-18")
    session = await asker.initialize(revision, **ALL)
    if not knows:
        answer = await session.call(kind)
        assert answer.result["isError"] is True and len(answer.messages) == 1
        return
    message = asker.request("tools/call", {"name": kind})
    async with open_stream(asker, message, asker.headers(**session.head), revision) as stream:
        question = await stream.until(QUESTIONS[kind][0])
        assert ("elicitationId" in question["params"]) == (kind == "url")
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": REPLY[kind]}
        assert (await session.post(reply)).status == 202
        answered = await stream.until("")
    assert json.loads(answered["result"]["content"][0]["text"]) == REPLY[kind]


@pytest.mark.requirement("J11")
@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("form", {"action": "accept", "content": {"name": 5}}),
        ("form", {"action": "accept"}),
        ("form", {}),
        ("sample", {"role": "assistant", "content": "Hm.", "model": "m"}),
        ("roots", {"roots": "none"}),
    ],
)
async def test_invalid_answers(asker: Site, kind: str, bad: Json) -> None:
    """An error on the newest revision, a tool result for the model on a session."""
    retry = {"name": kind, "inputResponses": {kind: bad}}
    assert (await asker.send_stateless("tools/call", retry, clientCapabilities=ALL)).code == (400, -32602)
    session = await asker.initialize(**ALL)
    async with open_stream(
        asker, asker.request("tools/call", {"name": kind}), asker.headers(**session.head), LATEST_STATEFUL
    ) as stream:
        question = await stream.until(QUESTIONS[kind][0])
        await session.post({"jsonrpc": "2.0", "id": question["id"], "result": bad})
        assert (await stream.until(""))["result"]["isError"] is True


async def test_several_rounds_keep_no_server_state() -> None:
    """Each round may reach a different process that has the same secret."""
    bench = Bench()
    declared = {"clientCapabilities": {"elicitation": {}}}
    async with (
        serving(bench, make_asking_catalog(bench)) as plain,
        serving(Bench(), make_asking_catalog(Bench())) as other,
    ):
        params: Json = {"name": "twice"}
        for site, key in ((plain, "first"), (other, "second")):
            result = (await site.send_stateless("tools/call", params, **declared)).result
            assert list(result["inputRequests"]) == [key]
            reply = {"action": "accept", "content": {"name": key.title()}}
            params = {"name": "twice", "inputResponses": {key: reply}, "requestState": result["requestState"]}
        assert result_text(await plain.send_stateless("tools/call", params, **declared)) == "First and Second"


async def test_request_state_expires(asker: Site) -> None:
    """The expiry is part of the signed state; the tests of signed state show that an expired one is refused."""
    result = await asker.call("form", clientCapabilities=ALL)
    state = result.result["requestState"]
    sealed = base64.urlsafe_b64decode(state + "=" * (-len(state) % 4))
    expires, payload = json.loads(sealed[32:])
    assert payload == [{}, {}] and isinstance(expires, int)
    later = json.dumps([expires + 1, payload], separators=(",", ":")).encode()
    forged = base64.urlsafe_b64encode(sealed[:32] + later).decode().rstrip("=")
    for state_sent, status in ((state, 200), (forged, 400)):
        retry = {"name": "form", "arguments": {}, "inputResponses": {"form": REPLY["form"]}, "requestState": state_sent}
        assert (await asker.send_stateless("tools/call", retry, clientCapabilities=ALL)).status == status


@pytest.mark.parametrize("user", [OTHER_USER, VIEWER])
@pytest.mark.parametrize("method", ["prompts/get", "resources/read"])
async def test_prompts_and_resources_request_input_stateless(asker: Site, method: str, user: Any) -> None:
    """The state of one request is refused for another request and for another caller."""
    named: Json = {"name": "form", "arguments": {}} if method == "prompts/get" else {"uri": "doc://ask"}
    declared = {"clientCapabilities": {"elicitation": {}}}
    result = (await asker.send_stateless(method, named, **declared)).result
    assert result["resultType"] == "input_required" and not {"ttlMs", "cacheScope"} & result.keys()
    retry = named | {"inputResponses": {"form": REPLY["form"]}, "requestState": result["requestState"]}
    assert (await asker.send_stateless(method, retry, user=user, **declared)).code == (400, -32602)
    others: dict[str, Json] = {
        "tools/call": {"name": "form", "arguments": {}},
        "prompts/get": {"name": "form", "arguments": {}},
        "resources/read": {"uri": "doc://ask"},
    }
    del others[method]
    for elsewhere, params in others.items():
        foreign = params | {"inputResponses": {"form": REPLY["form"]}, "requestState": result["requestState"]}
        assert (await asker.send_stateless(elsewhere, foreign, **declared)).code == (400, -32602)
    done = (await asker.send_stateless(method, retry, **declared)).result
    assert "Ann" in json.dumps(done) and done["resultType"] == "complete"
    assert (await asker.send_stateless(method, named)).code == (400, -32021)
    if method == "resources/read":
        assert (done["ttlMs"], done["cacheScope"]) == (0, "private")


@pytest.mark.parametrize("method", ["prompts/get", "resources/read"])
async def test_prompts_and_resources_request_input_on_a_session(asker: Site, method: str) -> None:
    """Asked, declined with an error, and refused if the client cannot be asked."""
    named = {"name": "form"} if method == "prompts/get" else {"uri": "doc://ask"}
    session = await asker.initialize(elicitation={})
    for reply, good in ((REPLY["form"], True), ({"action": "perhaps"}, False)):
        async with open_stream(
            asker, asker.request(method, named), asker.headers(**session.head), LATEST_STATEFUL
        ) as stream:
            question = await stream.until(ELICIT)
            await session.post({"jsonrpc": "2.0", "id": question["id"], "result": reply})
            answer = await stream.until("")
        assert ("result" in answer) is good and (good or answer["error"]["code"] == -32602)
    mute = await asker.initialize()
    assert (await mute.ask(method, named)).code == (200, -32602)
    assert (await asker.post(asker.request(method, named), MCP_Protocol_Version=LATEST_STATEFUL)).code == (200, -32602)


async def test_client_without_streams_is_not_awaited(asker: Site) -> None:
    """The request could never reach such a client, so the call fails at once."""
    session = await asker.initialize(**ALL)
    message = asker.request("tools/call", {"name": "form"})
    answer = await asyncio.wait_for(session.post(message, Accept="application/json"), 20)
    assert answer.result["isError"] is True and "does not support" in result_text(answer)


async def test_only_declared_capabilities_are_requested(asker: Site) -> None:
    for kind, declared in NEEDED.items():
        able = result_text(await asker.call("optional", clientCapabilities=declared))
        assert kind in able and ("sample" in able) == ("sampling" in declared)
    assert result_text(await asker.call("optional", clientCapabilities={"elicitation": {}})) == "['form']"
    assert result_text(await asker.post(asker.request("tools/call", {"name": "optional"}))) == "[]"
    assert (await asker.call("never", clientCapabilities=ALL)).code == (400, -32021)
    assert (await (await asker.initialize(**ALL)).call("never")).result["isError"] is True


async def test_answers_of_another_session_are_ignored(asker: Site) -> None:
    """Responses that the session does not wait for are ignored."""
    session = await asker.initialize(**ALL)
    thief = await asker.initialize(user=OTHER_USER, **ALL)
    async with open_stream(
        asker, asker.request("tools/call", {"name": "form"}), asker.headers(**session.head), LATEST_STATEFUL
    ) as stream:
        question = await stream.until(ELICIT)
        forged = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
        assert (await thief.post(forged)).status == 202
        assert (await Session(asker, session.id, LATEST_STATEFUL, OTHER_USER, {}).post(forged)).status == 404
        assert (await session.post(forged | {"id": f"{question['id']}0"})).status == 202
        assert (await session.post(forged | {"result": REPLY["form"]})).status == 202
        assert json.loads((await stream.until(""))["result"]["content"][0]["text"]) == REPLY["form"]


@asynccontextmanager
async def a_job(asker: Site) -> AsyncIterator[tuple[Json, Json]]:
    """A task that is waiting for input, with the capabilities of its client and its parameters."""
    declared = {"clientCapabilities": ALL | TASKS}
    result = (await asker.call("job", **declared)).result
    more = {"inputResponses": {"before": REPLY["form"]}, "requestState": result["requestState"]}
    retry = {"name": "job", "arguments": {}, **more}
    created = (await asker.send_stateless("tools/call", retry, **declared)).result
    assert created["resultType"] == "task"
    params = {"taskId": created["taskId"]}
    while (state := (await asker.send_stateless("tasks/get", params, **declared)).result)["status"] == "working":
        await asyncio.sleep(0)
    assert state["status"] == "input_required" and set(state["inputRequests"]) == {"one", "two"}
    yield declared, params


def name(value: str) -> Json:
    return {"action": "accept", "content": {"name": value}}


async def test_task_requests_input_and_is_answered(asker: Site) -> None:
    """Rounds come before the task, answers are accepted one by one and take effect at once, and the task's result is
    that of the call."""
    async with a_job(asker) as (declared, params):

        async def update(answers: Any) -> Answer:
            return await asker.send_stateless("tasks/update", params | {"inputResponses": answers}, **declared)

        for wrong in (None, [1], {"one": 5}, {"one": {"action": "maybe"}}):
            assert (await update(wrong)).code == (400, -32602)
        assert (await update({"other": name("x"), "one": name("Bea")})).result["resultType"] == "complete"
        state = (await asker.send_stateless("tasks/get", params, **declared)).result
        assert state["status"] == "input_required" and set(state["inputRequests"]) == {"two"}
        foreign = await asker.send_stateless(
            "tasks/update", params | {"inputResponses": {"two": name("Eve")}}, user=OTHER_USER, **declared
        )
        assert foreign.code == (400, -32602)
        await update({"two": name("Cid")})
        while (state := (await asker.send_stateless("tasks/get", params, **declared)).result)["status"] == "working":
            await asyncio.sleep(0)
        assert state["status"] == "completed"
        assert state["result"]["content"] == [{"type": "text", "text": "Ann Bea Cid"}]


async def test_task_that_requires_its_client(asker: Site) -> None:
    """The call is refused if the client cannot follow tasks."""
    result = (await asker.call("job", clientCapabilities=ALL)).result
    more = {"inputResponses": {"before": REPLY["form"]}, "requestState": result["requestState"]}
    retry = {"name": "job", "arguments": {}, **more}
    refused = await asker.send_stateless("tools/call", retry, clientCapabilities=ALL)
    assert refused.code == (400, -32021) and refused.error["data"]["requiredCapabilities"] == TASKS
    assert STATELESS_REVISION not in refused.text
