"""Headers and message together: which revision is this request, who is asking, or which error is due."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Protocol

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
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
# Methods whose Mcp-Name header repeats a member of params (2026-07-28, Standard Request Headers).
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
ENCODED, ENCODED_END = "=?base64?", "?="


class Headers(Protocol):
    """The part of a multi-dict that is asked here."""

    def getall(self, key: str, default: list[str]) -> list[str]:
        """Every value sent under *key*, any case."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks which revision; *client* and *capabilities* are the client's own words, never proof of anything."""

    revision: Revision
    client: JsonObject = field(default_factory=dict)
    capabilities: JsonObject = field(default_factory=dict)
    level: str | None = None


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
    return any(version not in HANDSHAKES for version in headers.getall("MCP-Protocol-Version", []))


def envelope(request: Request, headers: Headers | None) -> Caller:
    """Check the envelope and, on HTTP, that *headers* agree with it. Raises RpcError in the order of the ladder."""
    meta = request.params.get("_meta")
    if not isinstance(meta, dict):
        raise _params(request, f"params._meta is missing; every request carries {VERSION} and {CAPABILITIES} there")
    version = _member(request, meta, VERSION, str, "a string")
    capabilities = _member(request, meta, CAPABILITIES, dict, "an object")
    client = _member(request, meta, CLIENT, dict, "an object") if CLIENT in meta else {}
    level = _member(request, meta, LEVEL, str, "a string") if LEVEL in meta else None
    if headers is not None:
        _agree(request, headers, "MCP-Protocol-Version", version, f"params._meta[{VERSION!r}]")
    revision = ENVELOPES.get(version)
    if revision is None:
        raise unsupported(version, request)
    if headers is not None:
        _agree(request, headers, "Mcp-Method", request.method, '"method"')
        _named(request, headers)
    if level is not None and level not in LEVELS:
        raise _params(request, f"params._meta[{LEVEL!r}] must be one of {', '.join(LEVELS)}")
    return Caller(revision, client, capabilities, level)


def unsupported(version: str, request: Request | None = None) -> RpcError:
    """The error for a version that cannot be spoken request by request."""
    return RpcError(
        UNSUPPORTED_PROTOCOL_VERSION,
        f"Unsupported protocol version: {version[:64]}",
        {"supported": list(ENVELOPES), "requested": version[:64]},
        id=request.id if request else None,
    )


def check_notification(notification: Notification, headers: Headers) -> None:
    """Refuse a notification of the envelope era only for a version that nobody speaks (2026-07-28, T3)."""
    for version in headers.getall("MCP-Protocol-Version", []):
        if version not in ENVELOPES:
            raise unsupported(version)


def stateless_handshake(headers: Headers) -> Caller:
    """The caller of a handshake-era request that belongs to no session."""
    versions = headers.getall("MCP-Protocol-Version", [])
    return Caller(HANDSHAKES[versions[0]] if versions else UNSAID)


def check_session_version(revision: Revision, headers: Headers) -> None:
    """Refuse a version header that contradicts the session's revision, where the header exists (section 1.4)."""
    if not revision.has("version.header"):
        return
    for version in headers.getall("MCP-Protocol-Version", []):
        if version != revision.name:
            raise RpcError(
                INVALID_REQUEST,
                f"MCP-Protocol-Version is {version[:64]}, but this session was opened with {revision.name}",
            )


def _params(request: Request, text: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: {text}", id=request.id)


def _member(request: Request, meta: JsonObject, name: str, kind: type, said: str) -> Any:
    value = meta.get(name)
    if not isinstance(value, kind):
        raise _params(request, f"params._meta[{name!r}] must be {said}")
    return value


def _agree(request: Request, headers: Headers, header: str, expected: str, source: str) -> None:
    values = headers.getall(header, [])
    if len(values) == 1 and values[0].strip() == expected:
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
    values = headers.getall("Mcp-Name", [])
    if len(values) != 1:
        fault = "is missing" if not values else "is there more than once"
        raise RpcError(HEADER_MISMATCH, f"Header Mcp-Name {fault}; it must equal params.{member}", id=request.id)
    if decode_value(values[0]) != source:
        raise RpcError(HEADER_MISMATCH, f"Header Mcp-Name does not agree with params.{member}", id=request.id)


def decode_value(text: str) -> str | None:
    """A header value with its base64 form undone; None when that form is broken (2026-07-28, Value Encoding)."""
    text = text.strip(" \t")
    if not (text.startswith(ENCODED) and text.endswith(ENCODED_END) and len(text) >= len(ENCODED + ENCODED_END)):
        return text
    try:
        return base64.b64decode(text[len(ENCODED) : -len(ENCODED_END)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
