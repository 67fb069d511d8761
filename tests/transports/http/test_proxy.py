"""``deploy/Caddyfile`` in use: Caddy in front of two replicas in processes of their own, and their Redis."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from doit_mcp.sandbox.accounts import USERS
from doit_mcp.sandbox.server import run_sandbox
from doit_mcp.server.notification_hub import TOOLS_CHANGED, NotificationHub
from doit_mcp.transports.http.client_address import client_address
from tests.loopback_ports import unused_port
from tests.redis_state.caddy import FILE, caddy, run, said_by, version
from tests.redis_state.process import Process, separate
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import Replica
from tests.transports.http.serving import SECRET, Bench, NoApi
from tests.transports.http.streaming import Stream, open_stream
from tests.transports.http.test_replicas import old_stream

LOOPBACK = ("127.0.0.0/8",)
# Enough calls that both of two replicas would get some.
MANY = 30


@dataclass
class Deployed:
    """The public URL, and the two replicas behind it."""

    public: Replica
    replicas: tuple[Process, Process]
    proxy: asyncio.subprocess.Process

    async def answered(self) -> list[float]:
        """Return how many messages each replica has processed, from its metrics."""
        return [sum(sample) for sample in await self._metrics(r'http_requests_total\{.*route="/mcp".*\}')]

    async def gauge(self, name: str) -> float:
        """Return the sum of a metric of both replicas."""
        return sum(sum(sample) for sample in await self._metrics(name))

    async def _metrics(self, name: str) -> list[list[float]]:
        texts = [(await replica.site.send("GET", "/metrics", {})).text for replica in self.replicas]
        return [[float(value) for value in re.findall(rf"^doit_mcp_{name} (\S+)", text, re.M)] for text in texts]

    async def change(self) -> int:
        """Make both replicas announce changed tools, and check the number of streams that receive it."""
        streams = 0
        for replica in self.replicas:
            async with replica.site.http.post(f"{replica.site.base}/tests/change") as answer:
                streams += await answer.json()
        return streams


@asynccontextmanager
async def deployment_running(redis: Server, folder: Path, grace: str = "5s") -> AsyncIterator[Deployed]:
    site = f"127.0.0.1:{unused_port()}"
    url = f"http://{site}"
    async with run_sandbox(resource_url=url, secret=SECRET, api=NoApi()) as sandbox, aiohttp.ClientSession() as http:
        public = Replica(url, url, sandbox, http, Bench(), NotificationHub())
        async with (
            separate(public, redis.url, trusted_proxies=LOOPBACK) as first,
            separate(public, redis.url, trusted_proxies=LOOPBACK) as second,
            caddy(folder, site, *(replica.site.base for replica in (first, second)), grace=grace) as proxy,
        ):
            yield Deployed(public, (first, second), proxy)


async def test_file_is_valid_and_formatted(tmp_path: Path) -> None:
    for arguments in (("validate", "--config", str(FILE)), ("adapt", "--validate", "--config", str(FILE))):
        status, output = await said_by(await run(*arguments, folder=tmp_path, site="mcp.example.com"))
        assert status == 0 and '"level":"error"' not in output, output
    status, output = await said_by(await run("fmt", str(FILE), folder=tmp_path, site=""))
    assert status == 0 and output == FILE.read_text()


@pytest.mark.requirement("G3", "G5")
async def test_routes_to_any_replica_and_hides_operator_endpoints(redis: Server, tmp_path: Path) -> None:
    """A session of either replica works at both; metrics and readiness are not exposed by the proxy."""
    async with deployment_running(redis, tmp_path) as deployment:
        public = deployment.public
        sessions = [await public.initialize(user=USERS[number % len(USERS)]) for number in range(8)]
        for number in range(6):
            answers = await asyncio.gather(*(answer.call("echo", {"text": f"{number}"}) for answer in sessions))
            assert [answer.result["structuredContent"] for answer in answers] == [{"said": f"{number}"}] * len(sessions)
        assert min(await deployment.answered()) > len(sessions)
        assert (await public.call("echo", {"text": "x"})).result["structuredContent"] == {"said": "x"}
        refused = await public.send("POST", "/mcp", {}, b"{}")
        assert refused.status == 401 and f'resource_metadata="{public.base}/' in refused.headers["WWW-Authenticate"]
        await check_operator_endpoints_hidden(public)
        await check_client_addresses(public)


async def check_operator_endpoints_hidden(public: Replica) -> None:
    host, port = public.base.removeprefix("http://").split(":")
    ways: tuple[str, ...]
    ways = ("/metrics", "/readyz", "/METRICS", "/%6detrics", "/metrics?x=1", "/metrics/", "//metrics", "/./metrics")
    ways += ("/mcp/../metrics", "/mcp/%2e%2e/metrics", "/metrics%2f", "/metrics%00", "/metrics;x")
    ways += (f"{public.base}/metrics",)
    for ways_of_calling in ways:
        for name in (f"{host}:{port}", "elsewhere"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET {ways_of_calling} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
            assert "doit_mcp_" not in answer and "circuits" not in answer, ways_of_calling
            assert name == "elsewhere" or re.match(r"HTTP/1.1 (404|400|308) ", answer), (ways_of_calling, answer)
    assert (await public.send("GET", "/healthz", {})).status == 200


async def check_client_addresses(public: Replica) -> None:
    """Clients cannot fake their address, so they get no extra attempts."""
    forged = {"X-Forwarded-For": "198.51.100.7, 8.8.4.4", "X-Forwarded-Proto": "https", "Forwarded": "for=8.8.4.4"}
    headers_seen: dict[str, list[str]] = (await public.send("GET", "/tests/heard", forged)).body
    host = public.base.removeprefix("http://")
    assert headers_seen == {"Host": [host], "X-Forwarded-For": ["127.0.0.1"], "X-Forwarded-Proto": ["http"]}
    compose: Any = yaml.safe_load((FILE.parent.parent / "compose.yaml").read_text())
    trusted = tuple(compose["services"]["mcp-1"]["environment"]["DOIT_MCP_TRUSTED_PROXIES"].split())
    # The test's own address is replaced by an outside caller's, and the proxy's by that of compose.
    addresses = [value.replace("127.0.0.1", "8.8.8.8") for value in headers_seen["X-Forwarded-For"]]
    assert client_address("172.18.0.5", addresses, trusted) == "8.8.8.8"


@pytest.mark.requirement("L1")
async def test_streams(redis: Server, tmp_path: Path) -> None:
    """With a shorter grace period than the file's."""
    async with deployment_running(redis, tmp_path, grace="0.1s") as deployment:
        await check_events_are_unbuffered(deployment)
        await check_legacy_streams(deployment.public)
        await check_disconnects_cancel(deployment)
        session = await deployment.public.initialize()
        async with session.stream() as response:
            # An open stream does not delay a shutdown.
            deployment.proxy.terminate()
            assert await deployment.proxy.wait() == 0
            with suppress(aiohttp.ClientPayloadError):
                assert not await response.content.read()


STEPS = {"name": "steps", "arguments": {"pause": True}, "_meta": {"progressToken": 5}}


async def check_events_are_unbuffered(there: Deployed) -> None:
    """Events arrive while their call is in progress; with a buffering proxy this would hang."""
    public = there.public
    session = await public.initialize()
    call = public.request("tools/call", STEPS)
    headers = public.headers(session.user, **session.head)
    async with session.stream() as general, open_stream(public, call, headers, session.revision) as running:
        assert (await running.message())["params"]["message"] == "half"
        assert (await running.message())["method"] == "notifications/message"
        # The stream's headers arrive before it is registered as a listener.
        while not await there.change():
            await asyncio.sleep(0.01)
        assert (await Stream(general, session.revision).message())["method"] == TOOLS_CHANGED
        assert (await session.note("notifications/cancelled", {"requestId": call["id"]})).status == 202
        assert await running.ends()


async def check_legacy_streams(public: Replica) -> None:
    async with old_stream(public) as old:
        await old.initialize(public)
        assert (await public.post(public.request("tools/call", STEPS), path=old.address)).status == 202
        assert (await old.next())["params"]["progress"] == 1
        assert (await old.next())["method"] == "notifications/message"
        assert (await public.post(public.request("ping", id="p"), path=old.address)).status == 202
        assert (await old.next())["id"] == "p"


async def check_disconnects_cancel(there: Deployed) -> None:
    """Disconnecting cancels the calls of an HTTP+SSE stream, and stateless requests."""
    while await there.gauge("calls_in_flight"):
        await asyncio.sleep(0.01)
    waiting = asyncio.create_task(there.public.call("wait"))
    while await there.gauge("calls_in_flight") != 1:
        await asyncio.sleep(0.01)
    waiting.cancel()
    while await there.gauge("calls_in_flight"):
        await asyncio.sleep(0.01)


async def test_replica_is_killed(redis: Server, tmp_path: Path) -> None:
    """Every session continues at the other replica without any error. Old proxies that never send a body again
    report errors until they detect that a replica is down."""
    old = await version(tmp_path) < (2, 11, 3)
    async with deployment_running(redis, tmp_path) as deployment:
        sessions = [await deployment.public.initialize() for _ in range(6)]
        await deployment.replicas[0].kill()
        statuses: list[int] = []
        while len(statuses) < MANY or set(statuses[-MANY:]) != {200}:
            answers = await asyncio.gather(*(session.call("echo", {"text": "x"}) for session in sessions))
            statuses += [answer.status for answer in answers]
        assert set(statuses) <= ({200, 502} if old else {200})
        assert (await deployment.public.initialize()).id
