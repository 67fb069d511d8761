"""How results are completed in stateful and stateless requests, and the HTTP status of each error."""

from __future__ import annotations

from typing import Any

import pytest

from doit_mcp.protocol.eras import SERVER_INFO_KEY, STATEFUL, STATELESS
from doit_mcp.protocol.jsonrpc import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CLIENT_CAPABILITY,
    PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION,
)

INFO = {"name": "s", "version": "1"}


@pytest.mark.parametrize("result", [{}, {"a": 1}, {"_meta": {"x.y/z": 1}}], ids=str)
def test_stateful_result_is_unchanged(result: dict[str, Any]) -> None:
    """A stateful result has no resultType, and the result of ping is exactly {}."""
    assert STATEFUL.complete_result(result, INFO) == result


def test_stateless_result_declares_completion_and_server() -> None:
    """A stateless result has resultType and the server's info (MCP 2026-07-28, ResultType; General fields, _meta)."""
    result = {"a": 1, "_meta": {"x.y/z": 1}}
    assert STATELESS.complete_result(result, INFO) == {
        "resultType": "complete",
        "a": 1,
        "_meta": {"x.y/z": 1, SERVER_INFO_KEY: INFO},
    }
    assert result == {"a": 1, "_meta": {"x.y/z": 1}}
    assert STATELESS.complete_result({}, INFO) == {"resultType": "complete", "_meta": {SERVER_INFO_KEY: INFO}}


@pytest.mark.parametrize("kind", ["input_required", "task"])
def test_incomplete_result_declares_itself(kind: str) -> None:
    """Another resultType is kept (MCP 2026-07-28, ResultType; MRTR, Server Requirements; SEP-2663, Task Creation)."""
    assert STATELESS.complete_result({"resultType": kind}, INFO)["resultType"] == kind


@pytest.mark.parametrize(
    ("code", "handshake", "envelope"),
    [
        (PARSE_ERROR, 400, 400),
        (INVALID_REQUEST, 400, 400),
        (METHOD_NOT_FOUND, 200, 404),
        (INVALID_PARAMS, 200, 400),
        (INTERNAL_ERROR, 200, 200),
        (HEADER_MISMATCH, 200, 400),
        (MISSING_CLIENT_CAPABILITY, 200, 400),
        (UNSUPPORTED_PROTOCOL_VERSION, 200, 400),
        (-31999, 200, 200),
        (-32769, 200, 200),
        (1001, 200, 200),
    ],
)
def test_status(code: int, handshake: int, envelope: int) -> None:
    """Each error code has the status of MCP 2026-07-28, Streamable HTTP, Protocol Version Header."""
    assert (STATEFUL.http_status(code), STATELESS.http_status(code)) == (handshake, envelope)
