"""Server card, AI catalog, domain verification and icons: valid, true, public, cacheable, and without secrets."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from doit_mcp.protocol.revisions import REVISIONS_BY_NAME, STATEFUL_REVISIONS
from doit_mcp.sandbox.server import run_sandbox
from doit_mcp.server.notification_hub import NotificationHub
from doit_mcp.settings import Settings
from doit_mcp.transports.http.main_app import make_main_app
from doit_mcp.transports.http.public_paths import PUBLIC_PATHS
from doit_mcp.transports.http.runner import bind, serve_app, socket_url
from tests.discovery_schemas import check
from tests.transports.http.serving import SECRET, Bench, NoApi, Session, Site
from tests.transports.http.test_landing_page import read

CARD, CATALOG = "/mcp/server-card", "/.well-known/ai-catalog.json"
CHALLENGE = "/.well-known/openai-apps-challenge"
ICONS = ("/icon.png", "/icon.svg")
LINKS = {
    "privacy_url": "https://example.com/privacy",
    "terms_url": "https://example.com/terms",
    "support_url": "https://example.com/support",
}
ANY_SITE = {"Origin": "https://any.example"}


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Site]:
    """Run the application that users run."""
    with bind("127.0.0.1", 0) as bound:
        base = socket_url(bound)
        async with run_sandbox(resource_url=base, secret=SECRET, api=NoApi()) as sandbox:
            usual: dict[str, Any] = {
                "resource_url": base,
                "auth_server_url": sandbox.url,
                "doit_api_base": sandbox.url,
                "exchange_secret": SECRET,
                "drain_s": 2,
            }
            app = make_main_app(replace(Settings(), **usual, **settings))
            async with aiohttp.ClientSession() as http, serve_app(app, bound):
                yield Site(base, sandbox, http, Bench(), NotificationHub())


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running() as started:
        yield started


async def fetch(site: Site, path: str) -> Any:
    answer = await site.send("GET", path, {})
    assert answer.status == 200
    return json.loads(answer.text)


async def test_card_is_valid_and_agrees_with_the_running_server(site: Site) -> None:
    card = await fetch(site, CARD)
    check("server-card", card)
    session = await site.initialize("2025-11-25")
    info = session.welcome["serverInfo"]
    assert card["name"] == f"com.doit/{info.pop('name')}"
    assert {name: card[name] for name in info} == info
    http, sse = card["remotes"]
    assert (http["type"], http["url"]) == ("streamable-http", f"{site.base}/mcp")
    assert (sse["type"], sse["url"]) == ("sse", f"{site.base}/sse")
    assert http["supportedProtocolVersions"] == [*REVISIONS_BY_NAME]
    assert sse["supportedProtocolVersions"] == [*STATEFUL_REVISIONS]
    for revision in STATEFUL_REVISIONS:
        await site.initialize(revision)
    assert "_meta" not in card


@pytest.mark.parametrize("path", ["/mcp/server-card/", "/MCP/Server-Card", "//mcp//server-card"])
async def test_card_is_found_in_any_spelling_of_its_path(site: Site, path: str) -> None:
    answer = await site.send("GET", path, ANY_SITE)
    assert answer.status == 200 and json.loads(answer.text)["remotes"][0]["url"] == f"{site.base}/mcp"


async def test_catalog_names_the_card(site: Site) -> None:
    catalog = await fetch(site, CATALOG)
    check("ai-catalog", catalog)
    (entry,) = catalog["entries"]
    card = await site.send("GET", entry["url"].removeprefix(site.base), {})
    assert card.headers["Content-Type"] == entry["type"] == "application/mcp-server-card+json"
    name = json.loads(card.text)["name"].rpartition("/")[2]
    assert entry["identifier"] == f"urn:air:doit.com:mcp:{name}"


async def test_policies_and_support_are_in_the_documents_and_on_the_page() -> None:
    async with running(**LINKS) as site:
        card, catalog = await fetch(site, CARD), await fetch(site, CATALOG)
        page = read((await site.send("GET", "/", {})).text.encode())
    check("server-card", card)
    check("ai-catalog", catalog)
    privacy, terms, support = LINKS.values()
    assert card["_meta"] == {"com.doit/links": {"privacyPolicy": privacy, "termsOfService": terms, "support": support}}
    assert [*catalog["entries"][0]["extensions"].values()] == [
        {"privacyPolicyUrl": privacy, "termsOfServiceUrl": terms}
    ]
    assert set(LINKS.values()) <= set(page.links)


async def test_page_has_no_links_that_are_not_set(site: Site) -> None:
    page = read((await site.send("GET", "/", {})).text.encode())
    assert all(page.links) and "Privacy policy" not in page.text


async def test_challenge_is_served_as_plain_text_only_if_set(site: Site) -> None:
    assert (await site.send("GET", CHALLENGE, {})).status == 404
    async with running(openai_challenge="verify-me_123") as verified:
        answer = await verified.send("GET", CHALLENGE, {})
    assert (answer.status, answer.text) == (200, "verify-me_123")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", [CARD, CATALOG, CHALLENGE, *ICONS])
async def test_any_site_may_read_and_cache_the_document(path: str) -> None:
    async with running(openai_challenge="token") as site:
        got = await site.http.get(site.base + path, headers=ANY_SITE)
        body = await got.read()
        assert (
            got.status == 200 and got.headers["Access-Control-Allow-Origin"] == "*" and "Cache-Control" in got.headers
        )
        head = await site.send("HEAD", path, ANY_SITE)
        assert (head.status, head.text) == (200, "") and head.headers["ETag"] == got.headers["ETag"]
        assert head.headers["Content-Type"] == got.headers["Content-Type"]
        again = await site.send("GET", path, ANY_SITE | {"If-None-Match": got.headers["ETag"]})
        assert (again.status, again.text) == (304, "")
        preflight = await site.send("OPTIONS", path, ANY_SITE | {"Access-Control-Request-Method": "GET"})
        assert preflight.headers["Access-Control-Allow-Origin"] == "*"
        assert "GET" in preflight.headers["Access-Control-Allow-Methods"]
        assert len(body) < 2_000 and SECRET.encode() not in body and site.world.url.encode() not in body
        posted = await site.send("POST", path, ANY_SITE)
        assert posted.status == 405


async def test_other_paths_stay_closed_to_other_sites(site: Site) -> None:
    assert {CARD, *ICONS} == PUBLIC_PATHS
    for path in ("/", "/mcp", "/mcp/server-card/x", "/mcp/readonly"):
        assert (await site.send("GET", path, ANY_SITE)).status == 403


async def test_icons_are_what_the_server_says(site: Site) -> None:
    icons = (await fetch(site, CARD))["icons"]
    assert [urlsplit(icon["src"]).path for icon in icons] == [*ICONS]
    for icon in icons:
        response = await site.http.get(icon["src"])
        body = await response.read()
        assert response.content_type == icon["mimeType"]
        if icon["mimeType"] == "image/png":
            assert icon["sizes"] == ["{}x{}".format(*struct.unpack(">II", body[16:24]))]
        else:
            assert body.startswith(b"<svg") and b"script" not in body and b"href" not in body


async def test_icons_reach_only_clients_that_know_them(site: Site) -> None:
    def icons_of(session: Session) -> Any:
        return session.welcome["serverInfo"].get("icons")

    old, new = await site.initialize("2025-06-18"), await site.initialize("2025-11-25")
    assert icons_of(old) is None and len(icons_of(new)) == 2
    discovered = (await site.send_stateless("server/discover")).result["_meta"]
    assert len(discovered["io.modelcontextprotocol/serverInfo"]["icons"]) == 2
    # Every later result repeats only the name and the version.
    listed = (await site.send_stateless("tools/list")).result
    assert set(listed["_meta"]["io.modelcontextprotocol/serverInfo"]) == {"name", "version"}
    assert not any("icons" in tool for tool in listed["tools"])
