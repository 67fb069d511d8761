"""Request metadata from headers and body: protocol revision, client information, log level, or the error to return."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple, Protocol

from .client_info import EMPTY_OBJECT, reduce_capabilities, reduce_client_info
from .jsonrpc import (
    CAPABILITIES_KEY,
    HEADER_MISMATCH,
    INVALID_REQUEST,
    UNSUPPORTED_PROTOCOL_VERSION,
    JsonObject,
    Message,
    Request,
    Response,
    RpcError,
    invalid_params_error,
)
from .revisions import DEFAULT_REVISION, STATEFUL_REVISIONS, STATELESS_REVISIONS, Revision

META_PREFIX = "io.modelcontextprotocol/"
VERSION_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY = (
    META_PREFIX + name for name in ("protocolVersion", "clientInfo", "logLevel")
)
VERSION_MEMBER = f"params._meta[{VERSION_KEY!r}]"
LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
# Methods whose Mcp-Name header repeats a member of params (MCP 2026-07-28, Standard Request Headers).
NAME_MEMBERS = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    # From the extension io.modelcontextprotocol/tasks (SEP-2663).
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
VERSION_HEADER, SESSION_ID_HEADER = "MCP-Protocol-Version", "Mcp-Session-Id"
BASE64_PREFIX, BASE64_SUFFIX = "=?base64?", "?="
LITERAL_VALUE = re.compile(r"[\t -~]*")
NO_VALUES: list[str] = []


class Headers(Protocol):
    """The methods of a multidict that this module uses."""

    def getall(self, key: str, default: list[str]) -> list[str]:
        """Return all values of *key*, which is case-insensitive."""

    def __contains__(self, key: object) -> bool: ...


class Caller(NamedTuple):
    """The revision, client information and capabilities of a request. The client can claim anything in them.

    Create it from client data with :func:`make_caller` only, which bounds its size.
    """

    revision: Revision
    client_info: JsonObject = EMPTY_OBJECT
    capabilities: JsonObject = EMPTY_OBJECT
    log_level: str | None = None


def make_caller(
    revision: Revision, client_info: JsonObject, capabilities: JsonObject, log_level: str | None = None
) -> Caller:
    """Return a caller with the client's information, reduced to what this server reads."""
    return Caller(revision, reduce_client_info(client_info), reduce_capabilities(capabilities), log_level)


def has_request_metadata(message: Message) -> bool:
    """Return whether the message carries stateless request metadata."""
    if isinstance(message, Response):
        return False
    meta = message.params.get("_meta")
    return isinstance(meta, dict) and VERSION_KEY in meta


def is_stateless_request(headers: Headers, message: Message | None) -> bool:
    """Return whether a request is stateless. *message* is None for a GET, a DELETE or a batch.

    The body decides first: stateless metadata, or the method ``initialize``, which negotiates the version. A session
    decides next, because it knows its version. Only otherwise does the version header decide. Stateful clients send the
    other headers too.
    """
    if message is not None:
        if has_request_metadata(message):
            return True
        if isinstance(message, Request) and message.method == "initialize":
            return False
    if SESSION_ID_HEADER in headers:
        return False
    for version in headers.getall(VERSION_HEADER, NO_VALUES):
        # Fast path: nearly all clients send the bare name.
        if version not in STATEFUL_REVISIONS and any(
            value not in STATEFUL_REVISIONS for value in version_values(headers)
        ):
            return True
    return False


def read_request_metadata(request: Request, headers: Headers | None) -> Caller:
    """Return the caller of a stateless request. Raise RpcError for invalid metadata or *headers* that disagree."""
    meta = request.params.get("_meta")
    if not isinstance(meta, dict):
        for stated in version_values(headers) if headers is not None else ():
            if stated not in STATELESS_REVISIONS and stated not in STATEFUL_REVISIONS:
                raise unsupported_version_error(stated, request)
        raise invalid_params_error(
            request, f"params._meta is missing; it must contain {VERSION_KEY} and {CAPABILITIES_KEY}"
        )
    version, capabilities, client = (
        meta.get(VERSION_KEY),
        meta.get(CAPABILITIES_KEY),
        meta.get(CLIENT_INFO_KEY, EMPTY_OBJECT),
    )
    level = meta.get(LOG_LEVEL_KEY)
    if not (isinstance(version, str) and isinstance(capabilities, dict) and isinstance(client, dict)):
        raise _invalid_member_error(request, meta)
    if LOG_LEVEL_KEY in meta and not isinstance(level, str):
        raise _invalid_member_error(request, meta)
    if headers is not None:
        _check_header(request, headers, VERSION_HEADER, version, VERSION_MEMBER)
    revision = STATELESS_REVISIONS.get(version)
    if revision is None:
        raise unsupported_version_error(version, request)
    if headers is not None:
        _check_header(request, headers, "Mcp-Method", request.method, '"method"')
        _check_name_header(request, headers)
    if level is not None and level not in LOG_LEVELS:
        raise invalid_params_error(request, f"params._meta[{LOG_LEVEL_KEY!r}] must be one of {', '.join(LOG_LEVELS)}")
    return make_caller(revision, client, capabilities, level)


def unsupported_version_error(version: str, request: Request | None = None) -> RpcError:
    """Return the error for a version without stateless requests."""
    return RpcError(
        UNSUPPORTED_PROTOCOL_VERSION,
        f"Unsupported protocol version: {version[:64]}",
        {"supported": list(STATELESS_REVISIONS), "requested": version[:64]},
        id=request.id if request else None,
    )


def check_notification_version(headers: Headers) -> None:
    """Check the headers of a stateless notification. Raise RpcError for an unsupported version (MCP 2026-07-28, Sending Messages)."""
    for version in version_values(headers):
        if version not in STATELESS_REVISIONS:
            raise unsupported_version_error(version)


def read_sessionless_caller(headers: Headers) -> Caller:
    """Return the caller of a stateful request without a session. Raise RpcError -32600 for invalid versions."""
    versions = set(version_values(headers))
    if not versions:
        return Caller(DEFAULT_REVISION)
    revision = STATEFUL_REVISIONS.get(versions.pop())
    if revision is None or versions:
        raise RpcError(INVALID_REQUEST, f"{VERSION_HEADER} must be exactly one of {', '.join(STATEFUL_REVISIONS)}")
    return Caller(revision)


def check_session_version(revision: Revision, headers: Headers) -> None:
    """Check the version header of a session's request. Raise RpcError if it contradicts the session's revision.

    Revisions without this header accept those of all stateful revisions.
    """
    if headers.getall(VERSION_HEADER, NO_VALUES) == [revision.name]:
        return
    accepted = (revision.name,) if revision.supports("version.header") else STATEFUL_REVISIONS
    for version in version_values(headers):
        if version not in accepted:
            text = f"{VERSION_HEADER} is {version[:64]}, but this session was opened with {revision.name}"
            raise RpcError(INVALID_REQUEST, text)


def _invalid_member_error(request: Request, meta: JsonObject) -> RpcError:
    """Return the error for the first metadata member that is missing or has the wrong type."""
    types = {
        VERSION_KEY: (str, "a string"),
        CAPABILITIES_KEY: (dict, "an object"),
        CLIENT_INFO_KEY: (dict, "an object"),
    }
    for name, (expected_type, description) in types.items():
        if not isinstance(meta.get(name, EMPTY_OBJECT if name == CLIENT_INFO_KEY else None), expected_type):
            return invalid_params_error(request, f"params._meta[{name!r}] must be {description}")
    return invalid_params_error(request, f"params._meta[{LOG_LEVEL_KEY!r}] must be a string")


def _check_header(request: Request, headers: Headers, header: str, expected: str, source: str) -> None:
    # Fast path: nearly all clients send the expected value unencoded.
    if headers.getall(header, NO_VALUES) == [expected]:
        return
    values = header_values(headers, header)
    if values == [expected]:
        return
    problem = f"is missing; it must equal {source}" if not values else f"does not match {source}"
    raise RpcError(HEADER_MISMATCH, f"Header {header} {problem}", id=request.id)


def _check_name_header(request: Request, headers: Headers) -> None:
    member = NAME_MEMBERS.get(request.method)
    if member is None:
        return
    source = request.params.get(member)
    if not isinstance(source, str):
        raise invalid_params_error(request, f"params.{member} must be a string")
    # Fast path: names of tools and prompts need no encoding.
    if source.isascii() and source.isidentifier() and headers.getall("Mcp-Name", NO_VALUES) == [source]:
        return
    values = header_values(headers, "Mcp-Name")
    if len(values) != 1:
        problem = "is missing" if not values else "appears more than once"
        raise RpcError(HEADER_MISMATCH, f"Header Mcp-Name {problem}; it must equal params.{member}", id=request.id)
    if decode_header_value(values[0]) != source:
        raise RpcError(HEADER_MISMATCH, f"Header Mcp-Name does not match params.{member}", id=request.id)


def header_values(headers: Headers, name: str) -> list[str]:
    """Return all values of a header, stripped, as text that JSON can represent.

    aiohttp decodes invalid UTF-8 to lone surrogates, which JSON serializers reject.
    """
    values = [value.strip(" \t") for value in headers.getall(name, NO_VALUES)]
    return [value if value.isascii() else value.encode("utf-8", "replace").decode() for value in values]


def version_values(headers: Headers) -> list[str]:
    """Return the values of the version header. An empty one is absent."""
    return [value for value in header_values(headers, VERSION_HEADER) if value]


def decode_header_value(text: str) -> str | None:
    """Decode a header value; None if it is invalid (MCP 2026-07-28, Value Encoding).

    A value without both base64 markers is literal and must be visible ASCII and spaces.
    """
    text = text.strip(" \t")
    if not (
        text.startswith(BASE64_PREFIX)
        and text.endswith(BASE64_SUFFIX)
        and len(text) >= len(BASE64_PREFIX + BASE64_SUFFIX)
    ):
        return text if LITERAL_VALUE.fullmatch(text) else None
    encoded = text[len(BASE64_PREFIX) : -len(BASE64_SUFFIX)]
    try:
        data = base64.b64decode(encoded, validate=True)
        # Encode again and compare: the decoder accepts misplaced padding and stray bits.
        return data.decode() if base64.b64encode(data).decode() == encoded else None
    except ValueError:
        return None
