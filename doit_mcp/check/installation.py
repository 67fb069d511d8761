"""Runs all checks of an installation: sends their requests concurrently, and returns their findings in a fixed order."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from ..auth.api_tokens import VALIDATE_PATH
from ..auth.jwks import JWKS_PATH
from ..auth.provider_metadata import metadata_url
from ..auth.token_exchange import TOKEN_PATH, make_client_assertion, make_exchange_form
from ..protocol.jsonrpc import CAPABILITIES_KEY
from ..protocol.request_metadata import VERSION_HEADER, VERSION_KEY
from ..protocol.revisions import LISTEN_METHOD, STATELESS_REVISIONS
from ..redis_state.client import open_connection
from ..redis_state.connection import RedisConnection
from ..redis_state.encryption import key_prefix
from ..redis_state.errors import error_code
from ..resilience.unavailable import StateUnavailable
from ..settings import Settings
from .findings import Finding
from .http_probe import Probe
from .identity_checks import (
    OPENID_DOCUMENT,
    check_exchange,
    check_keys,
    check_openid,
    check_provider,
)
from .observations import Observation
from .public_checks import (
    METADATA_PATHS,
    REQUESTED_HEADERS,
    WEB_CLIENTS,
    WELL_KNOWN,
    check_challenge,
    check_cors,
    check_metadata,
    check_private_paths,
    check_public_url,
    check_server,
    list_authorization_servers,
)
from .stream_checks import check_idle_stream, check_stream
from .upstream_checks import check_api, check_clocks, check_redis

SUBJECT_TOKEN = "doit-mcp-check"
"""A subject token that is not valid, so that an exchange grants nothing."""
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Installation:
    """What to check: the server at *base*. *is_local* is whether *settings* are those of this server.

    Streams are watched for *stream_seconds* with *token*, a DoiT API token; "" to leave them out.
    """

    base: str
    settings: Settings
    is_local: bool
    token: str
    stream_seconds: float


async def check_installation(installation: Installation, probe: Probe) -> list[Finding]:
    """Return the findings of all checks."""
    base = installation.base
    addresses, health = await asyncio.gather(_resolve(base), probe.send("GET", f"{base}/healthz"))
    findings = [check_public_url(base, addresses), server := check_server(health)]
    replies: dict[str, Observation] = {"the server": health}
    issuer = installation.settings.auth_server_url if installation.is_local else ""
    if server.status == "ok":
        issuer = await _check_public(installation, probe, findings) or issuer
        findings += await _check_streams(installation, probe)
    if issuer:
        findings += await _check_provider(issuer, probe, replies)
    findings += await _check_upstreams(installation, probe, replies)
    return [*findings, check_clocks(replies)]


async def _check_public(installation: Installation, probe: Probe, findings: list[Finding]) -> str:
    """Add the findings about the public URL. Return the issuer that the metadata names, or ""."""
    base, mcp = installation.base, f"{installation.base}/mcp"
    documents = await asyncio.gather(*(probe.send("GET", base + path) for path in METADATA_PATHS))
    by_path = dict(zip(METADATA_PATHS, documents, strict=True))
    findings += check_metadata(base, by_path)
    challenge, metrics = await asyncio.gather(probe.send("POST", mcp, data=b"{}"), probe.send("GET", f"{base}/metrics"))
    findings.append(check_challenge(base, challenge))
    for client, origin in WEB_CLIENTS.items():
        requested = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": REQUESTED_HEADERS,
        }
        preflight, response = await asyncio.gather(
            probe.send("OPTIONS", mcp, headers=requested),
            probe.send("POST", mcp, headers={"Origin": origin}, data=b"{}"),
        )
        findings.append(check_cors(origin, client, preflight, response))
    findings.append(check_private_paths(base, metrics))
    issuers = list_authorization_servers(by_path[f"{WELL_KNOWN}/mcp"])
    expected = installation.settings.auth_server_url
    if installation.is_local and issuers and issuers[0] != expected:
        advice = "Give this command and the server the same AUTH_SERVER_URL."
        seen = f"the server names {issuers[0]}, and AUTH_SERVER_URL here is {expected}"
        findings.append(Finding("settings", "fail", seen, advice))
    return issuers[0] if issuers else ""


async def _check_streams(installation: Installation, probe: Probe) -> list[Finding]:
    if not installation.token:
        advice = "Set DOIT_API_KEY to a DoiT API token, so that the command can open event streams."
        return [Finding("streams", "warn", "not checked without a token", advice)]
    bearer = {"Authorization": f"Bearer {installation.token}"}
    revision = next(reversed(STATELESS_REVISIONS))
    meta = {VERSION_KEY: revision, CAPABILITIES_KEY: {}}
    params = {"notifications": {}, "_meta": meta}
    listen = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": LISTEN_METHOD, "params": params})
    headers = {
        **bearer,
        "Content-Type": JSON_TYPE,
        "Accept": f"{JSON_TYPE}, text/event-stream",
        VERSION_HEADER: revision,
        "Mcp-Method": LISTEN_METHOD,
    }
    posted, legacy = await asyncio.gather(
        probe.watch_stream(
            "POST", f"{installation.base}/mcp", headers=headers, data=listen, seconds=installation.stream_seconds
        ),
        probe.watch_stream(
            "GET",
            f"{installation.base}/sse",
            headers={**bearer, "Accept": "text/event-stream"},
            seconds=installation.stream_seconds,
        ),
    )
    # Those of another server may differ; most installations keep the default.
    keep_alive = installation.settings.keep_alive_s
    return [
        check_stream("streams", posted, keep_alive),
        check_stream("sse", legacy, keep_alive),
        check_idle_stream(posted),
    ]


async def _check_provider(issuer: str, probe: Probe, replies: dict[str, Observation]) -> list[Finding]:
    document, openid, keys = await asyncio.gather(
        probe.send("GET", metadata_url(issuer)),
        probe.send("GET", metadata_url(issuer, OPENID_DOCUMENT)),
        probe.send("GET", issuer + JWKS_PATH),
    )
    replies["the identity provider"] = keys
    return [*check_provider(issuer, document), check_openid(openid), check_keys(keys)]


async def _check_upstreams(installation: Installation, probe: Probe, replies: dict[str, Observation]) -> list[Finding]:
    settings = installation.settings
    if not installation.is_local:
        seen = "token exchange, DoiT API and Redis are not checked, because MCP_RESOURCE_URL names another server here"
        return [Finding("settings", "warn", seen, "Run the command on the server's host, with the server's settings.")]
    api = await probe.send("GET", settings.doit_api_base + VALIDATE_PATH)
    replies["the DoiT API"] = api
    return [await _check_exchange(settings, probe), check_api(api), await _check_redis(settings)]


async def _check_exchange(settings: Settings, probe: Probe) -> Finding:
    if not settings.exchange_secret:
        advice = "Set MCP_TOKEN_EXCHANGE_SECRET as for the server."
        return Finding("token-exchange", "warn", "not checked without MCP_TOKEN_EXCHANGE_SECRET", advice)
    endpoint = settings.auth_server_url + TOKEN_PATH
    assertion = make_client_assertion(settings.exchange_secret, endpoint, time.time(), secrets.token_urlsafe(16))
    return check_exchange(await probe.send("POST", endpoint, data=make_exchange_form(SUBJECT_TOKEN, assertion)))


async def _check_redis(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding("redis", "ok", "not used: one process keeps its state in memory")
    async with _connect_redis(settings) as connection:
        try:
            # A write, because replicas refuse those, and one that changes nothing.
            await connection.execute("DEL", connection.key("check"))
            info = await connection.execute("INFO")
        except StateUnavailable as failure:
            cause = failure.__cause__
            code = error_code(str(cause)) or type(cause).__name__
            return check_redis({}, f"Redis does not respond or refuses writes ({code})")
    return check_redis(info if isinstance(info, Mapping) else {}, "")


@asynccontextmanager
async def _connect_redis(settings: Settings) -> AsyncIterator[RedisConnection]:
    connection = open_connection(settings.redis_url, key_prefix(settings.effective_state_secrets))
    try:
        yield connection
    finally:
        await connection.close()


async def _resolve(base: str) -> Sequence[str]:
    """Return the addresses of the host, or nothing if its name does not resolve, which a request reports."""
    parts = urlsplit(base)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return sorted({str(address[0]) for *_, address in found})
