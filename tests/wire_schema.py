"""Checks every message that the server sends against the published schema of its revision."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jsonschema

from doit_mcp.protocol.revisions import STATELESS_REVISIONS
from tests import published_schemas

Json = dict[str, Any]

# Requests whose result is exactly {}.
EMPTY = {"ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}
# Other results that a request may have instead of its own (2026-07-28, MRTR; SEP-2663).
INSTEAD = {"input_required": {"tools/call", "prompts/get", "resources/read"}, "task": {"tools/call"}}
# Notifications of extensions, which are in no published schema.
EXTENSIONS = {"notifications/tasks"}

# The codes of MCP Events are in reserved ranges: those of the extension, and those of its first draft, which ChatGPT
# reads.
EVENT_CODES = {*range(-32027, -32022), *range(-32015, -32010)}


def check(revision: str, message: Any, method: str | None = None) -> None:
    """Raise AssertionError unless *message*, sent by the server, is valid in *revision*.

    *method* is the method of the request. Without it, only what all results share is checked. An array is checked as
    a batch.
    """
    if isinstance(message, list):
        assert revision == "2025-03-26" and message, f"no batches in {revision}: {message!r}"
        for message_item in message:
            check(revision, message_item)
        return
    assert isinstance(message, dict) and message.get("jsonrpc") == "2.0", f"not a message: {message!r}"
    assert message.get("id", 0) is not None, f"an id must be omitted rather than null: {message!r}"
    if "method" in message:
        _from_server(revision, message)
    elif "error" in message:
        _error(revision, message)
    else:
        _result(revision, message, method)


def _from_server(revision: str, message: Json) -> None:
    name = message["method"]
    if "id" in message:
        assert revision not in STATELESS_REVISIONS, f"{revision} has no requests from the server: {name}"
        members = published_schemas.members(revision, "ServerRequest")
    else:
        members = published_schemas.members(revision, "ServerNotification")
    if name in EXTENSIONS and revision in STATELESS_REVISIONS:
        _fits(revision, "JSONRPCNotification", message)
        return
    assert name in members, f"{revision} does not have {name} from the server"
    _fits(revision, _definition(revision, members[name]), message)


def _definition(revision: str, expected: Json) -> str:
    return next(name for name, definition in published_schemas.definitions(revision).items() if definition is expected)


def _error(revision: str, message: Json) -> None:
    assert "result" not in message, f"both result and error: {message!r}"
    code = message["error"].get("code")
    assert type(code) is int, f"the code is not an integer: {message!r}"
    if revision in STATELESS_REVISIONS:
        # Reserved ranges and withdrawn codes (MCP 2026-07-28).
        is_reserved = code in (-32002, -32042) or -32019 <= code <= -32000
        assert not is_reserved or code in EVENT_CODES, f"{code} must not be sent"
        assert not -32099 <= code <= -32023 or code in EVENT_CODES, f"{code} is reserved"
    else:
        is_known = code in EVENT_CODES or (code == -32042 and revision == "2025-11-25")
        assert not -32099 <= code <= -32020 or is_known, f"{code} was introduced later"
    if "id" not in message:
        # Earlier schemas require an id even if none could be read; omitting it is correct (MCP 2026-07-28, Responses).
        message = {**message, "id": 0}
    base = (
        "JSONRPCErrorResponse" if "JSONRPCErrorResponse" in published_schemas.definitions(revision) else "JSONRPCError"
    )
    typed = _typed_errors(revision).get(code)
    _fits(revision, base, message)
    if typed is not None:
        properties = "error" in published_schemas.definitions(revision)[typed]["properties"]
        _fits(revision, typed, message if properties else message["error"])


@lru_cache
def _typed_errors(revision: str) -> dict[int, str]:
    """Return the definitions of specific errors by code; some describe the whole message, some its ``error``."""
    codes: dict[int, str] = {}
    for name, definition in published_schemas.definitions(revision).items():
        properties = definition.get("properties", {})
        for part in (properties, *properties.get("error", {}).get("allOf", [])):
            code = part.get("properties", part).get("code", {}).get("const")
            if name.endswith("Error") and code is not None:
                codes[code] = name
    return codes


def _result(revision: str, message: Json, method: str | None) -> None:
    defined = published_schemas.definitions(revision)
    envelope = "JSONRPCResultResponse" if "JSONRPCResultResponse" in defined else "JSONRPCResponse"
    _fits(revision, envelope, message)
    result = message["result"]
    kind = result.get("resultType", "complete")
    if revision in STATELESS_REVISIONS:
        assert kind == "complete" or method is None or method in INSTEAD.get(kind, ()), f"{method} answered by {kind}"
    else:
        assert not result.keys() & {"resultType", "ttlMs", "cacheScope"}, f"{revision} does not have them: {result!r}"
    _fits(revision, _result_of(revision, method, kind), result)
    if method in EMPTY:
        assert result == {}, f"the answer to {method} is exactly {{}}: {result!r}"


def _result_of(revision: str, method: str | None, kind: str) -> str:
    if kind == "input_required":
        return "InputRequiredResult"
    requests = published_schemas.members(revision, "ClientRequest")
    if method not in requests or kind != "complete":
        return "Result"
    name = _definition(revision, requests[method]).removesuffix("Request") + "Result"
    return name if name in published_schemas.definitions(revision) else "EmptyResult"


def _fits(revision: str, definition: str, value: Any) -> None:
    error = jsonschema.exceptions.best_match(_validator(revision, definition).iter_errors(value))
    if error is not None:
        place = "/".join(map(str, error.absolute_path)) or "the top"
        raise AssertionError(f"{revision} {definition}: {error.message[:300]} at {place}")


@lru_cache
def _validator(revision: str, definition: str) -> Any:
    document = published_schemas.schema(revision)
    keyword = "$defs" if "$defs" in document else "definitions"
    kind = jsonschema.validators.validator_for(document)
    return kind({**document, "$ref": f"#/{keyword}/{definition}"})
