"""The server under test of the official conformance suite: the product's application with the suite's own records.

Nothing of the product is replaced; the registries get what the suite looks for, and everybody may come in, because the
suite cannot sign in. With --authorization the product's own authentication stays, with the sandbox's identity provider.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from doit_mcp import __version__
from doit_mcp.api import Doit
from doit_mcp.api.client import Client
from doit_mcp.api.http import connect
from doit_mcp.auth.principal import Principal
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.tools.tool import Content, Tool
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.observability import logging_setup
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.sandbox.server import world
from doit_mcp.server.notification_hub import PROMPTS, TOOLS, Change, Hub
from doit_mcp.server.request_context import Offer
from doit_mcp.settings import Settings
from doit_mcp.transports.http import app_keys
from doit_mcp.transports.http.app import build
from doit_mcp.transports.http.runner import address, bind, running, stopped
from scripts.conformance_fixture import asking, documents, plain, tasks
from scripts.conformance_fixture.making import JsonObject, text, tool

SECRET = "the conformance fixture has no secrets"
ANYBODY = Principal("anybody", "", False, "api", "", float("inf"))


class OpenDoor:
    """Lets everybody in, as the same caller."""

    def remembered(self, header: str) -> Principal | None:
        return ANYBODY

    async def authenticate(self, values: object, address: str = "") -> Principal:
        return ANYBODY


async def open_door(app: web.Application) -> AsyncIterator[None]:
    """No identity provider, and a DoiT API that nobody reaches: the fixture's tools do not ask it."""
    app[app_keys.AUTHENTICATOR] = OpenDoor()
    app[app_keys.READY] = lambda: True
    async with connect(app[app_keys.SETTINGS].doit_api_base) as upstream:

        async def no_credential(*, fresh: bool = False) -> str:
            return ""

        app[app_keys.CONNECTOR] = lambda *call: Doit.of(Client(upstream, no_credential))
        yield


def triggers(hub: Hub) -> tuple[Tool, ...]:
    """Tools that make the server say that a list has changed."""

    def trigger(method: str) -> Tool:
        kind = method.split("/")[1].removesuffix("s")

        async def run(call: Call, arguments: JsonObject) -> Content:
            hub.publish(Change(method))
            return text(f"Announced a change of the {kind} list.")

        return tool(f"test_trigger_{kind}_change", f"Announce a change of the {kind} list", run)

    return trigger(TOOLS), trigger(PROMPTS)


def fixture(hub: Hub) -> Offer:
    """Everything that the suite looks for."""
    return Offer(
        tools=(*plain.TOOLS, *asking.TOOLS, *triggers(hub), *tasks.TOOLS),
        server_info={"name": "doit-mcp-conformance", "version": __version__},
        prompts=documents.PROMPTS + asking.PROMPTS,
        resources=documents.RESOURCES,
        templates=documents.TEMPLATES,
        skills=documents.SKILLS,
        changing=True,
    )


async def main(port: int, authorization: bool) -> None:
    """Serve until told to stop; the first line of output is the endpoint's URL, with a token where one is needed."""
    with bind("127.0.0.1", port) as bound:
        base = address(bound)
        hub = Hub()
        offer = fixture(hub)

        def make_offer(selection: Selection, employee: bool) -> Offer:
            return offer

        async with world(resource_url=base, secret=SECRET) as stand_in:
            settings = replace(
                Settings(),
                resource_url=base,
                auth_server_url=stand_in.url,
                doit_api_base=stand_in.url,
                exchange_secret=SECRET,
                allowed_hosts=(f"localhost:{bound.getsockname()[1]}",),
                streams_per_principal=100,
            )
            app = build(settings, make_offer, None if authorization else open_door, hub)
            async with running(app, bound):
                token = stand_in.identity.mint(USERS[0], resource=f"{base}/mcp") if authorization else ""
                print(f"{base}/mcp {token}".rstrip(), flush=True)
                await stopped()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="0 for any that is free (default: %(default)s)")
    parser.add_argument("--authorization", action="store_true", help="let in only who has a token")
    options = parser.parse_args()
    logging_setup.configure("warning")
    asyncio.run(main(options.port, options.authorization))
