"""JSON-RPC 2.0: parsing and serializing messages, and the error codes of MCP."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from .message_limits import CONTAINER_TYPES, MAX_VALUES, has_too_many_values

JsonObject = dict[str, Any]
Id = str | int

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
RESOURCE_NOT_FOUND = -32002  # stateful revisions only
HEADER_MISMATCH = -32020
MISSING_CLIENT_CAPABILITY = -32021
UNSUPPORTED_PROTOCOL_VERSION = -32022

# The only member of _meta that must be an object. Clients send null for it if their map of capabilities is empty.
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"

MAX_DEPTH = 64
MAX_ID_LENGTH = 256
MAX_METHOD_LENGTH = 256
# Bytes and opening brackets of a body with invalid text that is read again for its id. The parser of the standard
# library is slow and recursive, and holds up all other threads.
MAX_BYTES_OF_INVALID_TEXT, MAX_BRACKETS_IN_INVALID_TEXT = 256 << 10, 500
MAX_EXACT_INTEGER = 2**53
"""Up to this absolute value, floats represent all integers."""


class RpcError(Exception):
    """A protocol error, sent as a JSON-RPC error with this code, message and data."""

    def __init__(self, code: int, message: str, data: Any = None, *, id: Id | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.id = id


class Request(NamedTuple):
    """A message that expects a response."""

    id: Id
    method: str
    params: JsonObject


class Notification(NamedTuple):
    """A message that gets no response."""

    method: str
    params: JsonObject


class Response(NamedTuple):
    """The response to a request of this server. Exactly one of *result* and *error* is present."""

    id: Id | None
    result: Any = None
    error: JsonObject | None = None


Message = Request | Notification | Response


def parse_json(body: bytes) -> Any:
    """Parse *body* as strict JSON (RFC 8259): UTF-8, no NaN, at most MAX_DEPTH levels and MAX_VALUES values.

    The last of several members with the same name wins. Integers beyond 64 bits become floats. Raise RpcError -32700
    for invalid or too deep JSON, and -32600 for too many values.
    """
    if has_too_many_values(body):
        text = f"Invalid Request: the body has more than {MAX_VALUES:,} values; send them in several requests"
        raise RpcError(INVALID_REQUEST, text)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _parse_error(body, error) from None
    # Depth never exceeds the number of opening brackets, so most messages need no walk.
    may_be_too_deep = body.count(b"{") + body.count(b"[") > MAX_DEPTH
    if may_be_too_deep and isinstance(value, (dict, list)) and _depth_exceeds(value, MAX_DEPTH):
        raise RpcError(PARSE_ERROR, f"Parse error: the body is nested deeper than {MAX_DEPTH} levels")
    return value


def parse_json_object(text: bytes | str) -> JsonObject | None:
    """Return the JSON object in *text* from an upstream, whose size is bounded; None if it is anything else."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _parse_error(body: bytes, error: orjson.JSONDecodeError) -> RpcError:
    """Return the error for a *body* that is not strict JSON, with the id if only its text is invalid.

    JSON allows half of a surrogate pair, which Unicode does not. Clients send it when a text was cut inside an emoji.
    """
    text, identifier = "the body is not valid JSON", None
    is_small = len(body) <= MAX_BYTES_OF_INVALID_TEXT
    # Depth never exceeds the number of opening brackets.
    is_small = is_small and body.count(b"{") + body.count(b"[") <= MAX_BRACKETS_IN_INVALID_TEXT
    if is_small and "surrogate" in error.msg:
        with suppress(ValueError):
            identifier = _find_id(json.loads(body.decode("utf-8", "surrogatepass")))
            text = "the body has a lone surrogate, which is half of a character; send whole characters"
    return RpcError(PARSE_ERROR, f"Parse error: {text} (line {error.lineno} column {error.colno})", id=identifier)


def _find_id(value: Any) -> Id | None:
    """Return the id of a message with invalid text, or None without a valid id. Raise ValueError if it is invalid text."""
    identifier = value.get("id") if isinstance(value, dict) else None
    if isinstance(identifier, str):
        return identifier if len(identifier.encode()) <= MAX_ID_LENGTH else None
    return identifier if type(identifier) is int and abs(identifier) < 1 << 63 else None


def _depth_exceeds(value: JsonObject | list[Any], limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, CONTAINER_TYPES)
        ]
        if not level:
            return False
    return True


def parse_message(value: Any) -> Message:
    """Return the message in a JSON value. Raise RpcError -32600, with the id if the message has a valid one."""
    if not isinstance(value, dict):
        raise RpcError(INVALID_REQUEST, "Invalid Request: a message is a JSON object")
    identifier = value.get("id")
    if type(identifier) is not int and "id" in value:
        identifier = _parse_id(value)
    if value.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'Invalid Request: "jsonrpc" must be "2.0"', id=identifier)
    if "method" not in value:
        return _parse_response(value, identifier)
    method = value["method"]
    if not isinstance(method, str) or not 0 < len(method) <= MAX_METHOD_LENGTH:
        text = f'Invalid Request: "method" must be a string of 1 to {MAX_METHOD_LENGTH} characters'
        raise RpcError(INVALID_REQUEST, text, id=identifier)
    params = _parse_params(value, identifier)
    if identifier is None:
        return Notification(method, params)
    return Request(identifier, method, params)


def _parse_params(value: JsonObject, identifier: Id | None) -> JsonObject:
    """Return the params of a message as `without_empty_values`, also in ``_meta``. Raise RpcError -32600.

    No method has a member of params that is a list. The arguments of tools have rules of their own.
    """
    params = value.get("params")
    if not isinstance(params, dict):
        if params is None or params == []:
            return {}
        raise RpcError(INVALID_REQUEST, 'Invalid Request: "params" must be an object', id=identifier)
    values = params.values()
    if None in values or [] in values:
        params = without_empty_values(params)
    if isinstance(meta := params.get("_meta"), dict) and (normalized := without_empty_values(meta)) is not meta:
        params["_meta"] = normalized | ({CAPABILITIES_KEY: {}} if meta.get(CAPABILITIES_KEY, ...) is None else {})
    return params


def without_empty_values(value: JsonObject) -> JsonObject:
    """Return *value* without nulls, which mean absent, and with objects for empty lists.

    Use it only where members cannot be lists. Many serializers write null for optional members, and no method gives it another meaning.
    """
    value = without_nulls(value)
    if [] not in value.values():
        return value
    return {name: replace_empty_list(member) for name, member in value.items()}


def replace_empty_list(value: Any) -> Any:
    """Return an empty object for an empty list, and any other *value* unchanged. Use it only where no list is allowed.

    PHP has one type for both, and its serializer writes an empty one as a list.
    """
    return {} if value == [] else value


def without_nulls(value: JsonObject) -> JsonObject:
    """Return *value* without its members that are null, which means absent."""
    return {name: member for name, member in value.items() if member is not None} if None in value.values() else value


def _parse_id(value: JsonObject) -> Id | None:
    """Return the id of a message. Only error responses may have null."""
    identifier = value["id"]
    if isinstance(identifier, float) and identifier.is_integer() and abs(identifier) <= MAX_EXACT_INTEGER:
        # JSON has one kind of number, and some serializers write every number as a float.
        return int(identifier)
    if type(identifier) is int or (isinstance(identifier, str) and len(identifier) <= MAX_ID_LENGTH):
        return identifier
    if identifier is None and "method" not in value and "error" in value:
        return None
    text = f'Invalid Request: "id" must be an integer of 64 bits or a string of up to {MAX_ID_LENGTH} characters'
    raise RpcError(INVALID_REQUEST, text)


def _parse_response(value: JsonObject, identifier: Id | None) -> Response:
    if "result" in value and "error" in value:
        value = without_nulls(value)
    if ("result" in value) == ("error" in value):
        raise RpcError(
            INVALID_REQUEST, 'Invalid Request: a message has "method", or one of "result" and "error"', id=identifier
        )
    if "error" not in value:
        if identifier is None:
            raise RpcError(INVALID_REQUEST, 'Invalid Request: a result needs the "id" of its request')
        return Response(identifier, result=replace_empty_list(value["result"]))
    error = value["error"]
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(error.get("message"), str):
        text = 'Invalid Request: an error has an integer "code" and a "message"'
        raise RpcError(INVALID_REQUEST, text, id=identifier)
    return Response(identifier, error=error)


def invalid_params_error(request: Request, text: str) -> RpcError:
    """Return the error for invalid params of *request*. *text* names the member and the problem."""
    return RpcError(INVALID_PARAMS, f"Invalid params: {text}", id=request.id)


def result_bytes(id: Id, result: Any) -> bytes:
    """Serialize a result. *result* may be an ``orjson.Fragment`` of serialized JSON."""
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "result": result})


def error_bytes(error: RpcError, id: Id | None) -> bytes:
    """Serialize an error. Omits an unknown id, because the MCP schemas do not allow null."""
    body: JsonObject = {"jsonrpc": "2.0"}
    if id is not None:
        body["id"] = id
    body["error"] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["error"]["data"] = error.data
    return orjson.dumps(body)


def notification_bytes(method: str, params: JsonObject) -> bytes:
    """Serialize a notification."""
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})
