"""What is fuzzed: parsers, what each may raise, and what has to hold for whatever it accepts."""

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

from doit_mcp.api.event_stream import Parser, StreamError
from doit_mcp.auth import jws
from doit_mcp.auth.bearer import bearer
from doit_mcp.auth.errors import AuthError
from doit_mcp.catalog.tools.locales import locale_of
from doit_mcp.observability.trace import HEADER, begin
from doit_mcp.protocol import cursors, jsonrpc, request_metadata
from doit_mcp.protocol.parameter_headers import check_parameters
from doit_mcp.protocol.revisions import BY_NAME
from doit_mcp.redis_state.encryption import Box, Broken
from doit_mcp.server.event_store import place
from doit_mcp.server.signed_state import Seals
from doit_mcp.transports.http.client_address import client_address
from doit_mcp.transports.http.request_body import takes

META = f'"_meta":{{"{request_metadata.VERSION}":"2026-07-28","{request_metadata.CAPABILITIES}":{{}}}}'
CALL = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"a":"x"}},{META}}}}}'
HEAD = "MCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: t\nMcp-Param-A: x\n\n"
MIRRORED = {"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "n": {"type": "integer", "x-mcp-header": "N"}}}
BINDING = b"caller tool arguments"
SEALS = Seals(bytes(range(32)), clock=lambda: 1_000.0)
SEALED = SEALS.close(BINDING, {"step": 1}, 60)
BOX = Box("a secret of the fuzzer", "fuzz")
FINGERPRINT, LENGTH = "f1n9e2", 1_000
TRUSTED = ("10.0.0.0/8", "fd00::/8")
TOKEN = jws.base64(b'{"alg":"ES256"}') + "." + jws.base64(b'{"sub":"s"}') + "." + jws.base64(bytes(64))


class Violated(AssertionError):
    """A parser accepted, refused or changed something in a way that it must not."""


def require(holds: bool, rule: str) -> None:
    """Raise Violated unless the rule *holds*; unlike assert, also with python -O."""
    if not holds:
        raise Violated(rule)


def header(data: bytes) -> str:
    """A header value as aiohttp hands it on: bytes that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def refusal(error: jsonrpc.RpcError) -> None:
    """An error that can be sent."""
    body = orjson.loads(jsonrpc.error_bytes(error, error.id))
    require(body["error"]["code"] == error.code and len(error.message) < 1_000, "an error is short and can be sent")


def depth(value: Any) -> int:
    """How deep a JSON value is nested."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def read_message(data: bytes) -> jsonrpc.Message | None:
    """The message in *data*; None when it was refused, as it should be."""
    try:
        value = jsonrpc.parse(data)
        require(depth(value) <= jsonrpc.MAX_DEPTH, "what is accepted is not nested deeper than the limit")
        return jsonrpc.message(value)
    except jsonrpc.RpcError as error:
        require(error.code in (jsonrpc.PARSE_ERROR, jsonrpc.INVALID_REQUEST), "a message is refused as one")
        refusal(error)
        return None


def json_rpc(data: bytes) -> None:
    """Messages."""
    found = read_message(data)
    if isinstance(found, jsonrpc.Request):
        again = jsonrpc.parse(jsonrpc.result_bytes(found.id, found.params))
        require(type(again["id"]) is type(found.id) and again["id"] == found.id, "an id comes back as it was")


def envelopes(data: bytes) -> None:
    """Headers and message together: lines of headers, an empty line, the body."""
    head, _, body = data.partition(b"\n\n")
    fields = (line.partition(":")[::2] for line in header(head).split("\n"))
    headers = CIMultiDict((name, value) for name, value in fields if name)
    found = read_message(body)
    if not isinstance(found, jsonrpc.Request):
        return
    request_metadata.speaks_envelope(headers, found)
    checks: tuple[Callable[[], object], ...] = (
        lambda: request_metadata.envelope(found, headers),
        lambda: request_metadata.stateless_handshake(headers),
        lambda: request_metadata.check_session_version(BY_NAME["2025-11-25"], headers),
        lambda: check_parameters(found, headers, MIRRORED),
    )
    for check in checks:
        try:
            check()
        except jsonrpc.RpcError as error:
            refusal(error)


def header_values(data: bytes) -> None:
    """Values of ``Mcp-Name`` and ``Mcp-Param-*``, and of ``Accept``."""
    value = header(data)
    decoded = request_metadata.decode_value(value)
    if decoded is not None:
        encoded = base64.b64encode(decoded.encode()).decode()
        again = request_metadata.decode_value(f"{request_metadata.ENCODED}{encoded}{request_metadata.ENCODED_END}")
        require(again == decoded, "a value survives its base64 form")
    takes(SimpleNamespace(headers=CIMultiDict(Accept=value)))  # type: ignore[arg-type]  # only the headers are read


def events_of(chunks: list[bytes], limit: int) -> tuple[list[str], bool]:
    """The events of a stream that comes in *chunks*, and whether it broke."""
    parser, found = Parser(limit), list[str]()
    try:
        for chunk in chunks:
            found += parser.feed(chunk)
    except StreamError:
        return found, True
    return found, False


def event_stream(data: bytes) -> None:
    """Event streams of the API: however they are cut, the events are the same."""
    whole = events_of([data], len(data) + 1)
    for size in (1, 3):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        parts = events_of(pieces, len(data) + 1)
        # What one chunk holds before the fault is handed out with it, or not at all.
        require(parts[1] == whole[1] and parts[0][: len(whole[0])] == whole[0], "events do not depend on the chunks")
        require(whole[1] or parts[0] == whole[0], "events do not depend on the chunks")
    found, _ = events_of([data], 32)
    require(all(len(event.encode()) <= 32 for event in found), "no event is longer than the limit")


def seals(data: bytes) -> None:
    """Forged and altered seals."""
    mask = (data * (len(SEALED) // len(data) + 1))[: len(SEALED)] if data else b""
    altered = bytes(a ^ b for a, b in zip(SEALED.encode(), mask)).decode("latin-1")
    tries = [(BINDING, header(data)), (BINDING, altered), (BINDING, SEALED + header(data)), (data, SEALED)]
    for binding, sealed in tries:
        try:
            SEALS.open(binding, sealed)
        except ValueError:
            continue
        require((binding, sealed) == (BINDING, SEALED), "only what was sealed opens, and only for its purpose")
    text = data.decode("utf-8", "replace")
    require(SEALS.open(data, SEALS.close(data, text, 60)) == text, "a seal gives back what was sealed")


def boxes(data: bytes) -> None:
    """Values read from Redis."""
    try:
        BOX.open("place", data)
    except Broken:
        require(BOX.open("place", BOX.close("place", data)) == data, "a box gives back what was put in")
    else:
        raise Violated("what we did not seal opens")


def list_cursors(data: bytes) -> None:
    """Cursors of lists."""
    cursor = header(data)
    try:
        position = cursors.decode(cursor, FINGERPRINT, LENGTH)
    except jsonrpc.RpcError as error:
        refusal(error)
        return
    require(0 < position < LENGTH and cursors.encode(position, FINGERPRINT) == cursor, "a cursor has one spelling")


def forwarded(data: bytes) -> None:
    """``X-Forwarded-For``: the first line is the connection's address, every other one a header."""
    remote, *values = header(data).split("\n")
    for trusted in ((), TRUSTED):
        found = client_address(remote, values, trusted)
        require(not found or ip_network(found).is_global, "clients are counted by a public address, or not at all")


def locales(data: bytes) -> None:
    """Language tags, and days to be written in their form."""
    tag, _, day = header(data).partition("\n")
    found = locale_of(tag)
    if found is not None:
        require(found.money(-1234567.891, "EUR") != found.money(1234567.891, "EUR"), "a sign is shown")
        require(len(found.day(day)) <= 10, "a day is a day")


def traces(data: bytes) -> None:
    """``traceparent`` and the trace ID of ours."""
    parent, _, own = header(data).partition("\n")
    found = copy_context().run(begin, {"traceparent": parent, HEADER: own})
    require(re.fullmatch(r"(?!0{32})[0-9a-f]{32}", found.trace_id) is not None, "a trace ID is one")
    require(re.fullmatch(r"[0-9a-f]{16}|", found.parent_id) is not None, "a span ID is one")
    require(re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", found.id) is not None, "what is logged is short and plain")


def bearers(data: bytes) -> None:
    """``Authorization``, and tokens taken apart."""
    value = header(data)
    try:
        token = bearer([value])
    except AuthError as error:
        require(value not in str(error) or len(value) < 12, "a refusal repeats nothing of the credential")
        return
    require(token in value and token.isascii() and len(token) <= jws.MAX_TOKEN, "a token is plain and bounded")
    found = jws.parse(token)
    require(found is None or token.count(".") == 2, "a JWT has three parts")
    jws.glimpses(token)


def event_ids(data: bytes) -> None:
    """``Last-Event-ID``."""
    stream, number = place(header(data))
    require(number is None or 0 <= number < 10**9, "a number of events is one")
    require(number is None or header(data).startswith(f"{stream}_"), "an event ID names its stream")


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and well-formed inputs to start from."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


TARGETS = {
    "json-rpc": Target(json_rpc, (CALL.encode(), b'{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"m"}}')),
    "envelopes": Target(envelopes, ((HEAD + CALL).encode(),)),
    "header-values": Target(header_values, (b"plain name", b"=?base64?w7w=?=", b"text/*;q=0.5, application/json")),
    "event-stream": Target(event_stream, (b"\xef\xbb\xbf: c\r\nid: 1\ndata: a\rdata: b\r\n\r\ndata:c\n\n",)),
    "seals": Target(seals, (SEALED.encode(), BINDING)),
    "boxes": Target(boxes, (bytes(12) + b"sealed", b"")),
    "cursors": Target(list_cursors, tuple(cursors.encode(at, FINGERPRINT).encode() for at in (1, 50, 999, 1000))),
    "forwarded": Target(forwarded, (b"10.1.1.1\n8.8.8.8, 10.2.2.2", b"fd00::1\n::ffff:8.8.8.8, [2001:4860::1]:80")),
    "locales": Target(locales, (b"de-CH\n2026-08-31", b"zh_Hant_HK\n2026-02", b"en-US-x-y\n2026-13-41")),
    "traces": Target(traces, (b"00-" + b"a1" * 16 + b"-" + b"b2" * 8 + b"-01\nmine", b"cc-" + b"0" * 32 + b"-x-y-\n:")),
    "bearers": Target(bearers, (b"Bearer abc.def~ghi/+==", b"bearer " + TOKEN.encode())),
    "event-ids": Target(event_ids, (b"stream_12", b"_", b"a_b_000000001")),
}
