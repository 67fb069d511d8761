"""Many repeated requests to the server's own process leave memory, descriptors and tasks unchanged.

CI uses smaller numbers; DOIT_MCP_TEST_LONG=1 uses the full ones.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.auth.minting import Signer
from tests.transports.http.serving import Json
from tests.transports.http.test_load import gather_limited
from tests.transports.http.test_security_outside import MIB, RESOURCE
from tests.transports.http.test_security_process import (
    LONG,
    Program,
    budget,
    encode_message,
    program,
    stateless_headers,
    with_request_metadata,
)

MIXED, WARM = (50_000, 5_000) if LONG else (2_500, 1_000)
FORGED = 3_000 if LONG else 400
SESSIONS = 2_000 if LONG else 300
STREAMS = 500 if LONG else 100
MAX_CONCURRENT_REQUESTS = 20
SOAK_GROWTH, SESSIONS_GROWTH, STREAMS_GROWTH = 40 * MIB, 100 * MIB, 80 * MIB

pytestmark = pytest.mark.timeout(1800 if LONG else 120)


class Mixture:
    """Requests of every kind, in turn; responses are counted by kind and status."""

    def __init__(self, server: Program) -> None:
        self.made, self.counts = server, Counter[tuple[str, int]]()
        self.kinds = (
            self.call,
            self.ping,
            self.listing,
            self.session,
            self.unauthenticated,
            self.malformed,
            self.unknown_path,
            self.probe,
        )

    async def one(self, number: int) -> None:
        kind = self.kinds[number % len(self.kinds)]
        status = await kind(number, self.made.outside.token(f"person{number // 8 % 200}"))
        assert status < 500, kind
        self.counts[kind.__name__, status] += 1

    async def call(self, number: int, token: str) -> int:
        return (
            await self.made.send_stateless(with_request_metadata(budget(number, f"ok-{number % 50}")), token)
        ).status

    async def ping(self, number: int, token: str) -> int:
        message: Json = {"jsonrpc": "2.0", "id": number, "method": "ping"}
        return (await self.made.post(message, token)).status

    async def listing(self, number: int, token: str) -> int:
        message: Json = {"jsonrpc": "2.0", "id": number, "method": "resources/list", "params": {}}
        return (await self.made.send_stateless(with_request_metadata(message), token)).status

    async def session(self, number: int, token: str) -> int:
        heads = {"Mcp_Session_Id": await self.made.initialize(token)}
        if number % 3:
            return (await self.made.send("DELETE", "/mcp", self.made.headers(token, **heads))).status
        return (await self.made.post({"jsonrpc": "2.0", "id": 1, "method": "tools/nothing"}, token, **heads)).status

    async def unauthenticated(self, number: int, token: str) -> int:
        return (await self.made.post(budget(1, "ok-1"), token[:-6] + f"{number:06}"[-6:])).status

    async def malformed(self, number: int, token: str) -> int:
        return (await self.made.send("POST", "/mcp", self.made.headers(token), b"{" * (number % 200))).status

    async def unknown_path(self, number: int, token: str) -> int:
        return (await self.made.send("GET", f"/nothing/{number}", {})).status

    async def probe(self, number: int, token: str) -> int:
        path = ("/healthz", "/readyz", "/metrics", "/.well-known/oauth-protected-resource/mcp", "/")[number // 8 % 5]
        return (await self.made.send("GET", path, {})).status


@pytest.mark.requirement("Q5")
async def test_mixed_requests(tmp_path: Path) -> None:
    """No 5xx; memory, descriptors and tasks are the same as after the first requests."""
    async with program(tmp_path, sessions_total=500) as server:
        server.outside.gate.set()
        mixture = Mixture(server)
        await gather_limited((mixture.one(number) for number in range(WARM)), MAX_CONCURRENT_REQUESTS)
        rest, memory = await server.rest(), server.rss
        await gather_limited((mixture.one(number) for number in range(WARM, MIXED)), MAX_CONCURRENT_REQUESTS)
        await server.until(calls_in_flight=0, streams=0)
        await server.until_rest(rest)
        grown = server.rss - memory
        assert grown < SOAK_GROWTH, f"{grown >> 20} MiB"
        assert (await server.gauges())["sessions"] <= 500
        print(f"{grown / MIB:.1f} MiB after {MIXED} requests; {rest}, {await server.rest()}; {server.cpu:.1f} s of CPU")
    assert {status for _, status in mixture.counts} == {200, 204, 400, 401, 404}, mixture.counts
    assert not [line for line in server.lines() if line["level"] in ("error", "critical")]


@pytest.mark.requirement("K2", "Q4")
async def test_flood_of_forged_tokens(tmp_path: Path) -> None:
    """Each is refused, the keys are not fetched repeatedly, and clients with a valid token are served meanwhile."""
    async with program(tmp_path) as server:
        server.outside.gate.set()
        token = server.outside.token("ann")
        assert (await server.send_stateless(with_request_metadata(budget(0, "ok-0")), token)).status == 200
        forgers = [Signer() for _ in range(5)]
        claims: Json = {"iss": server.outside.url, "aud": RESOURCE}
        # Only the signature is wrong; every fourth token is malformed enough to be refused before it is checked.
        ages = [time.time() - (number % 4 == 0) * 7200 for number in range(FORGED)]
        forged = [forgers[number % 5].token(now=age, jti=str(number), **claims) for number, age in enumerate(ages)]
        memory, statuses = server.rss, Counter[int]()
        flooding = asyncio.create_task(
            gather_limited((send_forged(server, one, statuses) for one in forged), MAX_CONCURRENT_REQUESTS * 5)
        )
        served = 0
        while not flooding.done():
            assert (
                await server.send_stateless(with_request_metadata(budget(served, f"ok-{served}")), token)
            ).status == 200
            served += 1
        await flooding
        assert served and set(statuses) <= {401, 429} and statuses.total() == FORGED
        assert server.outside.jwks <= 5 and set(server.outside.asked) == {"ann@acme.example"}
        assert server.rss - memory < SOAK_GROWTH
        print(f"{served} calls served beside {FORGED} forged tokens, {server.outside.jwks} looks at the keys")


async def send_forged(server: Program, token: str, statuses: Counter[int]) -> None:
    answer = await server.post(budget(1, "ok-1"), token)
    assert token not in answer.text
    statuses[answer.status] += 1


@pytest.mark.requirement("S8")
@pytest.mark.parametrize("cap", [100, 10_000])
async def test_sessions_that_are_never_deleted(tmp_path: Path, cap: int) -> None:
    """The user's oldest sessions are evicted and revived when used, those of others stay, and sessions are small."""
    async with program(tmp_path, sessions_per_principal=cap) as server:
        ann, bob = server.outside.token("ann"), server.outside.token("bob")
        others = await server.initialize(bob)
        first = await server.initialize(ann)
        memory = server.rss
        await gather_limited((server.initialize(ann) for _ in range(SESSIONS)), MAX_CONCURRENT_REQUESTS)
        assert (await server.gauges())["sessions"] == min(cap, SESSIONS + 1) + 1
        ping: Json = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        assert (await server.post(ping, bob, Mcp_Session_Id=others)).status == 200
        assert (await server.post(ping, ann, Mcp_Session_Id=first)).status == 200
        assert (await server.gauges())["sessions"] == min(cap, SESSIONS + 1) + 1
        grown = server.rss - memory
        assert grown < SESSIONS_GROWTH
        print(f"{grown / MIB:.1f} MiB for {SESSIONS} sessions, {cap} of them kept at most")


@pytest.mark.requirement("L2")
async def test_streams_opened_and_dropped_three_times(tmp_path: Path) -> None:
    """Descriptors, tasks and memory return to their former numbers, and no work is done for disconnected clients."""
    async with program(tmp_path) as server:
        tokens = [server.outside.token(f"person{number}") for number in range(STREAMS // 10)]
        await drop_streams(server, tokens)
        rest, memory = await server.rest(), server.rss
        for _ in range(3):
            await drop_streams(server, tokens)
        await server.until_rest(rest)
        assert server.rss - memory < STREAMS_GROWTH
        print(f"{(server.rss - memory) / MIB:.1f} MiB after 3 x {STREAMS} streams; {rest}")
        if LONG:
            before = server.cpu
            await asyncio.sleep(20)
            assert server.cpu - before < 1


async def drop_streams(server: Program, tokens: list[str]) -> None:
    """Ten streams for each token, half of them HTTP+SSE, whose connections are then all dropped at once."""
    listen: Json = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}
    message = with_request_metadata(listen | {"params": {"notifications": {"toolsListChanged": True}}})

    async def one(token: str, number: int) -> None:
        headers = server.headers(token)
        if number % 2:
            response = await server.http.get(f"{server.base}/sse", headers=headers | {"Accept": "text/event-stream"})
        else:
            headers |= stateless_headers(message)
            response = await server.http.post(f"{server.base}/mcp", headers=headers, data=encode_message(message))
        assert response.status == 200
        stack.callback(response.close)

    async with AsyncExitStack() as stack:
        await gather_limited(one(token, number) for token in tokens for number in range(10))
        await server.until(streams=len(tokens) * 10)
    await server.until(streams=0, listeners=0)
