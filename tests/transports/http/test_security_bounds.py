"""Limits on what one caller, one body or one response can take from other callers, in the server's own process, and
secrets that no response may contain."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from doit_mcp.sandbox.api import Api, Fault
from doit_mcp.sandbox.api.faults import FaultKind
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.transports.http import connection_limits
from tests.conftest import GUARD
from tests.transports.http.serving import ADMIN, LATEST_STATEFUL, OTHER_USER, SECRET, Answer, serving
from tests.transports.http.streaming import raw_connection
from tests.transports.http.test_load import wait_until_held
from tests.transports.http.test_security_outside import MIB
from tests.transports.http.test_security_process import LONG, Program, budget, program, with_request_metadata

PER_PERSON, IN_ALL = 32, 150


async def calls(server: Program, person: str, count: int) -> list[asyncio.Task[Answer]]:
    token = server.outside.token(person)
    messages = [with_request_metadata(budget(number, f"ok-{person}-{number}")) for number in range(count)]
    return [asyncio.create_task(server.send_stateless(message, token)) for message in messages]


async def check_limited(tasks: list[asyncio.Task[Answer]], status: int, count: int) -> None:
    """Check that this many of *tasks* have ended, all with this status and a hint when to retry."""
    while sum(task.done() for task in tasks) < count:
        await asyncio.sleep(0.02)
    answers = [task.result() for task in tasks if task.done()]
    assert {answer.status for answer in answers} == {status} and len(answers) == count
    assert all(answer.headers["Retry-After"].isdigit() for answer in answers)


@pytest.mark.requirement("Q2", "Q3")
async def test_per_caller_and_total_limits(tmp_path: Path) -> None:
    """Calls beyond the share are refused at once, other callers are served, and no queue is unbounded."""
    async with program(tmp_path, calls_per_principal=PER_PERSON, calls_total=IN_ALL) as server:
        noisy = await calls(server, "noisy", 200)
        await wait_until_held(server, PER_PERSON)
        await check_limited(noisy, 429, 200 - PER_PERSON)
        quiet = server.outside.token("quiet")
        for number in range(20):
            answer = await server.send_stateless(with_request_metadata(budget(number, f"free-{number}")), quiet)
            assert answer.status == 200 and not answer.result.get("isError")
        crowd = [task for number in range(10) for task in await calls(server, f"person{number}", 20)]
        await wait_until_held(server, IN_ALL)
        await check_limited(crowd, 503, 200 - (IN_ALL - PER_PERSON))
        for path in ("/healthz", "/readyz"):
            assert (await server.send("GET", path, {})).status == 200
        server.outside.gate.set()
        statuses = Counter(answer.status for answer in await asyncio.gather(*noisy, *crowd))
        assert statuses == {200: IN_ALL, 429: 200 - PER_PERSON, 503: 400 - IN_ALL - (200 - PER_PERSON)}
        assert set(server.outside.seen.values()) == {1} and len(server.outside.seen) == IN_ALL + 20
        await server.until(calls_in_flight=0)


def bomb() -> Iterator[bytes]:
    """Compressed blanks; 1 GiB of them in the long mode."""
    compress = zlib.compressobj(wbits=31)
    for _ in range(1024 if LONG else 200):
        yield compress.compress(b" " * MIB)
    yield compress.flush()


@pytest.mark.requirement("H5", "H9", "J5")
async def test_oversized_bodies(tmp_path: Path) -> None:
    """Refused with and without a token, and not stored."""
    packed = b"".join(bomb())
    assert len(packed) < 2 * MIB

    async def large(server: Program, headers: dict[str, str], pieces: list[bytes]) -> int:
        async def body() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        try:
            async with server.http.post(f"{server.base}/mcp", headers=headers, data=body()) as response:
                return response.status
        except aiohttp.ClientError:
            # The response arrived before the body was sent, and the connection was closed.
            return 0

    async with program(tmp_path) as server:
        headers = server.headers(server.outside.token("ann"))
        unauthenticated_headers = {name: value for name, value in headers.items() if name != "Authorization"}
        assert (await server.send("POST", "/mcp", headers, b"{}")).status == 400
        memory = server.rss
        for _ in range(2):
            assert await large(server, headers, [b" " * MIB] * 32) in (413, 0)
            assert await large(server, unauthenticated_headers, [b" " * MIB] * 32) in (401, 0)
            assert await large(server, headers | {"Content-Encoding": "gzip"}, [packed]) in (413, 415, 0)
            assert await large(server, unauthenticated_headers | {"Content-Encoding": "gzip"}, [packed]) in (401, 0)
        assert server.rss - memory < 40 * MIB, f"{(server.rss - memory) >> 20} MiB"
        heads = {"Authorization": "Bearer " + "x" * 100_000}
        assert 400 <= (await server.send("GET", "/mcp", heads)).status < 500
        assert (await server.send("GET", "/healthz", {})).status == 200
    failures = [line for line in server.lines() if line["level"] in ("error", "critical")]
    # The rest of an unread body is not a valid request.
    assert not [line for line in failures if line["logger"] != "aiohttp.server"]


@pytest.mark.requirement("X7", "F5")
async def test_oversized_and_redirecting_api_responses(tmp_path: Path) -> None:
    """200 MB, plain or compressed, is a clean error and not stored; redirects are not followed."""
    async with program(tmp_path) as server:
        server.outside.gate.set()
        token = server.outside.token("ann")
        assert (await server.send_stateless(with_request_metadata(budget(0, "ok-0")), token)).status == 200
        memory = server.rss
        for number, fault in enumerate(("huge", "bomb", "moved")):
            answer = await server.send_stateless(with_request_metadata(budget(number, f"{fault}-{number}")), token)
            assert answer.status == 200 and answer.result["isError"], answer
            assert len(answer.text) < 2000 and server.outside.url not in answer.text
        assert server.rss - memory < 150 * MIB and server.outside.stolen == 0
        assert not (await server.send_stateless(with_request_metadata(budget(1, "ok-1")), token)).result.get("isError")


@pytest.mark.requirement("J9")
async def test_partial_headers_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their timeout is shorter than that of an idle connection."""
    monkeypatch.setattr(connection_limits, "HEAD_TIMEOUT_SECONDS", 0.3)
    async with serving(keep_alive_timeout_s=1) as site, raw_connection(site) as slow, raw_connection(site) as idle:
        slow.writer.write(b"POST /mcp HTTP/1.1\r\nHost: x\r\nAuthor")
        idle.writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await idle.answer())[0] == 200
        assert await idle.rest() == b""
        await slow.rest()
        assert (await site.send("GET", "/healthz", {})).status == 200


FAULTS: tuple[FaultKind, ...] = (401, 403, 404, 500, 503, "garbage", "truncated", "reset")


@pytest.mark.requirement("X6")
async def test_no_response_contains_a_secret() -> None:
    """Bodies, headers, probes, metrics and logs contain no credentials, whatever fails."""
    api = Api()
    async with serving(api=api, make=catalog_factory()) as site:
        token = site.token()
        replies: list[Answer] = []
        for fault in FAULTS:
            api.faults[:] = [Fault("/analytics/v1/budgets", fault, times=4)]
            replies.append(await site.call("list_budgets", headers={"Authorization": f"Bearer {token}"}))
        api.faults.clear()
        for changes in ({"exp": 1}, {"aud": "elsewhere"}, {"scope": "x"}, {"iss": "x"}, {"sub": 1}, {"sub": "nobody"}):
            headers = {"Authorization": f"Bearer {site.token(**changes)}"}
            message = json.dumps(site.request("tools/call", {"name": "validate_user"})).encode()
            request_headers = headers | {"Content-Type": "application/json", "MCP-Protocol-Version": LATEST_STATEFUL}
            replies.append(await site.send("POST", "/mcp", request_headers, message))
        for wrong in (OTHER_USER.api_token + "x", token[:-4] + "AAAA", token + token, SECRET):
            replies.append(await site.send("POST", "/mcp", {"Authorization": f"Bearer {wrong}"}))
        site.world.identity.down = True
        replies.append(await site.call("list_budgets", user=OTHER_USER))
        replies.append(await site.call("validate_user", headers={"Authorization": f"Bearer {ADMIN.api_token}"}))
        for path in ("/healthz", "/readyz", "/metrics", "/", "/.well-known/oauth-protected-resource/mcp"):
            replies.append(await site.send("GET", path, {}))
        bearers = {call.bearer for call in api.calls}
    assert len({reply.status for reply in replies}) >= 4 and token not in bearers and len(bearers) >= 2
    for reply in replies:
        text = reply.text.replace('"jsonrpc"', "") + str(dict(reply.headers))
        assert not GUARD.detects(text), text
        assert not [bearer for bearer in bearers if bearer in text]
    assert GUARD.detects(token) and all(map(GUARD.detects, bearers))
