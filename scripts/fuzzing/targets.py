"""Fuzz targets: parsers, the errors they may raise, and the invariants of accepted inputs."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import orjson
from multidict import CIMultiDict

from doit_mcp.api.event_stream import EventStreamParser, StreamError
from doit_mcp.auth import jws
from doit_mcp.auth.bearer import read_bearer_token
from doit_mcp.auth.errors import AuthError
from doit_mcp.catalog.tools.locales import find_locale
from doit_mcp.observability.trace import TRACE_ID_HEADER, begin_trace
from doit_mcp.protocol import cursors, jsonrpc, request_metadata
from doit_mcp.protocol.base64url import encode_base64url
from doit_mcp.protocol.parameter_headers import check_parameter_headers
from doit_mcp.protocol.revisions import REVISIONS_BY_NAME
from doit_mcp.redis_state.encryption import DecryptionError, Encryptor
from doit_mcp.server.event_store import parse_event_id
from doit_mcp.server.signed_state import StateSigner
from doit_mcp.transports.http.client_address import client_address
from doit_mcp.transports.http.request_body import parse_accept

CALL_META = f'"_meta":{{"{request_metadata.VERSION_KEY}":"2026-07-28","{jsonrpc.CAPABILITIES_KEY}":{{}}}}'
CALL = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"a":"x"}},{CALL_META}}}}}'
CALL_HEADERS = "MCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: t\nMcp-Param-A: x\n\n"
MIRRORED_SCHEMA = {
    "properties": {"a": {"type": "string", "x-mcp-header": "A"}, "n": {"type": "integer", "x-mcp-header": "N"}}
}
BINDING = b"caller tool arguments"
SIGNER = StateSigner(bytes(range(32)), clock=lambda: 1_000.0)
SIGNED_STATE = SIGNER.sign(BINDING, {"step": 1}, 60)
ENCRYPTOR = Encryptor("a secret of the fuzzer", "fuzz")
FINGERPRINT, LENGTH = "f1n9e2", 1_000
TRUSTED = ("10.0.0.0/8", "fd00::/8")
TOKEN = (
    encode_base64url(b'{"alg":"ES256"}') + "." + encode_base64url(b'{"sub":"s"}') + "." + encode_base64url(bytes(64))
)


class RuleViolation(AssertionError):
    """A parser accepted, rejected or changed something that it must not."""


def require(condition: bool, rule: str) -> None:
    """Raise RuleViolation unless *condition* is true; unlike assert, also with python -O."""
    if not condition:
        raise RuleViolation(rule)


def decode_header(data: bytes) -> str:
    """A header value as aiohttp decodes it: invalid UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def check_error(error: jsonrpc.RpcError) -> None:
    """Check that an error can be sent."""
    body = orjson.loads(jsonrpc.error_bytes(error, error.id))
    require(body["error"]["code"] == error.code and len(error.message) < 1_000, "an error is short and can be sent")


def nesting_depth(value: Any) -> int:
    """The nesting depth of a JSON value."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(nesting_depth, children), default=0)


def read_message(data: bytes) -> jsonrpc.Message | None:
    """The message in *data*; None if it was rejected correctly."""
    try:
        value = jsonrpc.parse_json(data)
        require(nesting_depth(value) <= jsonrpc.MAX_DEPTH, "an accepted message is not nested deeper than the limit")
        return jsonrpc.parse_message(value)
    except jsonrpc.RpcError as error:
        require(
            error.code in (jsonrpc.PARSE_ERROR, jsonrpc.INVALID_REQUEST),
            "an invalid message has a JSON-RPC error code for messages",
        )
        check_error(error)
        return None


def fuzz_json_rpc(data: bytes) -> None:
    """JSON-RPC messages."""
    message = read_message(data)
    if isinstance(message, jsonrpc.Request):
        response = jsonrpc.parse_json(jsonrpc.result_bytes(message.id, message.params))
        require(
            type(response["id"]) is type(message.id) and response["id"] == message.id,
            "the response has the id of the request",
        )


def fuzz_envelopes(data: bytes) -> None:
    """Headers and message together: header lines, an empty line, the body."""
    head, _, body = data.partition(b"\n\n")
    fields = (line.partition(":")[::2] for line in decode_header(head).split("\n"))
    headers = CIMultiDict((name, value) for name, value in fields if name)
    message = read_message(body)
    if not isinstance(message, jsonrpc.Request):
        return
    request_metadata.is_stateless_request(headers, message)
    checks: tuple[Callable[[], object], ...] = (
        lambda: request_metadata.read_request_metadata(message, headers),
        lambda: request_metadata.read_sessionless_caller(headers),
        lambda: request_metadata.check_session_version(REVISIONS_BY_NAME["2025-11-25"], headers),
        lambda: check_parameter_headers(message, headers, MIRRORED_SCHEMA),
    )
    for check in checks:
        try:
            check()
        except jsonrpc.RpcError as error:
            check_error(error)


def fuzz_header_values(data: bytes) -> None:
    """Values of ``Mcp-Name`` and ``Mcp-Param-*``, and of ``Accept``."""
    value = decode_header(data)
    decoded = request_metadata.decode_header_value(value)
    if decoded is not None:
        encoded = base64.b64encode(decoded.encode()).decode()
        decoded_again = request_metadata.decode_header_value(
            f"{request_metadata.BASE64_PREFIX}{encoded}{request_metadata.BASE64_SUFFIX}"
        )
        require(decoded_again == decoded, "a value is unchanged by base64 encoding and decoding")
    parse_accept(SimpleNamespace(headers=CIMultiDict(Accept=value)))  # type: ignore[arg-type]  # only the headers are read


def parse_events(chunks: list[bytes], limit: int) -> tuple[list[str], bool]:
    """The events of a stream that arrives in *chunks*, and whether it failed."""
    parser, events = EventStreamParser(limit), list[str]()
    try:
        for chunk in chunks:
            events += parser.feed(chunk)
    except StreamError:
        return events, True
    return events, False


def fuzz_event_stream(data: bytes) -> None:
    """Event streams of the API: the events must not depend on the chunks."""
    expected = parse_events([data], len(data) + 1)
    for size in (1, 3):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        result = parse_events(chunks, len(data) + 1)
        # Events in the same chunk before an error are returned with it, or not at all.
        require(
            result[1] == expected[1] and result[0][: len(expected[0])] == expected[0],
            "events do not depend on the chunks",
        )
        require(expected[1] or result[0] == expected[0], "events do not depend on the chunks")
    events, _ = parse_events([data], 32)
    require(all(len(event.encode()) <= 32 for event in events), "no event is longer than the limit")


def fuzz_signed_state(data: bytes) -> None:
    """Forged and modified signed values."""
    mask = (data * (len(SIGNED_STATE) // len(data) + 1))[: len(SIGNED_STATE)] if data else b""
    modified = bytes(a ^ b for a, b in zip(SIGNED_STATE.encode(), mask)).decode("latin-1")
    cases = [
        (BINDING, decode_header(data)),
        (BINDING, modified),
        (BINDING, SIGNED_STATE + decode_header(data)),
        (data, SIGNED_STATE),
    ]
    for binding, signed in cases:
        try:
            SIGNER.verify(binding, signed)
        except ValueError:
            continue
        require(
            (binding, signed) == (BINDING, SIGNED_STATE), "only signed values are accepted, and only with their binding"
        )
    text = data.decode("utf-8", "replace")
    require(SIGNER.verify(data, SIGNER.sign(data, text, 60)) == text, "verify returns the signed value")


def fuzz_encryption(data: bytes) -> None:
    """Values read from Redis."""
    try:
        ENCRYPTOR.decrypt("place", data)
    except DecryptionError:
        require(
            ENCRYPTOR.decrypt("place", ENCRYPTOR.encrypt("place", data)) == data, "decrypt returns the encrypted value"
        )
    else:
        raise RuleViolation("a value that was not encrypted was decrypted")


def fuzz_cursors(data: bytes) -> None:
    """Pagination cursors."""
    cursor = decode_header(data)
    try:
        position = cursors.decode_cursor(cursor, FINGERPRINT, LENGTH)
    except jsonrpc.RpcError as error:
        check_error(error)
        return
    require(
        0 < position < LENGTH and cursors.encode_cursor(position, FINGERPRINT) == cursor,
        "each position has exactly one cursor",
    )


def fuzz_forwarded(data: bytes) -> None:
    """``X-Forwarded-For``: the first line is the connection's address, each further one a header."""
    remote, *values = decode_header(data).split("\n")
    for trusted in ((), TRUSTED):
        address = client_address(remote, values, trusted)
        require(not address or ip_network(address).is_global, "a client address is public or empty")


def fuzz_locales(data: bytes) -> None:
    """Language tags, and dates formatted for them."""
    tag, _, day = decode_header(data).partition("\n")
    locale = find_locale(tag)
    if locale is not None:
        require(locale.format_money(-1234567.891, "EUR") != locale.format_money(1234567.891, "EUR"), "a sign is shown")
        require(len(locale.format_date(day)) <= 60, "a date is short")


def fuzz_traces(data: bytes) -> None:
    """``traceparent`` and the trace id header of this server."""
    parent, _, trace_id = decode_header(data).partition("\n")
    trace = copy_context().run(begin_trace, {"traceparent": parent, TRACE_ID_HEADER: trace_id})
    require(re.fullmatch(r"(?!0{32})[0-9a-f]{32}", trace.trace_id) is not None, "a trace ID is valid")
    require(re.fullmatch(r"[0-9a-f]{16}|", trace.parent_span_id) is not None, "a span ID is valid")
    require(
        re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", trace.id) is not None,
        "a logged ID is short and has only safe characters",
    )


def fuzz_bearers(data: bytes) -> None:
    """``Authorization``, and JWT parsing."""
    value = decode_header(data)
    try:
        token = read_bearer_token([value])
    except AuthError as error:
        require(value not in str(error) or len(value) < 12, "an error does not contain the credential")
        return
    require(
        token in value and token.isascii() and len(token) <= jws.MAX_TOKEN_LENGTH,
        "a token is ASCII and no longer than the limit",
    )
    parsed = jws.parse_jws(token)
    require(parsed is None or token.count(".") == 2, "a JWT has three parts")
    jws.find_json_objects(token)


def fuzz_event_ids(data: bytes) -> None:
    """``Last-Event-ID``."""
    stream, number = parse_event_id(decode_header(data))
    require(number is None or 0 <= number < 10**9, "an event number is in range")
    require(number is None or decode_header(data).startswith(f"{stream}_"), "an event ID names its stream")


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and well-formed inputs to start from."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


TARGETS = {
    "json-rpc": Target(fuzz_json_rpc, (CALL.encode(), b'{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"m"}}')),
    "envelopes": Target(fuzz_envelopes, ((CALL_HEADERS + CALL).encode(),)),
    "header-values": Target(fuzz_header_values, (b"plain name", b"=?base64?w7w=?=", b"text/*;q=0.5, application/json")),
    "event-stream": Target(fuzz_event_stream, (b"\xef\xbb\xbf: c\r\nid: 1\ndata: a\rdata: b\r\n\r\ndata:c\n\n",)),
    "seals": Target(fuzz_signed_state, (SIGNED_STATE.encode(), BINDING)),
    "boxes": Target(fuzz_encryption, (bytes(12) + b"sealed", b"")),
    "cursors": Target(
        fuzz_cursors, tuple(cursors.encode_cursor(at, FINGERPRINT).encode() for at in (1, 50, 999, 1000))
    ),
    "forwarded": Target(
        fuzz_forwarded, (b"10.1.1.1\n8.8.8.8, 10.2.2.2", b"fd00::1\n::ffff:8.8.8.8, [2001:4860::1]:80")
    ),
    "locales": Target(fuzz_locales, (b"de-CH\n2026-08-31", b"zh_Hant_HK\n2026-02", b"en-US-x-y\n2026-13-41")),
    "traces": Target(
        fuzz_traces, (b"00-" + b"a1" * 16 + b"-" + b"b2" * 8 + b"-01\nmine", b"cc-" + b"0" * 32 + b"-x-y-\n:")
    ),
    "bearers": Target(fuzz_bearers, (b"Bearer abc.def~ghi/+==", b"bearer " + TOKEN.encode())),
    "event-ids": Target(fuzz_event_ids, (b"stream_12", b"_", b"a_b_000000001")),
}
