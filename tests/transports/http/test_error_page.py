"""Errors for browsers: a page with the status and the headers of the error. Other clients get the same JSON as ever."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.transports.http.serving import Site
from tests.transports.http.test_landing_page import policy, read

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
# They differ between two requests.
VARYING = {"date", "x-mcp-trace-id", "content-length"}


async def get(site: Site, path: str, accept: str, method: str = "GET") -> tuple[int, Mapping[str, str], bytes]:
    async with site.http.request(method, site.base + path, headers={"Accept": accept}) as response:
        return response.status, response.headers, await response.read()


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/mcp", "This address is for MCP clients"),
        ("/mcp/readonly", "This address is for MCP clients"),
        ("/mcp/x/all", "This address is for MCP clients"),
        ("/sse", "This address is for MCP clients"),
        ("/no/such/page", "This page does not exist"),
        ("/mcp/nonsense", "This page does not exist"),
        ("/sse/message", "This address is for MCP clients"),
    ],
)
async def test_browsers_get_a_page_with_the_same_status_and_headers(site: Site, path: str, title: str) -> None:
    status, headers, body = await get(site, path, "application/json")
    assert headers["Content-Type"].startswith("application/json") and status in (401, 404)
    page_status, page_headers, page_body = await get(site, path, BROWSER)
    page = read(page_body)
    assert page_status == status and page_headers["Content-Type"] == "text/html; charset=utf-8"
    kept = {name.lower() for name in headers} - VARYING - {"content-type"}
    assert {name: page_headers[name] for name in kept} == {name: headers[name] for name in kept}
    assert ("WWW-Authenticate" in page_headers) is (status == 401)
    url = path if status == 401 and path != "/sse/message" else "/mcp"
    assert title in page.text and f"{site.base}{url}" in page.codes and f"{site.base}/" in page.links
    assert page_headers["X-MCP-Trace-Id"] in page.codes, "the reference that the log has"
    assert page_headers["Vary"] == "Accept" and page_headers["Cache-Control"] == "no-store"
    assert policy(dict(page_headers))["script-src"] == ["'none'"] and page.tags["script"] == 0


@pytest.mark.parametrize(
    "accept",
    ["application/json, text/html", "text/event-stream, text/html", "*/*", "application/json, text/event-stream"],
)
@pytest.mark.parametrize("path", ["/mcp", "/no/such/page"])
async def test_other_clients_get_json(site: Site, path: str, accept: str) -> None:
    _, headers, body = await get(site, path, accept)
    assert headers["Content-Type"].startswith("application/json") and body.startswith(b"{")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/nothing"])
async def test_discovery_answers_in_json(site: Site, path: str) -> None:
    status, headers, _ = await get(site, path, BROWSER)
    assert status == 404 and headers["Content-Type"].startswith("application/json")


async def test_posts_answer_in_json(site: Site) -> None:
    status, headers, _ = await get(site, "/mcp", BROWSER, "POST")
    assert status == 401 and headers["Content-Type"].startswith("application/json")
