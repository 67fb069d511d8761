"""Shutdown: no new work, calls in flight finish, streams end gracefully, and probes report the state before and
during it."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.loopback_ports import unused_port
from tests.transports.http.serving import LATEST_STATEFUL, Site, serving
from tests.transports.http.streaming import Stream


@pytest.mark.requirement("L4", "L5")
async def test_new_requests_are_rejected_and_calls_in_progress_finish() -> None:
    """Readiness fails, new requests get Retry-After, and waiting clients get their responses."""
    site_of = serving(drain_s=10)
    site = await site_of.__aenter__()
    session = await site.initialize()
    waiting = [asyncio.create_task(site.call("wait")), asyncio.create_task(session.call("wait"))]
    while "calls_in_flight 2.0" not in (await site.send("GET", "/metrics", {})).text:
        await asyncio.sleep(0.005)
    stop = asyncio.create_task(site_of.__aexit__(None, None, None))
    while (ready := await site.send("GET", "/readyz", {})).status == 200:
        await asyncio.sleep(0.005)
    assert ready.status == 503 and ready.body["checks"]["accepting"] is False
    assert (await site.send("GET", "/healthz", {})).status == 200
    for answer in (await site.call("echo"), await session.ask("ping"), await site.send("GET", "/sse", site.headers())):
        assert answer.status == 503 and answer.headers["Retry-After"].isdigit()
    assert (await site.send("POST", "/mcp", {})).status == 401
    site.bench.proceed.set()
    for call in waiting:
        assert (await call).result["structuredContent"] == {"said": "waited"}
    await stop
    assert site.bench.ran == []


@pytest.mark.requirement("L4")
async def test_hanging_calls_are_canceled_at_the_deadline() -> None:
    """The drain has a time limit, whatever a call waits for."""
    site_of = serving(drain_s=0)
    site = await site_of.__aenter__()
    session = await site.initialize()
    waiting = asyncio.create_task(session.call("wait"))
    await site.bench.started.wait()
    await site_of.__aexit__(None, None, None)
    assert site.bench.cancelled and (await waiting).messages == ()


@pytest.mark.requirement("L4")
async def test_streams_end_gracefully() -> None:
    """The response ends properly on both transports."""
    site_of = serving()
    site = await site_of.__aenter__()
    session = await site.initialize()
    headers = site.headers() | {"Accept": "text/event-stream"}
    async with session.stream() as general, site.http.get(f"{site.base}/sse", headers=headers) as old:
        streams = [Stream(general, LATEST_STATEFUL), Stream(old, LATEST_STATEFUL)]
        await streams[1].event()
        while len(site.hub) < 2:
            await asyncio.sleep(0.005)
        stop = asyncio.create_task(site_of.__aexit__(None, None, None))
        for stream in streams:
            assert await stream.ends()
        # The client's session closes with the site, after these streams.
        await stop


async def test_task_does_not_outlive_the_server() -> None:
    """A running task is stopped, and the shutdown does not wait for it."""
    site_of = serving()
    other = await site_of.__aenter__()
    tasks = {"clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
    assert (await other.call("long", **tasks)).result["resultType"] == "task"
    await other.bench.started.wait()
    await asyncio.wait_for(site_of.__aexit__(None, None, None), 20)


@pytest.mark.requirement("K4", "L5")
async def test_probes_while_the_identity_provider_is_unavailable() -> None:
    """The server is alive, but not ready before the first fetch of the keys; tokens get 503 with Retry-After instead
    of 401."""
    issuer = f"http://127.0.0.1:{unused_port()}"
    async with serving(auth_server_url=issuer) as site:
        assert (await site.send("GET", "/healthz", {})).status == 200
        ready = await site.send("GET", "/readyz", {})
        assert ready.status == 503 and ready.body["checks"] == {"accepting": True, "keys": False}
        answer = await site.post(site.request("ping"), Authorization=f"Bearer {site.token(iss=issuer)}")
        assert answer.status == 503 and answer.headers["Retry-After"].isdigit()
        assert "WWW-Authenticate" not in answer.headers


async def test_ready_once_keys_are_loaded(site: Site) -> None:
    assert (await site.post(site.request("ping"))).status == 200
    ready = await site.send("GET", "/readyz", {})
    assert ready.status == 200 and ready.body["status"] == "ok"
    assert ready.body["checks"] == {"accepting": True, "keys": True}


@pytest.mark.requirement("J7", "G3")
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_reveal_no_user_data(site: Site, path: str) -> None:
    """Health checks and metrics expose nothing sensitive after traffic, and are read-only."""
    token = site.token()
    await site.post(site.request("tools/call", {"name": "echo"}), Authorization=f"Bearer {token}")
    text = (await site.send("GET", path, {})).text
    assert token not in text and "acme" not in text.lower()
    for method in ("POST", "DELETE", "PUT"):
        assert (await site.send(method, path, {})).status == 405


async def test_port_is_free_after_shutdown() -> None:
    async with serving() as site:
        base = site.base
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(base + "/healthz")
