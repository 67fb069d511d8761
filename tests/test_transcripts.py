"""The messages on the wire, by chapter and revision, compared with ``tests/transcripts/<revision>/``.

Each exchange is a request (relevant headers, body) and its response (status, relevant headers, messages). Values that
differ between runs are replaced by <session>, <state> and the like.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.transports.http.serving import LATEST_STATEFUL, META, STATELESS_REVISION, Answer, Json, Site, serving
from tests.wire_schema import check

HOME = Path(__file__).parent / "transcripts"
SHOWN = ("Content-Type", "Mcp-Session-Id", "Allow")
SENT = ("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id")
STATEFUL_REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", LATEST_STATEFUL)
CLIENT = {"name": "transcript", "version": "1.0"}
ECHO = {"name": "echo", "arguments": {"text": "hi"}}
PROMPT = {"name": "greet", "arguments": {"who": "Ann"}}
COMPLETE = {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": "An"}}
# Chapter -> its requests, in order. Where a revision lacks a feature, the error response is recorded.
CHAPTERS: dict[str, tuple[tuple[str, Json | None], ...]] = {
    "tools": (
        ("tools/list", None),
        ("tools/call", ECHO),
        ("tools/call", {"name": "blocks"}),
        ("tools/call", {"name": "fail"}),
        ("tools/call", {"name": "echo", "arguments": {"colour": "red"}}),
        ("tools/call", {"name": "nothing"}),
    ),
    "prompts": (("prompts/list", None), ("prompts/get", PROMPT), ("prompts/get", {"name": "greet"})),
    "resources": (
        ("resources/list", None),
        ("resources/templates/list", None),
        ("resources/read", {"uri": "doc://number/7"}),
        ("resources/read", {"uri": "doc://none"}),
        ("resources/subscribe", {"uri": "doc://one"}),
        ("resources/unsubscribe", {"uri": "doc://one"}),
    ),
    "completion": (("completion/complete", COMPLETE),),
    "logging": (("logging/setLevel", {"level": "warning"}), ("tools/call", {"name": "steps"})),
    "progress": (("tools/call", {"name": "steps", "_meta": {"progressToken": "p"}}),),
    "ping": (("ping", None),),
    "errors": (("foo/bar", None), ("tools/list", {"cursor": "no cursor"})),
}

MALFORMED: tuple[Any, ...] = (
    5,
    [],
    {"jsonrpc": "1.0", "id": 1, "method": "ping"},
    {"jsonrpc": "2.0", "id": None, "method": "ping"},
    {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]},
    {"jsonrpc": "2.0", "id": 1},
    {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1, "message": "both"}},
)


class Transcript:
    """Recorded exchanges with one site."""

    def __init__(self, site: Site, revision: str) -> None:
        self.site, self.revision = site, revision
        self.lines: list[Json] = []

    async def exchange(self, message: Any, headers: Mapping[str, str]) -> Answer:
        request_headers = {name: value for name, value in headers.items() if value}
        all_headers = self.site.headers() | {"Content-Type": "application/json"} | request_headers
        answer = await self.site.send("POST", "/mcp", all_headers, json.dumps(message).encode())
        method = message.get("method") if isinstance(message, dict) else None
        for answer_message in answer.messages:
            check(self.revision, answer_message, method)
        headers_shown = {name: answer.headers[name] for name in SHOWN if name in answer.headers}
        self.lines.append(
            {
                "request": {
                    "headers": {name: request_headers[name] for name in SENT if name in request_headers},
                    "body": message,
                },
                "answer": {"status": answer.status, "headers": headers_shown, "messages": list(answer.messages)},
            }
        )
        return answer

    def text(self) -> str:
        """Return the exchanges as JSON, with values that differ between runs replaced."""
        written = json.dumps(self.lines, indent=1, ensure_ascii=False)
        written = re.sub(r'("Mcp-Session-Id": )"[A-Za-z0-9_-]{40,}"', r'\1"<session>"', written)
        return re.sub(r'("requestState": )"[\w-]+"', r'\1"<state>"', written) + "\n"


async def start_session(site: Site, revision: str, capabilities: Json) -> tuple[Transcript, dict[str, str]]:
    """Initialize a session; return the transcript and the headers for later requests."""
    transcript = Transcript(site, revision)
    params = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": CLIENT}
    opened = await transcript.exchange(site.request("initialize", params, id=0), {})
    headers = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
    if revision >= "2025-06-18":
        headers["MCP-Protocol-Version"] = revision
    await transcript.exchange({"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)
    return transcript, headers


async def chapter_of(site: Site, revision: str, chapter: str) -> Transcript:
    """Record the exchanges of one chapter."""
    if revision != STATELESS_REVISION:
        transcript, headers = await start_session(site, revision, {})
        del transcript.lines[:]
        for method, params in CHAPTERS[chapter]:
            await transcript.exchange(site.request(method, params), headers)
        return transcript
    transcript = Transcript(site, revision)
    level = {"logLevel": "warning"} if chapter == "logging" else {}
    for method, params in CHAPTERS[chapter]:
        members = dict(params or {})
        token = members.pop("_meta", {})
        message = site.stateless_request(method, members, **token, **level)
        await transcript.exchange(message, site.stateless_headers(message))
    return transcript


def compare(config: pytest.Config, revision: str, chapter: str, transcript: Transcript) -> None:
    """Compare the transcript with the stored file, after rewriting the file if --rewrite-transcripts is given."""
    file = HOME / revision / f"{chapter}.json"
    if config.getoption("--rewrite-transcripts"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(transcript.text())
    assert transcript.text() == file.read_text(), f"{file} differs; see --rewrite-transcripts"


@pytest.mark.requirement("M5", "M18", "M21", "M101")
@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("revision", [*STATEFUL_REVISIONS, STATELESS_REVISION])
async def test_chapter(pytestconfig: pytest.Config, revision: str, chapter: str) -> None:
    async with serving() as site:
        compare(pytestconfig, revision, chapter, await chapter_of(site, revision, chapter))


@pytest.mark.requirement("M7", "M48")
@pytest.mark.parametrize("revision", STATEFUL_REVISIONS)
async def test_lifecycle(pytestconfig: pytest.Config, revision: str) -> None:
    async with serving() as site:
        transcript, headers = await start_session(site, revision, {"roots": {}})
        await transcript.exchange(site.request("ping"), headers)
        compare(pytestconfig, revision, "lifecycle", transcript)


@pytest.mark.requirement("M77", "M101")
async def test_discovery(pytestconfig: pytest.Config) -> None:
    async with serving() as site:
        transcript = Transcript(site, STATELESS_REVISION)
        for changed in ({}, {"protocolVersion": "1900-01-01"}, {"clientCapabilities": None}):
            message = site.stateless_request("server/discover", **changed)
            version = message["params"]["_meta"].get(f"{META}protocolVersion")
            headers = {"MCP-Protocol-Version": version, "Mcp-Method": "server/discover"}
            await transcript.exchange(message, headers)
        compare(pytestconfig, STATELESS_REVISION, "discovery", transcript)


@pytest.mark.requirement("M95", "M96")
async def test_questions(pytestconfig: pytest.Config) -> None:
    async with serving() as site:
        transcript = Transcript(site, STATELESS_REVISION)
        elicits = {"clientCapabilities": {"elicitation": {}}}
        message = site.stateless_request("tools/call", {"name": "ask"}, **elicits)
        first = await transcript.exchange(message, site.stateless_headers(message))
        input_responses = {"who": {"action": "accept", "content": {"name": "Ann"}}}
        params = {"name": "ask", "inputResponses": input_responses, "requestState": first.result["requestState"]}
        message = site.stateless_request("tools/call", params, **elicits)
        await transcript.exchange(message, site.stateless_headers(message))
        message = site.stateless_request("tools/call", {"name": "ask"})
        await transcript.exchange(message, site.stateless_headers(message))
        compare(pytestconfig, STATELESS_REVISION, "questions", transcript)


@pytest.mark.requirement("M27")
async def test_batches(pytestconfig: pytest.Config) -> None:
    async with serving() as site:
        transcript, headers = await start_session(site, "2025-03-26", {})
        del transcript.lines[:]
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await transcript.exchange([site.request("ping"), note, site.request("tools/call", ECHO)], headers)
        await transcript.exchange([note], headers)
        await transcript.exchange([], headers)
        compare(pytestconfig, "2025-03-26", "batches", transcript)


@pytest.mark.parametrize("revision", STATEFUL_REVISIONS)
async def test_cancellation(pytestconfig: pytest.Config, revision: str) -> None:
    """A canceled request ends without a response. Canceling an unknown request is not an error."""
    async with serving() as site:
        transcript, headers = await start_session(site, revision, {})
        del transcript.lines[:]
        message = site.request("tools/call", {"name": "wait"})
        waiting = asyncio.create_task(transcript.exchange(message, headers))
        await site.bench.started.wait()
        for id in ("unknown", message["id"]):
            params = {"requestId": id, "reason": "not needed"}
            note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            await transcript.exchange(note, headers)
        await waiting
        # The canceled request ends last, but it was sent first.
        transcript.lines.sort(key=lambda line: "id" not in line["request"]["body"])
        compare(pytestconfig, revision, "cancellation", transcript)


@pytest.mark.parametrize("revision", [*STATEFUL_REVISIONS, STATELESS_REVISION])
async def test_malformed(pytestconfig: pytest.Config, revision: str) -> None:
    """Malformed messages and unknown session ids are refused."""
    async with serving() as site:
        if revision == STATELESS_REVISION:
            transcript, headers = (
                Transcript(site, revision),
                {"MCP-Protocol-Version": STATELESS_REVISION, "Mcp-Method": "ping"},
            )
        else:
            transcript, headers = await start_session(site, revision, {})
            del transcript.lines[:]
        for message in MALFORMED:
            await transcript.exchange(message, headers)
        await transcript.exchange(site.request("ping"), {"Mcp-Session-Id": "unknown"})
        compare(pytestconfig, revision, "malformed", transcript)


def test_no_recorded_message_is_unused() -> None:
    """Every stored transcript is compared by a test, so none goes stale."""
    used = {f"{revision}/{chapter}" for revision in (*STATEFUL_REVISIONS, STATELESS_REVISION) for chapter in CHAPTERS}
    used |= {f"{revision}/{chapter}" for revision in STATEFUL_REVISIONS for chapter in ("lifecycle", "cancellation")}
    used |= {f"{revision}/malformed" for revision in (*STATEFUL_REVISIONS, STATELESS_REVISION)}
    used |= {f"{STATELESS_REVISION}/discovery", f"{STATELESS_REVISION}/questions", "2025-03-26/batches"}
    assert {f"{file.parent.name}/{file.stem}" for file in HOME.glob("*/*.json")} == used
