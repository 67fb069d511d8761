"""The Python SDK's client: OAuth, all of its modes, both HTTP transports, and stdio."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from tests.e2e.answers import ADMIN, ExpectedResults, check_listed, check_progress, check_results
from tests.e2e.launch import ROOT, Sandbox
from tests.e2e.sign_in import follow, parameters

REDIRECT = "http://127.0.0.1:33418/callback"


class Drawer:
    """The client's token storage, in memory."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider(url: str, drawer: Drawer) -> OAuthClientProvider:
    """Return the SDK's OAuth provider for the server at *url*, with sign_in.py as the browser."""
    returned: dict[str, str] = {}

    async def redirect(address: str) -> None:
        returned.update(parameters(await follow(address, REDIRECT)))

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=returned["code"], state=returned["state"], iss=returned["iss"])

    metadata = OAuthClientMetadata(
        client_name="Python end-to-end test",
        redirect_uris=[AnyUrl(REDIRECT)],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(url, metadata, drawer, redirect, callback)


@asynccontextmanager
async def streamable(url: str, mode: str, drawer: Drawer) -> AsyncIterator[Client]:
    """Yield a client connected over Streamable HTTP, which signs in on the way."""
    async with create_mcp_http_client(auth=provider(url, drawer)) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            yield client


async def use(client: Client, expected: ExpectedResults) -> None:
    """List and call tools, and compare the results with the expected ones."""
    listed = await client.list_tools()
    check_listed([tool.name for tool in listed.tools])
    steps: list[dict[str, Any]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append({"progress": done, "total": total, "message": message})

    results = {}
    for name, arguments in expected.calls.items():
        callback = progress if name == "refine_cloudflow" else None
        result = await client.call_tool(name, arguments, progress_callback=callback)
        results[name] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    check_results(results, expected)
    check_progress(steps)


@pytest.mark.parametrize(
    ("mode", "revision"), [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")]
)
async def test_streamable_http(sandbox: Sandbox, expected: ExpectedResults, mode: str, revision: str) -> None:
    drawer = Drawer()
    async with streamable(sandbox.mcp, mode, drawer) as client:
        await use(client, expected)
        assert client.protocol_version == revision
    assert drawer.tokens is not None and drawer.tokens.refresh_token
    assert drawer.client is not None and str(drawer.client.issuer or sandbox.services).rstrip("/") == sandbox.services


@pytest.mark.parametrize("target", ["/MCP", "/mcp/", "//mcp", "/Mcp/?toolsets=budgets"])
async def test_signs_in_at_another_spelling_of_the_url(sandbox: Sandbox, target: str) -> None:
    drawer = Drawer()
    async with streamable(sandbox.mcp.removesuffix("/mcp") + target, "auto", drawer) as client:
        assert len((await client.list_tools()).tools) > 1
    assert drawer.tokens is not None and drawer.tokens.refresh_token


async def test_signs_in_at_localhost(sandbox: Sandbox) -> None:
    """The SDK compares the resource in the metadata with its URL, and the sandbox announces 127.0.0.1."""
    drawer = Drawer()
    url = sandbox.mcp.replace("127.0.0.1", "localhost")
    async with streamable(url, "auto", drawer) as client:
        assert len((await client.list_tools()).tools) > 1
    assert drawer.tokens is not None and drawer.tokens.refresh_token


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sse(sandbox: Sandbox, expected: ExpectedResults, mode: str) -> None:
    drawer = Drawer()
    async with Client(sse_client(sandbox.sse, auth=provider(sandbox.sse, drawer)), mode=mode) as client:
        await use(client, expected)
        assert client.protocol_version == "2025-11-25"
    assert drawer.tokens is not None


async def test_second_connection_needs_no_second_sign_in(sandbox: Sandbox, expected: ExpectedResults) -> None:
    drawer = Drawer()
    async with streamable(sandbox.mcp, "auto", drawer):
        first = drawer.tokens
    async with streamable(sandbox.mcp, "legacy", drawer) as client:
        await use(client, expected)
    assert first is not None and drawer.tokens is first


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_stdio(sandbox: Sandbox, expected: ExpectedResults, mode: str) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "doit_mcp", "stdio"],
        cwd=ROOT,
        env={
            "DOIT_API_KEY": sandbox.api_tokens[ADMIN],
            "DOIT_API_BASE": sandbox.services,
            "AUTH_SERVER_URL": sandbox.services,
        },
    )
    async with Client(server, mode=mode) as client:
        await use(client, expected)
