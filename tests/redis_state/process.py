"""Runs a replica in a separate process, which can be killed. Its settings are JSON on standard input."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from doit_mcp.server.notification_hub import TOOLS_CHANGED, ChangeEvent, NotificationHub
from doit_mcp.settings import Settings
from doit_mcp.transports.http.app import build_app
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from tests.redis_state.replicas import Replica, settings_for
from tests.transports.http.serving import Bench, Json, offer

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """The process, seen from the test."""

    def __init__(self, site: Replica, process: asyncio.subprocess.Process) -> None:
        self.site, self.process = site, process

    async def kill(self) -> None:
        """Kill it without a shutdown."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def separate(beside: Replica, redis_url: str, **settings: Any) -> AsyncIterator[Process]:
    """A replica in a separate process, beside another one."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.redis_state.process", cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None and process.stdout is not None
    options = settings_for(beside.resource, beside.world, "", redis_url) | {"allowed_hosts": ()} | settings
    process.stdin.write(json.dumps(options).encode() + b"\n")
    base = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    replica_process = Process(Replica(base, beside.resource, beside.world, beside.http, Bench(), beside.hub), process)
    try:
        yield replica_process
    finally:
        await replica_process.kill()


HUB = web.AppKey("hub", NotificationHub)


async def show_headers(request: web.Request) -> web.Response:
    """The headers that a proxy adds to a request."""
    names = ("Host", "X-Forwarded-For", "X-Forwarded-Proto")
    return web.json_response({name: request.headers.getall(name, []) for name in names})


async def _change(request: web.Request) -> web.Response:
    """Publish that the list of tools has changed; returns the number of streams."""
    hub = request.app[HUB]
    hub.publish(ChangeEvent(TOOLS_CHANGED))
    return web.json_response(len(hub))


def read_options() -> Json:
    options: Json = json.loads(sys.stdin.readline())
    return options


async def main() -> None:
    """Serve until killed."""
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in read_options().items()}
    offered, hub = offer(Bench()), NotificationHub()
    with bind("127.0.0.1", 0) as bound:
        base = socket_url(bound)
        settings = replace(Settings(), **(options | {"allowed_hosts": (base.removeprefix("http://"),)}))
        app = build_app(settings, lambda selection, employee: offered, hub=hub)
        app[HUB] = hub
        app.add_routes([web.get("/tests/heard", show_headers), web.post("/tests/change", _change)])
        async with serve_app(app, bound):
            print(base, flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
