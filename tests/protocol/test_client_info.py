"""Stored client information: only the members that this server reads, with bounded sizes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doit_mcp.catalog.call import Question
from doit_mcp.protocol.client_info import MAX_CLIENT_INFO_LENGTH, reduce_capabilities, reduce_client_info
from doit_mcp.protocol.extensions import SKILLS, TASKS, is_declared
from doit_mcp.protocol.jsonrpc import CAPABILITIES_KEY, Request
from doit_mcp.protocol.request_metadata import (
    CLIENT_INFO_KEY,
    VERSION_KEY,
    Caller,
    make_caller,
    read_request_metadata,
)
from doit_mcp.protocol.revisions import REVISIONS_BY_NAME, STATELESS_REVISIONS
from doit_mcp.server.client_requests import find_missing_capabilities
from doit_mcp.server.handlers.lifecycle import read_initialize

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


def stored_size(caller: Caller) -> int:
    return len(orjson.dumps([caller.client_info, caller.capabilities, caller.log_level]))


@pytest.mark.requirement("N4")
def test_n4_both_request_styles_keep_little_client_data() -> None:
    handshake = Request(1, "initialize", {"protocolVersion": "x", "clientInfo": INFO, "capabilities": HOSTILE})
    meta = {VERSION_KEY: next(iter(STATELESS_REVISIONS)), CAPABILITIES_KEY: HOSTILE, CLIENT_INFO_KEY: INFO}
    for caller in (read_initialize(handshake), read_request_metadata(Request(1, "ping", {"_meta": meta}), None)):
        assert stored_size(caller) < 2_000
        assert caller.client_info == {
            "name": "n" * MAX_CLIENT_INFO_LENGTH,
            "title": "t",
            "version": "\U0001f600" * MAX_CLIENT_INFO_LENGTH,
        }
        assert is_declared(caller._replace(revision=REVISIONS_BY_NAME["2026-07-28"]), TASKS)


def test_null_capabilities_are_absent() -> None:
    declared = {
        "roots": None,
        "sampling": {"tools": None},
        "elicitation": {"form": None, "url": None},
        "extensions": None,
    }
    assert reduce_capabilities(declared) == {"sampling": {}, "elicitation": {}}


@pytest.mark.requirement("N4")
@pytest.mark.parametrize("revision", REVISIONS_BY_NAME.values(), ids=list(REVISIONS_BY_NAME))
@pytest.mark.parametrize(
    "declared",
    [
        HOSTILE,
        {},
        {"elicitation": {}},
        {"elicitation": {"url": {}}},
        {"elicitation": {"form": {}}},
        {"elicitation": {"form": 1}},
        {"elicitation": [1]},
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
def test_n4_client_capabilities_are_preserved(declared: dict[str, Any], revision: Any) -> None:
    full, reduced = Caller(revision, {}, declared), make_caller(revision, {}, declared)
    assert [find_missing_capabilities(reduced, question) for question in QUESTIONS] == [
        find_missing_capabilities(full, question) for question in QUESTIONS
    ]
    assert [is_declared(reduced, question) for question in (TASKS, SKILLS)] == [
        is_declared(full, question) for question in (TASKS, SKILLS)
    ]


@pytest.mark.requirement("N4")
def test_n4_members_of_a_wrong_type_are_omitted() -> None:
    assert reduce_client_info({"name": 5, "version": {"a": 1}, "title": "T"}) == {"title": "T"}
    assert reduce_capabilities({"roots": [1], "other": {}}) == {"roots": None}
    assert reduce_capabilities({"roots": [], "sampling": {"tools": []}}) == {"roots": {}, "sampling": {"tools": {}}}
    assert reduce_client_info({}) == {} == reduce_capabilities({})
