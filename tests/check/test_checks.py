"""The checks as functions of observations: what each reports, and that failures say what to do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from doit_mcp.check.findings import Finding, as_json, format_findings, overall_status
from doit_mcp.check.identity_checks import (
    check_exchange,
    check_keys,
    check_openid,
    check_provider,
)
from doit_mcp.check.observations import Reply, StreamObservation, Unreachable
from doit_mcp.check.public_checks import check_challenge, check_private_paths, check_public_url, check_server
from doit_mcp.check.stream_checks import check_idle_stream, check_stream
from doit_mcp.check.upstream_checks import check_api, check_clocks, check_redis

ISSUER = "https://login.example.com"
BASE = "https://mcp.example.com"
NOTHING = Unreachable(f"{BASE}/x", "its name does not resolve")
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "registration_endpoint": f"{ISSUER}/register",
    "code_challenge_methods_supported": ["plain", "S256"],
    "grant_types_supported": ["authorization_code", "refresh_token"],
}


def reply(body: Any = None, status: int = 200, offset: float | None = None, **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(f"{BASE}/x", status, {name.replace("_", "-"): value for name, value in headers.items()}, data, offset)


def provider_problems(**changes: Any) -> dict[str, str]:
    document = {name: value for name, value in (METADATA | changes).items() if value is not None}
    findings = check_provider(ISSUER, reply(document))
    return {finding.check: finding.status for finding in findings if finding.status != "ok"}


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, {}),
        ({"issuer": ISSUER + "/"}, {"provider": "fail"}),
        ({"token_endpoint": None}, {"endpoints": "fail"}),
        ({"registration_endpoint": None}, {"registration": "fail"}),
        ({"registration_endpoint": None, "client_id_metadata_document_supported": True}, {"registration": "warn"}),
        (
            {
                "registration_endpoint": None,
                "client_id_metadata_document_supported": True,
                "token_endpoint_auth_methods_supported": ["none"],
            },
            {},
        ),
        ({"code_challenge_methods_supported": ["plain"]}, {"pkce": "fail"}),
        ({"code_challenge_methods_supported": "S256"}, {"pkce": "fail"}),
        ({"grant_types_supported": None}, {"refresh-tokens": "warn"}),
    ],
)
def test_provider(changes: Any, problems: dict[str, str]) -> None:
    assert provider_problems(**changes) == problems


@pytest.mark.parametrize("seen", [NOTHING, reply(status=302), reply(b"<html>"), reply([])])
def test_provider_without_metadata(seen: Any) -> None:
    (finding,) = check_provider(ISSUER, seen)
    assert finding.status == "fail" and BASE in finding.seen and finding.advice


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (reply({}), "ok"),
        (reply({"error": "not found"}, 404), "ok"),
        (reply(b"<html>", 404), "warn"),
        (reply({}, 401), "warn"),
        (NOTHING, "warn"),
    ],
)
def test_openid(seen: Any, status: str) -> None:
    assert check_openid(seen).status == status


@pytest.mark.parametrize(
    "seen",
    [
        NOTHING,
        reply(status=500),
        reply({"keys": []}),
        reply({"keys": [{"kty": "RSA", "kid": "other"}]}),
        reply({"keys": [{"kty": "EC", "crv": "P-384", "kid": "mcp-access"}]}),
    ],
)
def test_keys(seen: Any) -> None:
    finding = check_keys(seen)
    assert finding.status == "fail" and "ES256" in finding.advice


@pytest.mark.parametrize(
    ("seen", "status", "word"),
    [
        (reply({"error": "invalid_grant"}, 400), "ok", "accepts"),
        (reply({"error": "invalid_request"}, 400), "ok", "accepts"),
        (reply({"error": "invalid_client"}, 401), "fail", "invalid_client"),
        (reply({"error": "unsupported_grant_type"}, 400), "fail", "unsupported_grant_type"),
        (reply({"error": "invalid_grant"}, 200), "fail", "status 200"),
        (reply(b"", 404), "fail", "status 404"),
        (NOTHING, "fail", "resolve"),
    ],
)
def test_exchange(seen: Any, status: str, word: str) -> None:
    finding = check_exchange(seen)
    assert finding.status == status and word in finding.seen


@pytest.mark.parametrize(
    ("base", "addresses", "status"),
    [
        (BASE, ["8.8.8.8"], "ok"),
        (BASE, ["10.0.0.1", "8.8.8.8"], "ok"),
        (BASE, ["10.0.0.1", "fe80::1%eth0"], "warn"),
        (BASE, [], "fail"),
        (BASE, None, "ok"),
        ("http://127.0.0.1:8080", ["127.0.0.1"], "warn"),
    ],
)
def test_public_url(base: str, addresses: list[str] | None, status: str) -> None:
    assert check_public_url(base, addresses).status == status


def test_server() -> None:
    assert check_server(reply({"status": "ok"})).status == "ok"
    assert "Host" in check_server(reply({}, 421)).advice
    assert check_server(reply({"status": "up"})).status == check_server(NOTHING).status == "fail"


def test_challenge() -> None:
    def challenge(url: str) -> Finding:
        return check_challenge(BASE, reply(status=401, www_authenticate=f'Bearer resource_metadata="{url}"'))

    assert challenge(f"{BASE}/.well-known/oauth-protected-resource/mcp").status == "ok"
    internal = challenge("http://10.0.0.1:8080/.well-known/oauth-protected-resource/mcp")
    assert internal.status == "fail" and "MCP_RESOURCE_URL" in internal.advice
    assert check_challenge(BASE, reply(status=401, www_authenticate="Basic")).status == "fail"
    assert check_challenge(BASE, reply(status=302)).status == check_challenge(BASE, NOTHING).status == "fail"


def test_private_paths() -> None:
    metrics = reply(b"doit_mcp_sessions 1")
    assert check_private_paths(BASE, metrics).status == "warn"
    local = check_private_paths("http://127.0.0.1:8080", metrics)
    assert local.status == "ok" and "only from this computer" in local.seen
    assert check_private_paths(BASE, reply(b"", 404)).status == check_private_paths(BASE, NOTHING).status == "ok"


def stream(**values: Any) -> StreamObservation:
    return StreamObservation(**({"url": f"{BASE}/mcp", "status": 200, "watched_seconds": 50.0} | values))


@pytest.mark.parametrize(
    ("seen", "streams", "idle"),
    [
        (stream(first_event_seconds=0.1, keepalives=3), "ok", "ok"),
        (stream(first_event_seconds=0.1), "fail", "ok"),
        (stream(first_event_seconds=0.1, watched_seconds=20), "warn", "ok"),
        (stream(first_event_seconds=0.1, closed_seconds=10.0, watched_seconds=10), "ok", "fail"),
        (stream(first_event_seconds=0.1, closed_seconds=30.0, keepalives=1), "ok", "fail"),
        (stream(watched_seconds=10), "fail", "warn"),
        (stream(closed_seconds=2.0), "fail", "warn"),
        (stream(status=502), "fail", "warn"),
        (NOTHING, "fail", "warn"),
    ],
)
def test_streams(seen: Any, streams: str, idle: str) -> None:
    """With a keepalive every 15 seconds."""
    assert (check_stream("streams", seen, 15).status, check_idle_stream(seen).status) == (streams, idle)


@pytest.mark.parametrize(
    ("offsets", "status"),
    [((0.2, -0.4), "ok"), ((0.0, 30.0), "fail"), ((-3600.0, 0.0), "fail"), ((None, 0.0), "warn"), ((7e3, 7e3), "ok")],
)
def test_clocks(offsets: tuple[float | None, float | None], status: str) -> None:
    """Only their difference matters, not the clock of the computer that compares them."""
    finding = check_clocks({"server": reply(offset=offsets[0]), "provider": reply(offset=offsets[1]), "api": NOTHING})
    assert finding.status == status
    if status == "fail":
        assert "ahead" in finding.seen and "NTP" in finding.advice
    three = {name: reply(offset=0.0) for name in ("the server", "the identity provider", "the DoiT API")}
    seen = "the clocks of the server, the identity provider and the DoiT API agree"
    assert check_clocks(three).seen == seen


def test_api() -> None:
    assert check_api(reply(status=401)).status == "ok"
    assert check_api(reply(status=502)).status == check_api(NOTHING).status == "fail"


def test_redis() -> None:
    assert check_redis({"redis_version": "7.2.4", "maxmemory": 0, "maxmemory_policy": "allkeys-lru"}, "").status == "ok"
    assert "6.2 or newer" in check_redis({"redis_version": "5.0.7"}, "").advice
    assert (
        check_redis({"redis_version": "7.0.0", "maxmemory": 1, "maxmemory_policy": "allkeys-lru"}, "").status == "warn"
    )
    failed = check_redis({}, "no reply")
    assert (failed.status, failed.seen) == ("fail", "no reply") and "DOIT_MCP_REDIS_URL" in failed.advice


def test_report() -> None:
    findings = [
        Finding("pkce", "ok", "S256"),
        Finding("api", "warn", "slow", "Wait."),
        Finding("keys", "fail", "x", "Fix."),
    ]
    text = format_findings(findings)
    assert text.splitlines()[0].split() == ["ok", "pkce", "S256"] and "To do: Fix." in text
    assert text.endswith("1 ok, 1 warning, 1 failure")
    document = orjson.loads(as_json(BASE, findings))
    assert (document["url"], document["status"]) == (BASE, "fail")
    assert document["checks"][0] == {"check": "pkce", "status": "ok", "seen": "S256"}
    assert document["checks"][1]["advice"] == "Wait."
    assert [overall_status(findings[:count]) for count in range(4)] == ["ok", "ok", "warn", "fail"]
