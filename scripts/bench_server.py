"""The server under test of the benchmark, with the tools that the benchmark calls.

echo returns its argument; stream_echo does so after a progress notification, so its response is an event stream;
sized_echo returns a text of the requested size; fetch_report makes one GET to the upstream stub, like a DoiT operation:
token exchange, request by the product's client, response validation and truncation.

With --inputs (a directory made by scripts/bench) the identity provider of the benchmark runs in another process, and
all servers list the same further tools. Otherwise the sandbox runs in this process, and --token-file receives a token.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from doit_mcp.process.memory import collect_less_often

# Before the other modules are loaded, as in doit_mcp.cli.main.
collect_less_often()

from aiohttp import web

from doit_mcp import __version__
from doit_mcp.api.operation import Area, get, operation_of
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.cli import run_until_complete
from doit_mcp.observability import logging_setup
from doit_mcp.protocol.jsonrpc import JsonObject
from doit_mcp.server.request_context import Catalog
from doit_mcp.settings import Settings
from doit_mcp.transports.http.app import build_app
from doit_mcp.transports.http.runner import bind, freeze_heap, serve_app, socket_url, wait_for_stop_signal

SECRET = "a benchmark keeps no secrets, but needs one"
# All load comes from one caller, so the limits per caller in production must not end a measurement.
SETTINGS = Settings(
    exchange_secret=SECRET,
    calls_per_principal=10_000,
    calls_total=10_000,
    sessions_per_principal=100_000,
    sessions_total=100_000,
    streams_per_principal=100_000,
)


class UpstreamStub(Area):
    """The operations of the upstream stub."""

    @get("/small")
    async def fetch_report(self, *, id: str) -> JsonObject:
        """Fetch a report."""
        ...


class NoApi:
    """A sandbox API without operations; the upstream stub replaces it."""

    def register(self, app: web.Application, lookup: object) -> None:
        """Add nothing."""


FETCH_REPORT = operation_of(UpstreamStub.fetch_report)


ANY_OBJECT = {"type": "object"}


async def echo(call: Call, arguments: JsonObject) -> ContentResult:
    """Return the argument as text."""
    return ContentResult([{"type": "text", "text": arguments["text"]}])


async def stream_echo(call: Call, arguments: JsonObject) -> ContentResult:
    """Return the argument as text, after a progress notification."""
    await call.report_progress(1)
    return await echo(call, arguments)


@lru_cache(maxsize=8)
def make_filler(size: int) -> str:
    """JSON rows of *size* characters, with quotes to escape, like the results of real tools."""
    row = '{"date":"2026-03-01","service":"Compute Engine","cost":120.5},'
    return (row * (size // len(row) + 1))[:size]


async def sized_echo(call: Call, arguments: JsonObject) -> ContentResult:
    """Return the argument as text, padded to the requested size."""
    text = arguments["text"]
    return ContentResult([{"type": "text", "text": text + make_filler(arguments["size"] - len(text))}])


async def fetch_report(call: Call, arguments: JsonObject) -> JsonObject:
    """Make one GET upstream."""
    result: JsonObject = await call.doit.auth.sender.send(FETCH_REPORT, arguments)
    return result


def text_schema(name: str) -> JsonObject:
    """The schema of an object with one string."""
    return {
        "type": "object",
        "properties": {name: {"type": "string"}},
        "required": [name],
        "additionalProperties": False,
    }


SIZED_SCHEMA = text_schema("text")
SIZED_SCHEMA["properties"]["size"] = {"type": "integer"}


def make_tools(count: int, definitions: list[dict[str, Any]]) -> tuple[Tool, ...]:
    """The two measured tools, and others up to *count*: those of *definitions*, or copies of the first."""
    tools = [
        Tool("echo", "Echo", "Answers with its argument.", text_schema("text"), echo, deadline=None),
        # With the flags of tools that read with one request.
        Tool("fetch_report", "Fetch", "Fetches a report.", text_schema("id"), fetch_report, ANY_OBJECT, deadline=None),
    ]
    for number in range(2, count):
        if definitions:
            name, description, schema = (definitions[number][key] for key in ("name", "description", "inputSchema"))
            tools.append(Tool(name, name.replace("_", " "), description, schema, echo))
        else:
            tools.append(replace(tools[0], name=f"echo_{number}", title=f"Echo {number}"))
    return tuple(tools)


def make_application(settings: Settings, options: argparse.Namespace) -> web.Application:
    """The server as users run it (--all), or with the benchmark's tools instead of its own."""
    if options.all:
        from doit_mcp.transports.http.main_app import make_main_app

        return make_main_app(settings)
    definitions = json.loads((options.inputs / "tools.json").read_text()) if options.inputs else []
    # Callable by name but unlisted, so that every server lists the same tools.
    unlisted = (
        Tool("stream_echo", "Stream", "Answers with its argument.", text_schema("text"), stream_echo),
        Tool("sized_echo", "Size", "Answers with its argument and more.", SIZED_SCHEMA, sized_echo),
    )
    catalog = Catalog(
        tools=make_tools(options.tools, definitions),
        unlisted_tools=unlisted,
        server_info={"name": "doit-mcp-bench", "version": __version__},
    )

    def make_client_catalog(selection: Selection, employee: bool) -> Catalog:
        return catalog

    return build_app(settings, make_client_catalog)


@asynccontextmanager
async def run_dependencies(base: str, options: argparse.Namespace) -> AsyncIterator[Settings]:
    """Settings for an identity provider and an API, which run for the duration of the block."""
    if options.inputs is not None:
        urls = json.loads((options.inputs / "places.json").read_text())
        yield replace(
            Settings(exchange_secret=SECRET) if options.usual_limits else SETTINGS,
            resource_url=urls["audience"].removesuffix("/mcp"),
            allowed_hosts=(base.removeprefix("http://"),),
            auth_server_url=urls["issuer"],
            doit_api_base=urls["upstream"].removesuffix("/small"),
        )
        return
    # Imported only here, because its memory and import time are not the product's.
    from doit_mcp.sandbox.accounts import USERS
    from doit_mcp.sandbox.server import run_sandbox

    async with run_sandbox(resource_url=base, secret=SECRET, api=NoApi()) as sandbox:
        if options.token_file is not None:
            token = sandbox.identity.mint(USERS[0], resource=f"{base}/mcp", ttl=86_400)
            options.token_file.write_text(token)
        yield replace(SETTINGS, resource_url=base, auth_server_url=sandbox.url, doit_api_base=options.upstream)


async def main(options: argparse.Namespace) -> None:
    """Serve until stopped."""
    with bind("127.0.0.1", options.port) as bound:
        base = socket_url(bound)
        async with run_dependencies(base, options) as settings, serve_app(make_application(settings, options), bound):
            freeze_heap()
            print(f"{base}/mcp", flush=True)
            await wait_for_stop_signal()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tools", type=int, default=2, help="number of tools")
    parser.add_argument("--all", action="store_true", help="the product's own tools, without those of the benchmark")
    parser.add_argument(
        "--usual-limits", action="store_true", help="with --inputs: apply the default limits per caller"
    )
    parser.add_argument("--log-level", default="warning", help="info: one line per request")
    parser.add_argument("--inputs", type=Path, help="directory made by scripts/bench, with keys, tools and URLs")
    parser.add_argument(
        "--upstream", default="http://127.0.0.1:42090", help="without --inputs: URL of the upstream stub"
    )
    parser.add_argument("--token-file", type=Path, help="without --inputs: file to write an access token to")
    options = parser.parse_args()
    logging_setup.configure(options.log_level)
    run_until_complete(main(options))
