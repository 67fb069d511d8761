"""The checks against running servers: behind nginx and Caddy, with Redis, and with faults in each part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.check.findings import Finding
from doit_mcp.check.http_probe import open_probe
from doit_mcp.check.installation import Installation, check_installation
from doit_mcp.check.observations import Unreachable
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.sandbox.api import Api
from doit_mcp.settings import Settings
from tests.check.nginx import nginx
from tests.loopback_ports import unused_port
from tests.redis_state.caddy import caddy
from tests.redis_state.redis_server import Server, redis_server
from tests.sandbox import https_site
from tests.transports.http.serving import SECRET, Site, serving

TOKEN = USERS[0].api_token
# Longer than any healthy server needs, even on a busy machine.
PATIENT = 60.0
KEEP_ALIVE = 1
# Several keepalives arrive in this time. Behind a proxy that buffers, none does.
WATCHED = 5.0


def settings_of(site: Site, base: str = "", **changes: Any) -> Settings:
    values = {
        "resource_url": base or site.base,
        "auth_server_url": site.world.url,
        "doit_api_base": site.world.url,
        "exchange_secret": SECRET,
        "keep_alive_s": KEEP_ALIVE,
    }
    return Settings(**(values | changes))


async def check(
    settings: Settings, *, token: str = "", seconds: float = 0.0, timeout: float = PATIENT, is_local: bool = True
) -> dict[str, Finding]:
    installation = Installation(settings.resource_url, settings, is_local, token, seconds)
    async with open_probe(timeout) as probe:
        findings = await check_installation(installation, probe)
    return {finding.check: finding for finding in findings}


def problems(findings: dict[str, Finding]) -> dict[str, str]:
    assert all(bool(finding.advice) == (finding.status != "ok") for finding in findings.values())
    return {name: finding.status for name, finding in findings.items() if finding.status != "ok"}


@pytest.fixture(scope="module")
def redis() -> Any:
    with redis_server() as server:
        yield server


async def test_healthy_installation(redis: Server) -> None:
    async with serving(api=Api(), keep_alive_s=KEEP_ALIVE) as site:
        findings = await check(settings_of(site, redis_url=redis.url), token=TOKEN, seconds=WATCHED)
    assert problems(findings) == {"public-url": "warn"}, findings
    assert "this computer" in findings["public-url"].seen and "keepalives" in findings["streams"].seen
    assert {"metadata", "cors-chatgpt", "cors-claude", "keys", "pkce", "registration", "token-exchange"} <= set(
        findings
    )
    assert findings["redis"].seen.startswith("Redis ")


async def test_without_token_and_for_another_server() -> None:
    async with serving(api=Api()) as site:
        findings = await check(settings_of(site), is_local=False)
        assert set(site.world.identity.request_counts) == {"jwks"}, "no token is exchanged for another server"
    assert problems(findings) == {"public-url": "warn", "streams": "warn", "settings": "warn"}
    assert "DOIT_API_KEY" in findings["streams"].advice and "token-exchange" not in findings


@asynccontextmanager
async def behind_nginx(
    folder: Path, extra: str, *, host: str = "$http_host", version: str = "1.1", **settings: Any
) -> AsyncIterator[tuple[Site, str]]:
    port = unused_port()
    base = f"http://127.0.0.1:{port}"
    proxied = serving(api=Api(), resource_url=base, **settings)
    async with proxied as site, nginx(folder, port, site.base, extra, host, version):
        yield site, base


async def test_nginx_that_does_not_buffer(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path, "", keep_alive_s=KEEP_ALIVE) as (site, base):
        findings = await check(settings_of(site, base), token=TOKEN, seconds=WATCHED)
    assert problems(findings) == {"public-url": "warn"}, findings


async def test_nginx_that_buffers_is_detected(tmp_path: Path) -> None:
    extra = "proxy_ignore_headers X-Accel-Buffering;"
    async with behind_nginx(tmp_path, extra, version="1.0", keep_alive_s=KEEP_ALIVE) as (site, base):
        findings = await check(settings_of(site, base), token=TOKEN, timeout=WATCHED)
    found = problems(findings)
    assert (found["streams"], found["sse"]) == ("fail", "fail"), findings
    assert "proxy_buffering off" in findings["streams"].advice
    assert "metadata" not in found and "challenge" not in found


async def test_nginx_that_closes_idle_streams_is_detected(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path, "proxy_read_timeout 1s;", keep_alive_s=30) as (site, base):
        findings = await check(settings_of(site, base), token=TOKEN, seconds=PATIENT)
    assert problems(findings) == {"public-url": "warn", "idle-streams": "fail"}, findings
    assert "proxy_read_timeout" in findings["idle-streams"].advice


async def test_nginx_that_changes_the_host_is_detected(tmp_path: Path) -> None:
    async with behind_nginx(tmp_path, "", host="internal.example") as (site, base):
        findings = await check(settings_of(site, base), token=TOKEN)
    assert findings["server"].status == "ok" and findings["metadata"].status == "fail", "probes accept any host"
    assert findings["challenge"].status == "fail" and "421" in findings["challenge"].seen


async def test_nginx_that_drops_the_challenge_and_answers_preflights_is_detected(tmp_path: Path) -> None:
    extra = "proxy_hide_header WWW-Authenticate; if ($request_method = OPTIONS) { return 204; }"
    async with behind_nginx(tmp_path, extra) as (site, base):
        findings = await check(settings_of(site, base))
    assert findings["challenge"].status == findings["cors-chatgpt"].status == findings["cors-claude"].status == "fail"
    assert "https://claude.ai" in findings["cors-claude"].seen


async def test_caddy(tmp_path: Path) -> None:
    """With the configuration in deploy, which keeps the metrics private."""
    site_name = f"127.0.0.1:{unused_port()}"
    base = f"http://{site_name}"
    async with (
        serving(api=Api(), resource_url=base, keep_alive_s=KEEP_ALIVE) as site,
        caddy(tmp_path, site_name, site.base),
    ):
        findings = await check(settings_of(site, base), token=TOKEN, seconds=WATCHED)
    assert problems(findings) == {"public-url": "warn"}, findings
    assert findings["private-paths"].seen == "/metrics is not public"


async def test_wrong_resource_url_is_detected(tmp_path: Path) -> None:
    """The server does not know the name under which clients reach it."""
    port = unused_port()
    base = f"http://127.0.0.1:{port}"
    hosts = (base.removeprefix("http://"),)
    async with serving(api=Api(), allowed_hosts=hosts) as site, nginx(tmp_path, port, site.base):
        findings = await check(settings_of(site, base))
        assert site.base in findings["metadata"].seen
    assert f"Set MCP_RESOURCE_URL to {base}" in findings["metadata"].advice
    assert findings["challenge"].status == "fail"


async def test_unreachable_server() -> None:
    """One failure for the server, and the other parts are checked all the same."""
    async with serving(api=Api()) as site:
        findings = await check(settings_of(site, f"http://127.0.0.1:{unused_port()}"), token=TOKEN)
    assert problems(findings) == {"public-url": "warn", "server": "fail"}, findings
    assert "connect call failed" in findings["server"].seen or "refused" in findings["server"].seen


async def test_wrong_secret_and_unreachable_services() -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    async with serving(api=Api()) as site:
        secret = "another-secret-that-is-long-enough-to-be-one"
        settings = settings_of(
            site, exchange_secret=secret, doit_api_base=nowhere, redis_url=f"redis://:{secret}@127.0.0.1:1"
        )
        findings = await check(settings)
    found = problems(findings)
    assert (found["token-exchange"], found["api"], found["redis"]) == ("fail", "fail", "fail"), findings
    assert "invalid_client" in findings["token-exchange"].seen
    assert not any(secret in finding.seen + finding.advice for finding in findings.values())


async def test_no_secret_leaves_out_the_exchange() -> None:
    async with serving(api=Api()) as site:
        findings = await check(settings_of(site, exchange_secret=""))
    assert findings["token-exchange"].status == "warn" and "not checked" in findings["token-exchange"].seen


async def test_other_identity_provider_in_the_settings() -> None:
    async with serving(api=Api()) as site:
        findings = await check(settings_of(site, auth_server_url="http://127.0.0.1:1"))
    assert findings["settings"].status == "fail" and site.world.url in findings["settings"].seen


async def test_refused_token_is_reported() -> None:
    async with serving(api=Api()) as site:
        findings = await check(settings_of(site), token="not-a-token")
    assert findings["streams"].status == "fail" and "401" in findings["streams"].seen


async def test_origins_that_are_not_allowed() -> None:
    async with serving(api=Api(), allowed_origins=("https://chatgpt.com",)) as site:
        findings = await check(settings_of(site))
    assert findings["cors-chatgpt"].status == "ok" and findings["cors-claude"].status == "fail"
    assert "DOIT_MCP_ALLOWED_ORIGINS" in findings["cors-claude"].advice


async def test_redis_that_evicts(redis: Server) -> None:
    with redis.client() as client:
        client.config_set("maxmemory", 64 << 20)
        client.config_set("maxmemory-policy", "allkeys-lru")
    async with serving(api=Api()) as site:
        findings = await check(settings_of(site, redis_url=redis.url))
    assert findings["redis"].status == "warn" and "noeviction" in findings["redis"].advice


async def test_invalid_certificate_is_named(tmp_path: Path) -> None:
    async with https_site.serving(tmp_path) as site, open_probe(PATIENT) as probe:
        reply = await probe.send("GET", f"https://127.0.0.1:{site.port}/healthz")
    assert isinstance(reply, Unreachable) and "TLS certificate is not valid (self-signed certificate" in reply.reason


async def test_responses_are_bounded() -> None:
    """In bytes and in time; redirects are not followed."""

    done = asyncio.Event()

    async def large(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/hang":
            await done.wait()
        if request.path == "/redirect":
            return web.Response(status=302, headers={"Location": "/large"})
        return web.Response(body=b"x" * (2 << 20))

    runner = web.ServerRunner(web.Server(large), shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with open_probe(PATIENT) as probe:
            too_large = await probe.send("GET", f"{base}/large")
            redirect = await probe.send("GET", f"{base}/redirect")
        async with open_probe(0.2) as probe:
            hanging = await probe.send("GET", f"{base}/hang")
    finally:
        done.set()
        await runner.cleanup()
    assert isinstance(too_large, Unreachable) and "more than" in too_large.reason
    assert not isinstance(redirect, Unreachable) and redirect.status == 302
    assert isinstance(hanging, Unreachable) and "longer than" in hanging.reason
