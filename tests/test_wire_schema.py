"""The checker of outgoing messages accepts valid messages and catches invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests import published_schemas
from tests.wire_schema import check

OLDEST, BATCHES, THIRD, FOURTH, NEWEST = published_schemas.NAMES
TOOL = {"name": "t", "inputSchema": {"type": "object"}}
CACHED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def result(value: Any, id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": value}


def error(code: Any, data: Any = None, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": "m", **({"data": data} if data else {})}, **more}


def note(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


FORM = {"type": "object", "properties": {}}
ASK = {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": FORM}}
RIGHT: list[tuple[str, Any, str | None]] = [
    *((name, result({}), "ping") for name in published_schemas.NAMES[:4]),
    *((name, result({"tools": [TOOL]}), "tools/list") for name in published_schemas.NAMES[:4]),
    *((name, error(-32601, id="a"), None) for name in published_schemas.NAMES),
    *((name, error(-32700), None) for name in published_schemas.NAMES),
    *((name, note("notifications/progress", progressToken=1, progress=0.5), None) for name in published_schemas.NAMES),
    *((name, note("notifications/message", level="info", data="x"), None) for name in published_schemas.NAMES),
    *((name, {"jsonrpc": "2.0", "id": 1, "method": "roots/list"}, None) for name in published_schemas.NAMES[:4]),
    (BATCHES, [result({}), error(-32602, id=2)], None),
    (THIRD, {"jsonrpc": "2.0", "id": 1, **ASK}, None),
    (FOURTH, error(-32002, {"uri": "u"}, id=1), "resources/read"),
    (NEWEST, result({"tools": [TOOL], **CACHED}), "tools/list"),
    (NEWEST, result({"content": [], "resultType": "complete"}), "tools/call"),
    (NEWEST, result({"resultType": "input_required", "inputRequests": {"a": ASK}}), "tools/call"),
    (NEWEST, result({"resultType": "task", "taskId": "x"}), "tools/call"),
    (NEWEST, result({"resultType": "complete", "status": "working"}), "tasks/get"),
    (NEWEST, error(-32022, {"supported": [NEWEST], "requested": "x"}, id=1), None),
    (NEWEST, error(-32021, {"requiredCapabilities": {"roots": {}}}, id=1), None),
    (NEWEST, note("notifications/tasks", taskId="x"), None),
]
WRONG: list[tuple[str, Any, str | None]] = [
    *((name, error(-32700, id=None), None) for name in published_schemas.NAMES),
    *((name, {"id": 1, "result": {}}, None) for name in published_schemas.NAMES),
    *((name, result({}, None), None) for name in published_schemas.NAMES),
    *((name, result({}, 1.5), None) for name in published_schemas.NAMES),
    *((name, error("-1", id=1), None) for name in published_schemas.NAMES),
    *((name, {**error(-1), **result({})}, None) for name in published_schemas.NAMES),
    *((name, result({}), "tools/list") for name in published_schemas.NAMES),
    *((name, note("notifications/message", level="loud", data="x"), None) for name in published_schemas.NAMES),
    *((name, note("notifications/progress", progress=1), None) for name in published_schemas.NAMES),
    *((name, note("notifications/initialized"), None) for name in published_schemas.NAMES),
    *((name, [result({})], None) for name in published_schemas.NAMES if name != BATCHES),
    (BATCHES, [], None),
    (OLDEST, result({"a": 1}), "ping"),
    (OLDEST, result({"tools": [TOOL], "ttlMs": 0}), "tools/list"),
    (OLDEST, error(-32022, id=1), None),
    (BATCHES, {"jsonrpc": "2.0", "id": 1, **ASK}, None),
    (BATCHES, result({"content": [{"type": "resource_link", "uri": "u", "name": "n"}]}), "tools/call"),
    (THIRD, error(-32042, id=1), None),
    (FOURTH, result({"tools": [{**TOOL, "inputSchema": {"type": "object", "properties": {"a": True}}}]}), "tools/list"),
    (FOURTH, result({"content": [], "structuredContent": [1]}), "tools/call"),
    (FOURTH, result({"content": [], "resultType": "complete"}), "tools/call"),
    (NEWEST, result({"content": []}), "tools/call"),
    (NEWEST, result({"tools": [TOOL], "resultType": "complete"}), "tools/list"),
    (NEWEST, result({"tools": [TOOL], **CACHED, "ttlMs": -1}), "tools/list"),
    (NEWEST, result({"tools": [TOOL], **CACHED, "cacheScope": "all"}), "tools/list"),
    (NEWEST, result({"resultType": "input_required"}), "tools/list"),
    (NEWEST, result({"resultType": "task"}), "prompts/get"),
    (NEWEST, {"jsonrpc": "2.0", "id": 1, "method": "roots/list", "params": {}}, None),
    (NEWEST, error(-32002, id=1), None),
    (NEWEST, error(-32001, id=1), None),
    (NEWEST, error(-32050, id=1), None),
    (NEWEST, error(-32022, {"supported": [NEWEST]}, id=1), None),
    (NEWEST, error(-32021, id=1), None),
    (FOURTH, note("notifications/tasks", taskId="x"), None),
    (NEWEST, "x", None),
]


@pytest.mark.parametrize(("revision", "message", "method"), RIGHT)
def test_valid_messages_pass(revision: str, message: Any, method: str | None) -> None:
    check(revision, message, method)


@pytest.mark.parametrize(("revision", "message", "method"), WRONG)
def test_detects_invalid_messages(revision: str, message: Any, method: str | None) -> None:
    with pytest.raises(AssertionError):
        check(revision, message, method)
