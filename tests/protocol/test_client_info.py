"""What is kept of a client's introduction: the members that this server reads, and little of each."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doit_mcp.catalog.call import Question
from doit_mcp.protocol.client_info import MAX_TEXT, known_capabilities, known_client
from doit_mcp.protocol.extensions import SKILLS, TASKS, declares
from doit_mcp.protocol.jsonrpc import Request
from doit_mcp.protocol.request_metadata import CAPABILITIES, CLIENT, VERSION, Caller, envelope, introduced
from doit_mcp.protocol.revisions import BY_NAME, ENVELOPES
from doit_mcp.server.client_requests import required
from doit_mcp.server.handlers.lifecycle import hello

MEBIBYTE = 1 << 20
JUNK: dict[str, Any] = {f"member-{number}": ["x" * 100] for number in range(10_000)}
HOSTILE: dict[str, Any] = {
    **JUNK,
    "elicitation": {"form": JUNK, "url": {}, **JUNK},
    "sampling": {"tools": JUNK, "context": JUNK},
    "roots": JUNK,
    "experimental": JUNK,
    "extensions": {TASKS: JUNK, SKILLS: {}, **JUNK},
}
INFO = {"name": "n" * MEBIBYTE, "version": "\U0001f600" * MEBIBYTE, "title": "t", "icons": [JUNK], **JUNK}
QUESTIONS = [
    Question(method, params)
    for method, params in (
        ("roots/list", {}),
        ("sampling/createMessage", {}),
        ("sampling/createMessage", {"tools": []}),
        ("elicitation/create", {}),
        ("elicitation/create", {"mode": "url"}),
    )
]


def kept(caller: Caller) -> int:
    return len(orjson.dumps([caller.client, caller.capabilities, caller.level]))


def test_n4_both_eras_keep_little() -> None:
    handshake = Request(1, "initialize", {"protocolVersion": "x", "clientInfo": INFO, "capabilities": HOSTILE})
    meta = {VERSION: next(iter(ENVELOPES)), CAPABILITIES: HOSTILE, CLIENT: INFO}
    for caller in (hello(handshake), envelope(Request(1, "ping", {"_meta": meta}), None)):
        assert kept(caller) < 2_000
        assert caller.client == {"name": "n" * MAX_TEXT, "title": "t", "version": "\U0001f600" * MAX_TEXT}
        assert declares(caller._replace(revision=BY_NAME["2026-07-28"]), TASKS)


@pytest.mark.parametrize("revision", BY_NAME.values(), ids=list(BY_NAME))
@pytest.mark.parametrize(
    "declared",
    [
        HOSTILE,
        {},
        {"elicitation": {}},
        {"elicitation": {"url": {}}},
        {"elicitation": {"url": None}},
        {"elicitation": {"form": {}}},
        {"elicitation": {"form": 1}},
        {"elicitation": []},
        {"sampling": {}},
        {"sampling": {"tools": {}}},
        {"sampling": {"tools": True}},
        {"sampling": 1},
        {"roots": {}},
        {"roots": True},
        {"extensions": {TASKS: {}}},
        {"extensions": {TASKS: True}},
        {"extensions": [TASKS]},
        {"extensions": {}},
    ],
)
def test_n4_what_a_client_can_be_asked_stays_the_same(declared: dict[str, Any], revision: Any) -> None:
    whole, reduced = Caller(revision, {}, declared), introduced(revision, {}, declared)
    assert [required(reduced, one) for one in QUESTIONS] == [required(whole, one) for one in QUESTIONS]
    assert [declares(reduced, one) for one in (TASKS, SKILLS)] == [declares(whole, one) for one in (TASKS, SKILLS)]


def test_n4_members_of_a_wrong_kind_are_left_out() -> None:
    assert known_client({"name": 5, "version": {"a": 1}, "title": "T"}) == {"title": "T"}
    assert known_capabilities({"roots": [1], "other": {}}) == {"roots": None}
    assert known_client({}) == {} == known_capabilities({})
