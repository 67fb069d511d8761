"""An identity provider and a DoiT API for load and soak tests: any number of users, and API failures on demand."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from doit_mcp.transports.http.runner import bind, socket_url
from tests.auth.minting import Signer

MIB = 1 << 20
# The audience of tokens; the server never connects to this URL.
RESOURCE = "http://127.0.0.1:1"


@dataclass
class Outside:
    """An identity provider and a DoiT API for any number of users. The id of an object selects a failure:
    ``<fault>-<text>``.

    The first request for each id waits for *gate*, unless it begins with ``free-``. *seen* counts requests by id,
    *asked* exchanges by user, and *left* requests whose client disconnected; *stolen* is what followed a redirect.
    """

    signer: Signer = field(default_factory=Signer)
    seen: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    jwks: int = 0
    stolen: int = 0
    waiting: int = 0
    url: str = ""

    def token(self, person: str, **claims: Any) -> str:
        token_claims = {
            "iss": self.url,
            "aud": RESOURCE,
            "sub": f"{person}@acme.example",
            "jti": f"{person}-{time.time_ns()}",
        }
        return self.signer.token(now=time.time(), **(token_claims | claims))

    async def keys(self, request: web.Request) -> web.Response:
        self.jwks += 1
        return web.json_response({"keys": [self.signer.jwk()]})

    async def exchange(self, request: web.Request) -> web.Response:
        token = str((await request.post())["subject_token"])
        person = json.loads(decode_claims(token))["sub"]
        self.asked[person] += 1
        return web.json_response({"access_token": f"upstream-{person}", "token_type": "Bearer", "expires_in": 3600})

    async def budget(self, request: web.Request) -> web.StreamResponse:
        id = request.match_info["id"]
        self.seen[id] += 1
        if self.seen[id] == 1 and not id.startswith("free-"):
            self.waiting += 1
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.left[id] += 1
                raise
            finally:
                self.waiting -= 1
        owner = request.headers["Authorization"].removeprefix("Bearer upstream-")
        body = json.dumps({"id": id, "name": owner}).encode()
        return await make_api_response(request, id.partition("-")[0], body, first=self.seen[id] == 1)

    async def steal(self, request: web.Request) -> web.Response:
        """The target of a redirect, which must receive no requests."""
        self.stolen += 1
        return web.json_response({})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application(middlewares=[close_after_response])
        app.router.add_get("/.well-known/jwks.json", self.keys)
        app.router.add_post("/api/auth/token", self.exchange)
        app.router.add_get("/analytics/v1/budgets/{id}", self.budget)
        app.router.add_route("*", "/elsewhere", self.steal)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        with bind("127.0.0.1", 0) as bound:
            await web.SockSite(runner, bound, backlog=1024).start()
            self.url = socket_url(bound)
            try:
                yield
            finally:
                self.gate.set()
                await runner.cleanup()


@web.middleware
async def close_after_response(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Close the connection after each response: idle connections would count as descriptors of the server."""
    response = await handler(request)
    if not response.prepared:
        response.force_close()
    return response


def decode_claims(token: str) -> bytes:
    middle = token.split(".")[1]
    return urlsafe_b64decode(middle + "=" * (-len(middle) % 4))


async def make_api_response(request: web.Request, fault: str, body: bytes, *, first: bool) -> web.StreamResponse:
    """The API's response: the body, or the failure; failures that a retry can recover from occur once."""
    assert request.transport is not None
    if fault == "busy" and first:
        return web.Response(status=503, headers={"Retry-After": "0"}, text="busy")
    if fault == "reset" and first:
        request.transport.abort()
        raise web.HTTPServiceUnavailable
    if fault == "cut" and first:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(body[:5])
        request.transport.abort()
        return response
    if fault == "moved":
        return web.Response(status=307, headers={"Location": str(request.url.with_path("/elsewhere"))})
    if fault in ("huge", "bomb"):
        return await _flood(request, packed=fault == "bomb")
    if fault == "missing":
        return web.json_response({"error": "no such budget"}, status=404)
    if fault == "garbage":
        return web.Response(body=b"\xff<html>")
    return web.Response(body=body, content_type="application/json")


async def _flood(request: web.Request, *, packed: bool) -> web.StreamResponse:
    """A response that is far too large, plain or as a gzip bomb."""
    response = web.StreamResponse(headers={"Content-Encoding": "gzip"} if packed else {})
    await response.prepare(request)
    compress = zlib.compressobj(wbits=31)
    for _ in range(200):
        chunk = b" " * MIB
        await response.write((compress.compress(chunk) + compress.flush(zlib.Z_SYNC_FLUSH)) if packed else chunk)
    return response


async def test_users_and_faults_are_distinguished() -> None:
    """Checks the assumptions of the tests that use it: tokens identify their users, calls wait at *gate*, and each
    failure occurs."""
    outside = Outside()
    async with outside.running(), aiohttp.ClientSession() as http:

        async def fetch(id: str, person: str) -> tuple[int, bytes]:
            form = {"subject_token": outside.token(person)}
            async with http.post(f"{outside.url}/api/auth/token", data=form) as answer:
                headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
            url = f"{outside.url}/analytics/v1/budgets/{id}"
            async with http.get(url, headers=headers, allow_redirects=False) as answer:
                return answer.status, await answer.read()

        waiting = asyncio.create_task(fetch("ok-1", "ann"))
        while not outside.waiting:
            await asyncio.sleep(0.01)
        assert json.loads((await fetch("free-1", "bob"))[1]) == {"id": "free-1", "name": "bob@acme.example"}
        assert not waiting.done()
        outside.gate.set()
        assert json.loads((await waiting)[1])["name"] == "ann@acme.example"
        faults = ("busy", "missing", "garbage", "moved", "bomb")
        statuses = [(await fetch(f"{fault}-1", "ann"))[0] for fault in faults]
        assert statuses == [503, 404, 200, 307, 200] and (await fetch("busy-1", "ann"))[0] == 200
        for fault in ("reset", "cut"):
            try:
                await fetch(f"{fault}-1", "ann")
            except aiohttp.ClientError:
                continue
            # aiohttp itself retries after a connection reset before the response.
            assert fault == "reset" and outside.seen["reset-1"] == 2
    assert outside.asked["bob@acme.example"] == 1 and outside.stolen == 0 and not outside.left
