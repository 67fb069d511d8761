"""Static pages over HTTP: compression, revalidation, and what only the sandbox shows."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from doit_mcp.catalog.views.document import view_html, view_script, view_style
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.settings import Settings
from doit_mcp.transports.http.main_app import make_main_app
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from doit_mcp.transports.http.sandbox_info import SampleAccount, SandboxInfo
from tests.transports.http.test_landing_page import policy, read

ADMIN = USERS[0]
SANDBOX = SandboxInfo(
    [SampleAccount(ADMIN.email, ADMIN.password, ADMIN.api_token, "Everything </script><b>")],
    "http://127.0.0.1:8081/",
    {"list_budgets": {"name": "</script><b>"}},
)


@dataclass
class Server:
    """The running application."""

    base: str
    http: aiohttp.ClientSession

    def get(self, path: str, **headers: str) -> aiohttp.client._RequestContextManager:
        sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(self.base + path, headers=sent)


@asynccontextmanager
async def running(sandbox: SandboxInfo | None) -> AsyncIterator[Server]:
    # Nothing answers on this port: the pages need no other service.
    with bind("127.0.0.1", 0) as bound:
        base = socket_url(bound)
        settings = Settings(
            resource_url=base,
            auth_server_url="http://127.0.0.1:1",
            doit_api_base="http://127.0.0.1:1",
            exchange_secret="a-secret-of-the-exchange-with-enough-bytes",
            drain_s=0,
        )
        async with aiohttp.ClientSession(auto_decompress=False) as http:
            async with serve_app(make_main_app(settings, sandbox=sandbox), bound):
                yield Server(base, http)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running(None) as started:
        yield started


@pytest.fixture
async def sandbox_server() -> AsyncIterator[Server]:
    async with running(SANDBOX) as started:
        yield started


async def test_page_is_compressed_for_clients_that_accept_gzip(server: Server) -> None:
    async with server.get("/") as plain, server.get("/", Accept_Encoding="br, gzip") as compressed:
        body, packed = await plain.read(), await compressed.read()
    assert "Content-Encoding" not in plain.headers and compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == body and len(packed) < len(body) / 3
    assert plain.headers["Vary"] == compressed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != compressed.headers["ETag"]


@pytest.mark.parametrize("accept", ["gzip;q=0", "identity", "br", "*;q=0, identity"])
async def test_page_is_not_compressed_for_other_clients(server: Server, accept: str) -> None:
    async with server.get("/", Accept_Encoding=accept) as response:
        assert "Content-Encoding" not in response.headers and (await response.read()).startswith(b"<!doctype html>")


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_unchanged_page_is_not_sent_again(server: Server, encoding: str) -> None:
    async with server.get("/", Accept_Encoding=encoding) as first:
        tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        async with server.get("/", Accept_Encoding=encoding, If_None_Match=known) as again:
            assert (again.status, await again.read()) == (304, b"")
            assert again.headers["ETag"] == tag and "Cache-Control" in again.headers
    async with server.get("/", Accept_Encoding=encoding, If_None_Match='"other"') as changed:
        assert changed.status == 200


async def test_origin_and_encoding_both_vary(server: Server) -> None:
    async with server.get("/", Origin=server.base) as response:
        assert response.headers["Vary"] == "Accept-Encoding, Origin"


async def test_icon(server: Server) -> None:
    async with server.get("/favicon.ico") as response:
        assert (response.status, response.content_type) == (200, "image/svg+xml")
        assert (await response.read()).startswith(b"<svg")


async def test_production_has_no_try_page_and_no_sandbox_users(server: Server) -> None:
    async with server.get("/try") as missing, server.get("/") as page:
        assert missing.status == 404
        text = await page.text()
    assert ADMIN.email not in text and "$DOIT_API_KEY" in text and "/try" not in text


async def test_sandbox_page_names_users_and_its_curl_has_a_token(sandbox_server: Server) -> None:
    async with sandbox_server.get("/") as response:
        page = read(await response.read())
    assert ADMIN.email in page.text and ADMIN.password in page.codes and ADMIN.api_token in page.codes
    (command,) = (code for code in page.codes if code.startswith("curl"))
    assert f"Bearer {ADMIN.api_token}" in command
    assert {f"{sandbox_server.base}/try", "http://127.0.0.1:8081/"} <= set(page.links)


async def test_try_page_is_inert_and_may_call_only_this_server(sandbox_server: Server) -> None:
    async with sandbox_server.get("/try") as response:
        page, allowed = read(await response.read()), policy(dict(response.headers))
    assert page.tags["script"] == 2 and page.tags["b"] == 0, "data cannot end the script element"
    assert not [name for name, _ in page.attributes if name in ("src", "srcset", "style") or name.startswith("on")]
    assert (allowed["connect-src"], allowed["default-src"]) == (["'self'"], ["'none'"])
    assert allowed["frame-src"] == ["'self'"]
    assert response.headers["Cache-Control"] == "no-cache"


async def test_the_view_of_the_try_page_has_no_origin_and_loads_nothing(sandbox_server: Server) -> None:
    async with sandbox_server.get("/try/view") as response:
        body, allowed = await response.text(), policy(dict(response.headers))
    assert body == view_html()
    assert allowed["sandbox"] == ["allow-scripts"] and allowed["frame-ancestors"] == ["'self'"]
    assert allowed["default-src"] == ["'none'"] and "connect-src" not in allowed and "frame-src" not in allowed
    for kind, inline in (("script-src", view_script()), ("style-src", view_style())):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert allowed[kind] == [f"'sha256-{digest}'"] and f">{inline}</" in body


async def test_only_the_sandbox_serves_the_view_as_a_page(server: Server) -> None:
    async with server.get("/try/view") as response:
        assert response.status == 404
