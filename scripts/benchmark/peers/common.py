"""Options, inputs and the upstream request of the Python peers. Imported by scripts whose interpreter may lack this
project.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUTHORIZATION = {"Authorization": "Bearer a-token-of-the-api"}
MAX_CONNECTIONS = 256

Fetch = Callable[[str], Awaitable[str]]


@dataclass(frozen=True)
class Options:
    """The options of a peer."""

    port: int
    public_key: str
    urls: dict[str, str]
    tools: list[dict[str, Any]]
    auth: bool
    sse: bool
    legacy: bool
    low: bool
    client: str


def read_options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--tools", type=int, default=2)
    parser.add_argument("--no-auth", action="store_true", help="do not check tokens")
    parser.add_argument("--sse", action="store_true", help="respond with event streams")
    parser.add_argument("--legacy", action="store_true", help="the HTTP+SSE transport, at /sse")
    parser.add_argument("--low", action="store_true", help="the low-level interface")
    parser.add_argument("--client", choices=("httpx2", "aiohttp"), default="httpx2", help="make requests upstream")
    options = parser.parse_args()
    return Options(
        port=options.port,
        public_key=(options.inputs / "public.pem").read_text(),
        urls=json.loads((options.inputs / "places.json").read_text()),
        tools=json.loads((options.inputs / "tools.json").read_text())[: options.tools],
        auth=not options.no_auth,
        sse=options.sse,
        legacy=options.legacy,
        low=options.low,
        client=options.client,
    )


def make_fetch(options: Options) -> Fetch:
    """A function that makes one GET, with a client shared by all calls and created by the first one."""
    clients: list[Any] = []
    address = options.urls["upstream"]

    async def fetch_with_httpx2(id: str) -> str:
        if not clients:
            import httpx2

            limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
            clients.append(httpx2.AsyncClient(limits=limits))
        response = await clients[0].get(address, params={"id": id}, headers=AUTHORIZATION)
        response.raise_for_status()
        text: str = response.text
        return text

    async def fetch_with_aiohttp(id: str) -> str:
        import aiohttp

        if not clients:
            clients.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS)))
        async with clients[0].get(address, params={"id": id}, headers=AUTHORIZATION) as response:
            response.raise_for_status()
            text: str = await response.text(encoding="utf-8")
            return text

    return fetch_with_aiohttp if options.client == "aiohttp" else fetch_with_httpx2


def serve(app: Any, options: Options) -> None:
    """Serve with uvicorn at its fastest: uvloop and httptools if they are installed, no access log."""
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=options.port, access_log=False, log_level="warning", backlog=1024)
