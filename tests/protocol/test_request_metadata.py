"""Headers and message together: whether a request is stateful or stateless, and the order of its faults."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from doit_mcp.protocol.jsonrpc import (
    CAPABILITIES_KEY,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    UNSUPPORTED_PROTOCOL_VERSION,
    Notification,
    Request,
    Response,
    RpcError,
    error_bytes,
)
from doit_mcp.protocol.request_metadata import (
    CLIENT_INFO_KEY,
    LOG_LEVEL_KEY,
    LOG_LEVELS,
    VERSION_KEY,
    Caller,
    check_notification_version,
    check_session_version,
    decode_header_value,
    has_request_metadata,
    header_values,
    is_stateless_request,
    read_request_metadata,
    read_sessionless_caller,
    unsupported_version_error,
)
from doit_mcp.protocol.revisions import REVISIONS_BY_NAME

pytestmark = pytest.mark.requirement("M71")

NEW, OLD = "2026-07-28", "2025-11-25"


def headers(version: str | None = NEW, method: str | None = "tools/list", **more: str) -> CIMultiDict[str]:
    request_headers = CIMultiDict(MCP_Protocol_Version=version, Mcp_Method=method, **more)
    return CIMultiDict({name.replace("_", "-"): value for name, value in request_headers.items() if value is not None})


def request(
    method: str = "tools/list", version: Any = NEW, meta: dict[str, Any] | None = None, **params: Any
) -> Request:
    return Request(7, method, {"_meta": {VERSION_KEY: version, CAPABILITIES_KEY: {}, **(meta or {})}, **params})


def bare(method: str = "tools/list", **params: Any) -> Request:
    return Request(7, method, params)


def refusal(item: Request, sent_headers: CIMultiDict[str] | None) -> RpcError:
    with pytest.raises(RpcError) as caught:
        read_request_metadata(item, sent_headers)
    assert caught.value.id == item.id
    return caught.value


@pytest.mark.parametrize(
    ("case", "item", "version", "expected"),
    [
        (1, request(), NEW, True),
        (2, request(), None, True),
        (3, request(), OLD, True),
        (4, request(version="1900-01-01"), "1900-01-01", True),
        (5, request(version=OLD), OLD, True),
        (6, bare(), NEW, True),
        (9, request("initialize"), NEW, True),
        (10, bare("initialize", protocolVersion=OLD), NEW, False),
        (10, bare("initialize", protocolVersion=OLD), "nonsense", False),
        (11, bare("initialize", protocolVersion=OLD), OLD, False),
        (12, bare("initialize", protocolVersion=NEW), None, False),
        (13, bare(), None, False),
        (15, bare(), "2025-03-26", False),
        (18, Notification("notifications/x", {}), NEW, True),
        (19, Response(1, result={}), NEW, True),
        (20, None, NEW, True),
        (21, None, "2025-06-18", False),
        (24, None, NEW, True),
        (25, None, None, False),
    ],
)
def test_request_style_detection(case: int, item: Any, version: str | None, expected: bool) -> None:
    """The message decides first, then the version header."""
    assert is_stateless_request(headers(version, None), item) is expected


def test_only_body_and_version_header_decide() -> None:
    legacy = headers(None, "initialize", Mcp_Name="x", Mcp_Session_Id="s", User_Agent="y")
    assert not is_stateless_request(legacy, bare("initialize"))
    assert not is_stateless_request(headers("", None), bare())
    twice = headers(OLD)
    twice.add("mcp-protocol-version", NEW)
    assert is_stateless_request(twice, bare())
    # A session knows its version, and reports a wrong header.
    assert not is_stateless_request(headers(NEW, Mcp_Session_Id="s"), bare())
    assert is_stateless_request(headers(NEW, Mcp_Session_Id="s"), request())
    assert not has_request_metadata(Response(1, result={"_meta": {VERSION_KEY: NEW}}))
    assert not has_request_metadata(bare(_meta=[VERSION_KEY]))
    assert has_request_metadata(bare(_meta={VERSION_KEY: None}))


def test_complete_request_metadata() -> None:
    """_meta is read, and session ids are ignored (MCP 2026-07-28, _meta; Earlier Streamable HTTP Revisions)."""
    meta = {
        CLIENT_INFO_KEY: {"name": "c"},
        CAPABILITIES_KEY: {"roots": {}},
        LOG_LEVEL_KEY: "debug",
        "progressToken": 1,
        "traceparent": "?",
    }
    metadata = read_request_metadata(request(meta=meta), headers(Mcp_Session_Id="anything"))
    assert metadata == Caller(REVISIONS_BY_NAME[NEW], {"name": "c"}, {"roots": {}}, "debug")
    assert read_request_metadata(request(), headers()) == Caller(REVISIONS_BY_NAME[NEW])
    # Without HTTP, there are no headers to compare.
    assert read_request_metadata(request("tools/call", name="x"), None) == Caller(REVISIONS_BY_NAME[NEW])


@pytest.mark.parametrize("meta", [..., None, [], {}, {VERSION_KEY: NEW}], ids=str)
def test_request_metadata_requires_its_members(meta: Any) -> None:
    """Incomplete _meta is refused with Invalid params (MCP 2026-07-28, General fields, _meta)."""
    params = {} if meta is ... else {"_meta": meta}
    assert refusal(Request(7, "tools/list", params), headers()).code == INVALID_PARAMS


@pytest.mark.parametrize("name", [VERSION_KEY, CAPABILITIES_KEY, CLIENT_INFO_KEY, LOG_LEVEL_KEY])
@pytest.mark.parametrize("value", [None, 1, True, [], "x", {}])
def test_request_metadata_members_have_types(name: str, value: Any) -> None:
    if isinstance(value, str if name in (VERSION_KEY, LOG_LEVEL_KEY) else dict):
        return
    error = refusal(request(meta={name: value}), headers())
    assert error.code == INVALID_PARAMS
    assert name in error.message


@pytest.mark.parametrize("level", ["", "trace", "DEBUG", "x" * 10_000])
def test_log_level_must_exist(level: str) -> None:
    """An unknown log level is refused with Invalid params (MCP 2026-07-28, Logging, Per-request log level)."""
    assert refusal(request(meta={LOG_LEVEL_KEY: level}), headers()).code == INVALID_PARAMS
    assert len(LOG_LEVELS) == 8


@pytest.mark.parametrize("version", [None, OLD, "", NEW.lower() + "x", f"{NEW}, {NEW}"])
def test_version_header_must_match(version: str | None) -> None:
    """The version header must equal the version in _meta (MCP 2026-07-28, Streamable HTTP, Protocol Version Header)."""
    error = refusal(request(), headers(version))
    assert error.code == HEADER_MISMATCH
    assert "MCP-Protocol-Version" in error.message


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
def test_duplicate_header_is_rejected_even_if_equal(name: str) -> None:
    request_headers = headers(method="tools/call", Mcp_Name="x")
    request_headers.add(name.upper(), request_headers[name])
    assert refusal(request("tools/call", name="x"), request_headers).code == HEADER_MISMATCH


@pytest.mark.parametrize("version", ["1900-01-01", OLD, "", "x" * 10_000])
def test_unsupported_version(version: str) -> None:
    """The error lists the supported versions (MCP 2026-07-28, Versioning, Protocol Version Negotiation)."""
    error = refusal(request(version=version), headers(version))
    assert error.code == UNSUPPORTED_PROTOCOL_VERSION
    assert error.data["supported"] == [NEW]
    assert version.startswith(error.data["requested"]) and len(error.message) < 200


def test_mismatch_is_checked_before_support() -> None:
    """A mismatch is reported before an unsupported version (MCP 2026-07-28, Protocol Version Header)."""
    assert refusal(request(version="1900-01-01"), headers()).code == HEADER_MISMATCH


@pytest.mark.parametrize("method", [None, "", "prompts/list", "TOOLS/LIST", "tools/list,tools/list"])
def test_method_header_must_match(method: str | None) -> None:
    """The Mcp-Method header must equal the method (MCP 2026-07-28, Streamable HTTP, Standard Request Headers)."""
    assert refusal(request(), headers(method=method)).code == HEADER_MISMATCH


@pytest.mark.parametrize("name", ["mcp-method", "MCP-METHOD", "Mcp-Method"])
def test_header_names_are_case_insensitive_and_values_trimmed(name: str) -> None:
    """Header names ignore case and values are trimmed (MCP 2026-07-28, Standard Request Headers; Value Encoding)."""
    request_headers = headers(method=None)
    request_headers[name] = " \ttools/list  "
    assert read_request_metadata(request(), request_headers).revision.name == NEW


NAMED = [
    ("tools/call", "name"),
    ("prompts/get", "name"),
    ("resources/read", "uri"),
    ("tasks/get", "taskId"),
    ("tasks/update", "taskId"),
    ("tasks/cancel", "taskId"),
]


@pytest.mark.parametrize(("method", "member"), NAMED)
def test_name_header_must_match(method: str, member: str) -> None:
    """Mcp-Name must equal the name (MCP 2026-07-28, Streamable HTTP, Standard Request Headers; Value Encoding)."""
    item = request(method, **{member: "héllo"})
    encoded = f"=?base64?{base64.b64encode('héllo'.encode()).decode()}?="
    assert read_request_metadata(item, headers(method=method, Mcp_Name=f"  {encoded}  "))
    for wrong in ("hello", "", "héllo", encoded.replace("base64", "BASE64"), encoded[:-3] + "?="):
        assert refusal(item, headers(method=method, Mcp_Name=wrong)).code == HEADER_MISMATCH
    assert refusal(item, headers(method=method)).code == HEADER_MISMATCH


@pytest.mark.parametrize(("method", "member"), NAMED)
@pytest.mark.parametrize("source", [None, 1, [], {}])
def test_non_string_name_is_an_invalid_parameter(method: str, member: str, source: Any) -> None:
    for item in (request(method), request(method, **{member: source})):
        assert refusal(item, headers(method=method, Mcp_Name="x")).code == INVALID_PARAMS


def test_name_header_is_ignored_where_it_is_not_required() -> None:
    assert read_request_metadata(request(), headers(Mcp_Name="=?base64?!?="))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("=?base64?SGVsbG8=?=", "Hello"),
        ("=?base64??=", ""),
        ("=?base64?IHggCg==?=", " x \n"),
        ("SGVsbG8=", "SGVsbG8="),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8="),
        ("SGVsbG8=?=", "SGVsbG8=?="),
        ("=?base64?=", "=?base64?="),
        ("=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?="),
        ("a b\tc", "a b\tc"),
        ("", ""),
        ("=?base64?SGVsbG8?=", None),
        ("=?base64?SGVsbG9=?=", None),
        ("=?base64?SGVs!!!bG8=?=", None),
        ("=?base64?SGVs bG8=?=", None),
        ("=?base64?SGVsbG8==?=", None),
        ("=?base64?_-8=?=", None),
        ("=?base64?/w==?=", None),
        ("é", None),
        ("a\x00", None),
        ("a\x7f", None),
        ("a\ud800", None),
    ],
)
def test_value_encoding(text: str, value: str | None) -> None:
    """Only strict base64 and ASCII decode (MCP 2026-07-28, Value Encoding; Server Behavior for Custom Headers)."""
    assert decode_header_value(text) == value


@given(st.text())
def test_encoded_value_round_trips_and_any_text_decodes_safely(text: str) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = b""
    assert decode_header_value(f"=?base64?{base64.b64encode(data).decode()}?=") == data.decode()
    decode_header_value(text)
    decode_header_value(f"=?base64?{text}?=")


@pytest.mark.requirement("J12")
@pytest.mark.parametrize("version", ["\udcff\udcfe", "\ud800" * 100, "é\n", "x" * 500])
def test_no_header_breaks_the_response(version: str) -> None:
    """aiohttp passes bytes that are not UTF-8 as lone surrogates, and error responses must encode them."""
    request_headers = headers(version)
    with pytest.raises(RpcError) as first:
        check_notification_version(request_headers)
    with pytest.raises(RpcError) as second:
        check_session_version(REVISIONS_BY_NAME[OLD], request_headers)
    for error in (first.value, second.value, refusal(request(), request_headers)):
        assert orjson.loads(error_bytes(error, error.id))


def test_notifications_are_rejected_only_for_unsupported_versions() -> None:
    """Unsupported versions are refused, missing ones are not (MCP 2026-07-28, Sending Messages)."""
    check_notification_version(headers(NEW, None))
    check_notification_version(headers(None, None))
    for version in (OLD, "1900-01-01"):
        with pytest.raises(RpcError) as caught:
            check_notification_version(headers(version, None))
        assert (caught.value.code, caught.value.id) == (UNSUPPORTED_PROTOCOL_VERSION, None)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", OLD])
def test_request_without_a_session_uses_its_version_header(version: str) -> None:
    """Without a session, the version header decides (MCP 2025-06-18, Transports, Protocol Version Header)."""
    assert read_sessionless_caller(headers(version)).revision.name == version
    assert read_sessionless_caller(headers(None)).revision.name == "2025-03-26"
    twice = headers(version)
    twice.add("MCP-Protocol-Version", version)
    assert read_sessionless_caller(twice).revision.name == version
    for other in (NEW, "nonsense", "2025-06-18" if version != "2025-06-18" else OLD):
        twice["MCP-Protocol-Version"] = version
        twice.add("MCP-Protocol-Version", other)
        with pytest.raises(RpcError) as caught:
            read_sessionless_caller(twice)
        assert caught.value.code == INVALID_REQUEST


@pytest.mark.parametrize(
    ("session", "version", "fits"),
    [
        ("2024-11-05", OLD, True),
        ("2025-03-26", "2025-06-18", True),
        ("2025-06-18", "2025-06-18", True),
        ("2025-06-18", None, True),
        (OLD, None, True),
        ("2025-06-18", OLD, False),
        (OLD, "2025-03-26", False),
        (OLD, NEW, False),
        (OLD, "", True),
        ("2024-11-05", NEW, False),
        ("2025-03-26", "nonsense", False),
    ],
)
def test_session_version_header(session: str, version: str | None, fits: bool) -> None:
    """The header must fit the session's version (MCP 2025-11-25, Transports, Protocol Version Header)."""
    if fits:
        check_session_version(REVISIONS_BY_NAME[session], headers(version))
        return
    with pytest.raises(RpcError) as caught:
        check_session_version(REVISIONS_BY_NAME[session], headers(version))
    assert caught.value.code == INVALID_REQUEST


def test_unsupported_version_without_a_request() -> None:
    error = unsupported_version_error("v" * 100)
    assert (error.id, error.data) == (None, {"supported": [NEW], "requested": "v" * 64})


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just(NEW),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([VERSION_KEY, CAPABILITIES_KEY, "a"]), inner)
    ),
    max_leaves=4,
)
META = (
    st.fixed_dictionaries(
        {}, optional={VERSION_KEY: JUNK, CAPABILITIES_KEY: JUNK, CLIENT_INFO_KEY: JUNK, LOG_LEVEL_KEY: JUNK}
    )
    | JUNK
)
HEADER = st.sampled_from([NEW, OLD, "tools/call", "x"]) | st.text(max_size=5)
NAMES = st.sampled_from(["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id"])


@given(
    st.sampled_from(["tools/call", "tools/list", "initialize", "foo"]),
    st.fixed_dictionaries({}, optional={"_meta": META, "name": JUNK}),
    st.lists(st.tuples(NAMES, HEADER)),
)
def test_any_input_is_a_caller_or_one_of_four_errors(
    method: str, params: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    request_headers = CIMultiDict(pairs)
    item = Request(7, method, params)
    is_stateless_request(request_headers, item)
    assert all(isinstance(value, str) for name in request_headers for value in header_values(request_headers, name))
    try:
        caller = read_request_metadata(item, request_headers)
    except RpcError as error:
        assert error.code in (INVALID_PARAMS, HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION)
        orjson.loads(error_bytes(error, error.id))
    else:
        assert caller.revision.name == NEW
        assert request_headers["Mcp-Method"].strip(" \t") == method
