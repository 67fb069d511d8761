"""The landing page in a real browser: it works, loads nothing else, and is accessible."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from doit_mcp.transports.http.landing_page import EXAMPLE_QUESTIONS, render_page
from tests.e2e.node_packages import NODE, environment, find_browser, run

ARTIFACTS = NODE.parent / "artifacts"
RESOURCE = "https://mcp.example.com"
TOOLS = [
    ("Cloud overview", "Give a first picture: cost by cloud, top services and recent anomalies. Start here."),
    ("Cost breakdown", "Show what a period cost, split by service, project or any label."),
    ("Compare spend", "Say what changed between two periods, the largest movers first."),
    ("List budgets", "List spending budgets with their amounts and use so far."),
    ("Search", "Find reports, anomalies, budgets, invoices and tickets by words."),
    ("Create ticket", "Open a support ticket with DoiT."),
]
TOOLSETS = ["core", "all", "budgets", "anomalies", "commitments", "invoices", "tickets"]


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Serve the rendered page on loopback with its own headers."""
    body, headers = render_page(RESOURCE, "https://console.example.com", TOOLS, TOOLSETS)

    async def page(request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


@pytest.fixture
async def visit(node: Path, tmp_path: Path) -> dict[str, Any]:
    """What a browser saw on the page; see node/page.mjs."""
    browser = find_browser()
    ARTIFACTS.mkdir(exist_ok=True)
    async with served() as url:
        order = json.dumps({"browser": browser, "url": url, "shots": str(ARTIFACTS)})
        done = await run(["node", str(node / "page.mjs"), order], env=environment(tmp_path), limit=90)
    assert done.status == 0, str(done)
    report: dict[str, Any] = json.loads(done.out)
    assert set(report["requests"]) == {url}, "the page asked for something besides itself"
    return report


async def test_in_a_browser(visit: dict[str, Any]) -> None:
    assert visit["console"] == []
    assert visit["violations"] == []

    looks = {(look["size"], look["scheme"]): look for look in visit["looks"]}
    assert set(looks) == {(size, scheme) for size in ("desktop", "mobile") for scheme in ("light", "dark")}
    for look in looks.values():
        assert look["faint"] == [], "text with less than AA contrast"
        assert look["overflow"] == 0, "a horizontal scroll bar"
    assert looks["desktop", "light"]["background"] != looks["desktop", "dark"]["background"]

    assert [copy["clipboard"] for copy in visit["copies"]] == [copy["shown"] for copy in visit["copies"]]
    copied = {copy["clipboard"] for copy in visit["copies"]}
    assert {f"{RESOURCE}/mcp", f"{RESOURCE}/mcp/readonly", *EXAMPLE_QUESTIONS} <= copied
    assert all(copy["said"] == "Copied to the clipboard" for copy in visit["copies"])
    assert all(copy["name"].startswith("Copied ") for copy in visit["copies"]), "a button without a name"
    assert visit["older"] == f"{RESOURCE}/mcp"

    assert visit["focus"][0] == "A Skip to the content" and visit["skip"]
    assert "BUTTON Copy the server URL" in visit["focus"]
    assert "SUMMARY ChatGPTPlugins page" in visit["focus"]
    assert visit["open"] == ["Claude"], "Enter opens one client and closes the other"
