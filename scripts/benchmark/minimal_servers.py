"""Minimal servers: aiohttp with only the work that no MCP server can avoid, as the lower limit of CPU time.

They have no validation and no error handling, so no real server can be faster. Levels, each with the work of the ones
before it:

a0     web.Server without application or router: read the body, parse it, respond
bytes  web.Application and its router; a call is answered without parsing it, by copying its id
a      web.Application and its router; read the body, parse it, respond
b      verify an ES256 token, dispatch on the method, one envelope with orjson
c      the token is verified once and then found by its hash
cd     c, and fetch_report makes one GET with a shared ClientSession
s1     c, and the response is an event stream of one event
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
import orjson
from aiohttp import ClientSession, TCPConnector, web
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .inputs import Inputs
from .machine import run_async

LEVELS = ("a0", "bytes", "a", "b", "c", "cd", "s1")
STREAM_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
MAX_TOKENS = 10_000
# The response to a call of echo, with its id twice.
CALL_RESPONSE = b'{"jsonrpc":"2.0","id":%b,"result":{"content":[{"type":"text","text":"text-%b-which-comes-back"}]}}'

Message = dict[str, Any]


class LimitServer:
    """A server of one level."""

    def __init__(self, level: str, inputs: Inputs, tools: int) -> None:
        self.level = level
        self._urls = inputs.urls
        self._key: Any = load_pem_public_key((inputs.directory / "public.pem").read_bytes())
        definitions = json.loads((inputs.directory / "tools.json").read_text())[:tools]
        # The list never changes, so it is encoded once.
        self._tools_json = orjson.dumps({"tools": definitions})
        self._claims: dict[bytes, Message] = {}
        self.sessions: dict[str, float] = {}
        self.streams: dict[str, web.StreamResponse] = {}
        self.http: ClientSession

    def _verify(self, token: str) -> Message:
        claims: Message = jwt.decode(
            token, self._key, ["ES256"], audience=self._urls["audience"], issuer=self._urls["issuer"]
        )
        return claims

    def authenticate(self, request: web.BaseRequest) -> Message:
        """The claims of the token that the request carries. Raises jwt.InvalidTokenError."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if self.level == "b":
            return self._verify(token)
        key = hashlib.sha256(token.encode()).digest()
        claims = self._claims.get(key)
        if claims is not None and claims["exp"] > time.time():
            return claims
        if len(self._claims) >= MAX_TOKENS:
            del self._claims[next(iter(self._claims))]
        claims = self._claims[key] = self._verify(token)
        return claims

    async def respond(self, message: Message) -> bytes:
        """The response to a message that has an id, encoded."""
        result: Message = {}
        if message["method"] == "tools/list":
            return b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (message["id"], self._tools_json)
        if message["method"] == "tools/call":
            text = await self.call_tool(message["params"]["name"], message["params"]["arguments"])
            result = {"content": [{"type": "text", "text": text}]}
        elif message["method"] == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
            result["serverInfo"] = {"name": "limit", "version": "1"}
        return orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def call_tool(self, name: str, arguments: Message) -> str:
        """The text that a tool returns."""
        if name != "fetch_report":
            text: str = arguments["text"]
            return text
        address, headers = self._urls["upstream"], {"Authorization": "Bearer a-token-of-the-api"}
        async with self.http.get(address, params={"id": arguments["id"]}, headers=headers) as response:
            return (await response.read()).decode()

    async def post_bare(self, request: web.BaseRequest) -> web.Response:
        """Handle POST at the levels before b."""
        if request.method != "POST":
            return web.Response(status=204)
        message = orjson.loads(await request.read())
        if "id" not in message:
            return web.Response(status=202)
        return web.Response(body=await self.respond(message), content_type="application/json")

    async def post_bytes(self, request: web.Request) -> web.Response:
        """Handle POST at the level of bytes."""
        body = await request.read()
        if b'"tools/call"' not in body:
            return await self.post_bare(request)
        number = body.partition(b'"id":')[2][:8]
        return web.Response(body=CALL_RESPONSE % (number, number), content_type="application/json")

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Handle POST /mcp."""
        self.authenticate(request)
        message = orjson.loads(await request.read())
        if "id" not in message:
            return web.Response(status=202)
        body, headers = await self.respond(message), {}
        if message["method"] == "initialize":
            headers["Mcp-Session-Id"] = self.open_session()
        else:
            self.sessions[request.headers["Mcp-Session-Id"]] = time.monotonic()
            if self.level == "s1":
                return web.Response(body=b"event: message\ndata: %b\n\n" % body, headers=STREAM_HEADERS)
        return web.Response(body=body, content_type="application/json", headers=headers)

    def open_session(self) -> str:
        """A new session."""
        session = secrets.token_hex(16)
        self.sessions[session] = time.monotonic()
        return session

    async def delete(self, request: web.Request) -> web.Response:
        """Handle DELETE /mcp."""
        self.authenticate(request)
        del self.sessions[request.headers["Mcp-Session-Id"]]
        return web.Response(status=204)

    async def open_stream(self, request: web.Request) -> web.StreamResponse:
        """Handle GET /sse: a stream until the client disconnects."""
        self.authenticate(request)
        name, response = secrets.token_hex(16), web.StreamResponse(headers=STREAM_HEADERS)
        await response.prepare(request)
        await response.write(b"event: endpoint\ndata: /messages?session=%b\n\n" % name.encode())
        self.streams[name] = response
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            del self.streams[name]
        return response

    async def post_message(self, request: web.Request) -> web.StreamResponse:
        """Handle POST /messages: the response goes to the stream."""
        self.authenticate(request)
        message = orjson.loads(await request.read())
        if "id" in message:
            body = await self.respond(message)
            await self.streams[request.query["session"]].write(b"event: message\ndata: %b\n\n" % body)
        return web.Response(status=202)

    def make_runner(self) -> web.BaseRunner:
        """The aiohttp runner of this level."""
        if self.level == "a0":
            return web.ServerRunner(web.Server(self.post_bare))
        app = web.Application()
        self.add_routes(app)
        return web.AppRunner(app, access_log=None, handler_cancellation=True)

    def add_routes(self, app: web.Application) -> None:
        """Add the routes of this level."""
        is_bare = self.level in ("bytes", "a")
        post = self.post_bytes if self.level == "bytes" else self.post_bare if is_bare else self.post
        app.router.add_route("POST", "/mcp", post)
        app.router.add_route("DELETE", "/mcp", self.post_bare if is_bare else self.delete)
        app.router.add_route("GET", "/sse", self.open_stream)
        app.router.add_route("POST", "/messages", self.post_message)

    async def serve(self, port: int) -> None:
        """Serve until killed."""
        self.http = ClientSession(connector=TCPConnector(limit=0))
        runner = self.make_runner()
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """Serve with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--tools", type=int, default=2)
    parser.add_argument("--level", choices=LEVELS, default="c")
    options = parser.parse_args()
    run_async(LimitServer(options.level, Inputs(options.inputs), options.tools).serve(options.port))


if __name__ == "__main__":
    main()
