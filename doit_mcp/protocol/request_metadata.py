"""Headers and message together: which revision is this request, who is asking, or which error is due."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple, Protocol

from .client_info import NOTHING, known_capabilities, known_client
from .jsonrpc import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    UNSUPPORTED_PROTOCOL_VERSION,
    JsonObject,
    Message,
    Notification,
    Request,
    Response,
    RpcError,
)
from .revisions import ENVELOPES, HANDSHAKES, UNSAID, Revision

PREFIX = "io.modelcontextprotocol/"
VERSION, CAPABILITIES, CLIENT, LEVEL = (
    PREFIX + name for name in ("protocolVersion", "clientCapabilities", "clientInfo", "logLevel")
)
VERSION_MEMBER = f"params._meta[{VERSION!r}]"
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
# Methods whose Mcp-Name header repeats a member of params (Standard Request Headers).
NAMED = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    # Of the extension io.modelcontextprotocol/tasks (SEP-2663).
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
VERSION_HEADER = "MCP-Protocol-Version"
ENCODED, ENCODED_END = "=?base64?", "?="
LITERAL = re.compile(r"[\t -~]*")
NONE: list[str] = []


class Headers(Protocol):
    """The part of a multi-dict that is asked here."""

    def getall(self, key: str, default: list[str]) -> list[str]:
        """Every value sent under *key*, any case."""


class Caller(NamedTuple):
    """Who speaks which revision; *client* and *capabilities* are the client's own words, never proof of anything.

    Only :func:`introduced` makes one from a client's words: whatever holds a caller holds little.
    """

    revision: Revision
    client: JsonObject = NOTHING
    capabilities: JsonObject = NOTHING
    level: str | None = None


def introduced(revision: Revision, client: JsonObject, capabilities: JsonObject, level: str | None = None) -> Caller:
    """The caller that a client says it is, reduced to what this server reads."""
    return Caller(revision, known_client(client), known_capabilities(capabilities), level)


def has_envelope(message: Message) -> bool:
    """Whether the message introduces itself, as requests of the envelope era do."""
    if isinstance(message, Response):
        return False
    meta = message.params.get("_meta")
    return isinstance(meta, dict) and VERSION in meta


def speaks_envelope(headers: Headers, message: Message | None) -> bool:
    """Whether the envelope era answers. *message* is None for what is no single message: a GET, a DELETE, an array.

    Body first, then the version header; never the other headers, which handshake clients send as well (section 1.1).
    """
    if message is not None and has_envelope(message):
        return True
    for version in headers.getall(VERSION_HEADER, NONE):
        # What nearly all clients send is the name itself.
        if version not in HANDSHAKES and any(one not in HANDSHAKES for one in sent(headers, VERSION_HEADER)):
            return True
    return False


def envelope(request: Request, headers: Headers | None) -> Caller:
    """Check the envelope and, on HTTP, that *headers* agree with it. Raises RpcError in the order of the ladder."""
    meta = request.params.get("_meta")
    if not isinstance(meta, dict):
        raise _params(request, f"params._meta is missing; every request carries {VERSION} and {CAPABILITIES} there")
    version, capabilities, client = meta.get(VERSION), meta.get(CAPABILITIES), meta.get(CLIENT, NOTHING)
    level = meta.get(LEVEL)
    if not (isinstance(version, str) and isinstance(capabilities, dict) and isinstance(client, dict)):
        raise _wrong_member(request, meta)
    if LEVEL in meta and not isinstance(level, str):
        raise _wrong_member(request, meta)
    if headers is not None:
        _agree(request, headers, VERSION_HEADER, version, VERSION_MEMBER)
    revision = ENVELOPES.get(version)
    if revision is None:
        raise unsupported(version, request)
    if headers is not None:
        _agree(request, headers, "Mcp-Method", request.method, '"method"')
        _named(request, headers)
    if level is not None and level not in LEVELS:
        raise _params(request, f"params._meta[{LEVEL!r}] must be one of {', '.join(LEVELS)}")
    return introduced(revision, client, capabilities, level)


def unsupported(version: str, request: Request | None = None) -> RpcError:
    """The error for a version that cannot be spoken request by request."""
    return RpcError(
        UNSUPPORTED_PROTOCOL_VERSION,
        f"Unsupported protocol version: {version[:64]}",
        {"supported": list(ENVELOPES), "requested": version[:64]},
        id=request.id if request else None,
    )


def check_notification(notification: Notification, headers: Headers) -> None:
    """Refuse a notification of the envelope era only for a version that is not spoken here (Sending Messages)."""
    for version in sent(headers, VERSION_HEADER):
        if version not in ENVELOPES:
            raise unsupported(version)


def stateless_handshake(headers: Headers) -> Caller:
    """The caller of a handshake-era request that belongs to no session; RpcError -32600 for no one version."""
    versions = set(sent(headers, VERSION_HEADER))
    if not versions:
        return Caller(UNSAID)
    revision = HANDSHAKES.get(versions.pop())
    if revision is None or versions:
        raise RpcError(INVALID_REQUEST, f"{VERSION_HEADER} must be one of {', '.join(HANDSHAKES)}, once")
    return Caller(revision)


def check_session_version(revision: Revision, headers: Headers) -> None:
    """Refuse a version header that contradicts the session's revision, where the header exists (section 1.4)."""
    if headers.getall(VERSION_HEADER, NONE) == [revision.name] or not revision.has("version.header"):
        return
    for version in sent(headers, VERSION_HEADER):
        if version != revision.name:
            text = f"{VERSION_HEADER} is {version[:64]}, but this session was opened with {revision.name}"
            raise RpcError(INVALID_REQUEST, text)


def _params(request: Request, text: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {text}", id=request.id)


def _wrong_member(request: Request, meta: JsonObject) -> RpcError:
    """The error for the first member of the envelope that is missing or of another type."""
    kinds = {VERSION: (str, "a string"), CAPABILITIES: (dict, "an object"), CLIENT: (dict, "an object")}
    for name, (kind, said) in kinds.items():
        if not isinstance(meta.get(name, NOTHING if name == CLIENT else None), kind):
            return _params(request, f"params._meta[{name!r}] must be {said}")
    return _params(request, f"params._meta[{LEVEL!r}] must be a string")


def _agree(request: Request, headers: Headers, header: str, expected: str, source: str) -> None:
    # What nearly all clients send is equal as it is.
    if headers.getall(header, NONE) == [expected]:
        return
    values = sent(headers, header)
    if values == [expected]:
        return
    fault = f"is missing; it must equal {source}" if not values else f"does not agree with {source}"
    raise RpcError(HEADER_MISMATCH, f"Header {header} {fault}", id=request.id)


def _named(request: Request, headers: Headers) -> None:
    member = NAMED.get(request.method)
    if member is None:
        return
    source = request.params.get(member)
    if not isinstance(source, str):
        raise _params(request, f"params.{member} must be a string")
    # Names of tools and prompts need no encoding.
    if source.isascii() and source.isidentifier() and headers.getall("Mcp-Name", NONE) == [source]:
        return
    values = sent(headers, "Mcp-Name")
    if len(values) != 1:
        fault = "is missing" if not values else "is there more than once"
        raise RpcError(HEADER_MISMATCH, f"Header Mcp-Name {fault}; it must equal params.{member}", id=request.id)
    if decode_value(values[0]) != source:
        raise RpcError(HEADER_MISMATCH, f"Header Mcp-Name does not agree with params.{member}", id=request.id)


def sent(headers: Headers, name: str) -> list[str]:
    """Every value of a header, without blanks around it, as text that JSON can carry.

    aiohttp keeps bytes that are no UTF-8 as lone surrogates, which no JSON writer accepts.
    """
    values = [value.strip(" \t") for value in headers.getall(name, NONE)]
    return [value if value.isascii() else value.encode("utf-8", "replace").decode() for value in values]


def decode_value(text: str) -> str | None:
    """A header value with its base64 form undone; None when that form is broken (Value Encoding).

    Anything that lacks one of the two markers is literal, and then visible ASCII with inner blanks.
    """
    text = text.strip(" \t")
    if not (text.startswith(ENCODED) and text.endswith(ENCODED_END) and len(text) >= len(ENCODED + ENCODED_END)):
        return text if LITERAL.fullmatch(text) else None
    encoded = text[len(ENCODED) : -len(ENCODED_END)]
    try:
        data = base64.b64decode(encoded, validate=True)
        # Made anew and compared: the decoder overlooks padding in the wrong place and stray last bits.
        return data.decode() if base64.b64encode(data).decode() == encoded else None
    except ValueError:
        return None
