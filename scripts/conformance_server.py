"""Server for the official conformance suite: this server with the catalog that the suite expects.

Every request is accepted, because the suite cannot sign in. With --authorization the server authenticates requests as
in production, with the sandbox's identity provider.
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
from doit_mcp.api.http import open_upstream
from doit_mcp.auth.principal import Principal
from doit_mcp.catalog.call import Call
from doit_mcp.catalog.skills.collection import SKILLS
from doit_mcp.catalog.tools.tool import ContentResult, Tool
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.observability import logging_setup
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.sandbox.server import run_sandbox
from doit_mcp.server.notification_hub import PROMPTS_CHANGED, TOOLS_CHANGED, ChangeEvent, NotificationHub
from doit_mcp.server.request_context import Catalog
from doit_mcp.settings import Settings
from doit_mcp.transports.http import app_keys
from doit_mcp.transports.http.app import build_app
from doit_mcp.transports.http.runner import bind, serve_app, socket_url, wait_for_stop_signal
from scripts.conformance_fixture import client_requests, content, documents, tasks
from scripts.conformance_fixture.builders import JsonObject, make_tool, text_result

SECRET = "the conformance fixture has no secrets"
ANONYMOUS = Principal("anybody", "", False, "api", "", float("inf"))


class AllowAllAuthenticator:
    """Accepts every request, as the same caller."""

    def cached_principal(self, header: str) -> Principal | None:
        return ANONYMOUS

    async def authenticate(self, headers: object, address: str = "") -> Principal:
        return ANONYMOUS


async def without_authentication(app: web.Application) -> AsyncIterator[None]:
    """Set up the application without identity provider and DoiT API, which the fixture's tools do not use."""
    app[app_keys.AUTHENTICATOR] = AllowAllAuthenticator()
    app[app_keys.IS_READY] = lambda: True
    async with open_upstream(app[app_keys.SETTINGS].doit_api_base) as upstream:

        async def empty_credential(*, fresh: bool = False) -> str:
            return ""

        app[app_keys.API_FACTORY] = lambda *call: Doit.for_sender(Client(upstream, empty_credential))
        yield


def make_trigger_tools(hub: NotificationHub) -> tuple[Tool, ...]:
    """Tools that make the server send list change notifications."""

    def make_trigger(method: str) -> Tool:
        kind = method.split("/")[1].removesuffix("s")

        async def run(call: Call, arguments: JsonObject) -> ContentResult:
            hub.publish(ChangeEvent(method))
            return text_result(f"Announced a change of the {kind} list.")

        return make_tool(f"test_trigger_{kind}_change", f"Announce a change of the {kind} list", run)

    return make_trigger(TOOLS_CHANGED), make_trigger(PROMPTS_CHANGED)


def make_catalog(hub: NotificationHub) -> Catalog:
    """The catalog that the suite expects."""
    return Catalog(
        tools=(*content.TOOLS, *client_requests.TOOLS, *make_trigger_tools(hub), *tasks.TOOLS),
        server_info={"name": "doit-mcp-conformance", "version": __version__},
        prompts=documents.PROMPTS + client_requests.PROMPTS,
        resources=documents.RESOURCES,
        resource_templates=documents.TEMPLATES,
        # The product's own are checked too.
        skills=documents.SKILLS + SKILLS,
        can_change=True,
    )


async def main(port: int, authorization: bool) -> None:
    """Serve until stopped; the first line of output is the endpoint's URL, followed by a token if one is required."""
    with bind("127.0.0.1", port) as bound:
        base = socket_url(bound)
        hub = NotificationHub()
        catalog = make_catalog(hub)

        def make_client_catalog(selection: Selection, employee: bool) -> Catalog:
            return catalog

        async with run_sandbox(resource_url=base, secret=SECRET) as sandbox:
            settings = replace(
                Settings(),
                resource_url=base,
                auth_server_url=sandbox.url,
                doit_api_base=sandbox.url,
                exchange_secret=SECRET,
                allowed_hosts=(f"localhost:{bound.getsockname()[1]}",),
                streams_per_principal=100,
            )
            app = build_app(settings, make_client_catalog, None if authorization else without_authentication, hub)
            async with serve_app(app, bound):
                token = sandbox.identity.mint(USERS[0], resource=f"{base}/mcp") if authorization else ""
                print(f"{base}/mcp {token}".rstrip(), flush=True)
                await wait_for_stop_signal()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="port; 0 for any free one (default: %(default)s)")
    parser.add_argument("--authorization", action="store_true", help="require an access token")
    options = parser.parse_args()
    logging_setup.configure("warning")
    asyncio.run(main(options.port, options.authorization))
