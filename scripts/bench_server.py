"""The product's application with the two tools that the benchmark calls, and an identity provider to make a token.

echo answers with its argument; fetch_report makes one GET to the upstream stub, the whole way that a DoiT operation
goes: the caller's token is exchanged, the product's client sends, the answer is read, checked and cut.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from doit_mcp import __version__, log  # noqa: E402  # the project need not be installed
from doit_mcp.catalogue.call import Call  # noqa: E402
from doit_mcp.catalogue.selection import Selection  # noqa: E402
from doit_mcp.catalogue.tools import Content, Tool  # noqa: E402
from doit_mcp.cli import run  # noqa: E402
from doit_mcp.doit.operation import Area, get, operation_of  # noqa: E402
from doit_mcp.protocol.jsonrpc import JsonObject  # noqa: E402
from doit_mcp.sandbox.people import USERS  # noqa: E402
from doit_mcp.sandbox.world import world  # noqa: E402
from doit_mcp.server.context import Offer  # noqa: E402
from doit_mcp.settings import Settings  # noqa: E402
from doit_mcp.web.app import build  # noqa: E402
from doit_mcp.web.serve import address, bind, running, stopped  # noqa: E402

SECRET = "a benchmark keeps no secrets, but needs one"


class Stub(Area):
    """What the upstream stub offers."""

    @get("/small")
    async def fetch_report(self, *, id: str) -> JsonObject:
        """Fetch a report."""
        ...


class NoApi:
    """The world's API: there is none, the stub is."""

    def register(self, app: web.Application, lookup: object) -> None:
        """Nothing to add."""


FETCH = operation_of(Stub.fetch_report)


async def echo(call: Call, arguments: JsonObject) -> Content:
    """The argument as text."""
    return Content([{"type": "text", "text": arguments["text"]}])


async def fetch_report(call: Call, arguments: JsonObject) -> JsonObject:
    """One GET upstream."""
    answer: JsonObject = await call.doit.auth.sender.send(FETCH, arguments)
    return answer


def text_schema(name: str) -> JsonObject:
    """An object with one text."""
    return {
        "type": "object",
        "properties": {name: {"type": "string"}},
        "required": [name],
        "additionalProperties": False,
    }


def tools(count: int) -> tuple[Tool, ...]:
    """The two tools, and as many more as make *count* of them."""
    made = [
        Tool("echo", "Echo", "Answers with its argument", text_schema("text"), echo),
        Tool("fetch_report", "Fetch", "Fetches a report", text_schema("id"), fetch_report, {"type": "object"}),
    ]
    more = range(len(made), count)
    return (*made, *(replace(made[0], name=f"echo_{number}", title=f"Echo {number}") for number in more))


async def main(port: int, upstream: str, count: int, token_file: Path | None) -> None:
    """Serve until told to stop."""
    with bind("127.0.0.1", port) as bound:
        base = address(bound)
        offer = Offer(tools=tools(count), server_info={"name": "doit-mcp-bench", "version": __version__})

        def make_offer(selection: Selection, employee: bool) -> Offer:
            return offer

        async with world(resource_url=base, secret=SECRET, api=NoApi()) as stand_in:
            settings = replace(
                Settings(),
                resource_url=base,
                auth_server_url=stand_in.url,
                doit_api_base=upstream,
                exchange_secret=SECRET,
                calls_per_principal=10_000,
                calls_total=10_000,
                sessions_per_principal=100_000,
                sessions_total=100_000,
                streams_per_principal=100_000,
            )
            async with running(build(settings, make_offer), bound):
                token = stand_in.identity.mint(USERS[0], resource=f"{base}/mcp", ttl=86_400)
                if token_file is not None:
                    token_file.write_text(token)
                print(f"{base}/mcp", flush=True)
                await stopped()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--upstream", default="http://127.0.0.1:42090")
    parser.add_argument("--tools", type=int, default=2)
    parser.add_argument("--token-file", type=Path)
    options = parser.parse_args()
    log.configure("warning")
    run(main(options.port, options.upstream, options.tools, options.token_file))
