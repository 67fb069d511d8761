"""Every page that the server and the sandbox show: axe finds no problem, and nothing is wider than the window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doit_mcp.sandbox.accounts import USERS
from tests.e2e.launch import Sandbox
from tests.e2e.node_packages import NODE, environment, find_browser, run
from tests.e2e.test_consent import waiting

ARTIFACTS = NODE.parent / "artifacts"
WIDTHS = [320, 375, 1280]
ADMIN, VIEWER, _, EMPLOYEE, *_others = USERS
# What the browser logs about the status of the page itself.
STATUS_MESSAGE = "Failed to load resource"


async def problems(home: Path, pages: list[dict[str, Any]]) -> list[str]:
    """Return what is wrong with *pages* at any width, in light or dark."""
    browser = find_browser()
    ARTIFACTS.mkdir(exist_ok=True)
    order = {"browser": browser, "shots": str(ARTIFACTS), "widths": WIDTHS, "pages": pages}
    done = await run(["node", str(NODE / "axe.mjs"), json.dumps(order)], env=environment(home), limit=110)
    assert done.status == 0, str(done)
    report = json.loads(done.out)
    assert len(report) == len(pages) * len(WIDTHS) * 2
    found = []
    for look in report:
        messages = [line for line in look["console"] if STATUS_MESSAGE not in line]
        wrong = [*look["violations"], *messages, *(f"wider than the window: {each}" for each in look["overflow"])]
        found += [f"{look['name']} {look['width']} {look['scheme']}: {each}" for each in wrong]
    return found


async def test_connect_page(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    assert await problems(tmp_path, [{"name": "connect", "url": f"{sandbox_asking.base}/"}]) == []


async def test_error_pages(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    pages = [
        {"name": "endpoint", "url": sandbox_asking.mcp},
        {"name": "missing", "url": f"{sandbox_asking.base}/no/such/page"},
        {"name": "check", "url": f"{sandbox_asking.base}/check"},
    ]
    assert await problems(tmp_path, pages) == []


async def test_try_page(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    called = [{"press": "Call", "exact": True}, {"expect": "tokens,"}]
    pages = [
        {"name": "try", "url": f"{sandbox_asking.base}/try#cost_breakdown", "steps": called},
        {
            "name": "try-json",
            "url": f"{sandbox_asking.base}/try#run_query",
            "steps": [*called, {"press": "JSON", "exact": True}],
        },
    ]
    assert await problems(tmp_path, pages) == []


async def test_dashboard(sandbox: Sandbox, node: Path, tmp_path: Path) -> None:
    called = [{"press": "Call", "exact": True}, {"expect": "tokens,"}]
    call = {"name": "call", "url": f"{sandbox.base}/try#cost_breakdown", "steps": called}
    page = {"name": "dashboard", "url": f"{sandbox.services}/", "steps": [{"expect": "Live"}, {"expect": ADMIN.email}]}
    assert await problems(tmp_path, [call, page]) == []


@pytest.mark.parametrize("user", [ADMIN, VIEWER, EMPLOYEE], ids=lambda user: user.email)
async def test_sign_in_and_consent_pages(sandbox_asking: Sandbox, node: Path, tmp_path: Path, user: Any) -> None:
    async with waiting(sandbox_asking) as client:
        url = client.request(sandbox_asking)
        signed_in = [{"press": user.name}, {"expect": "Allow access?"}]
        pages = [{"name": f"consent-{user.password}", "url": url, "steps": signed_in}]
        if user is ADMIN:
            pages.append(
                {"name": "sign-in", "url": url, "steps": [{"expect": "Sample users: choose one, no password needed"}]}
            )
        assert await problems(tmp_path, pages) == []


async def test_sign_in_error_pages(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> None:
    async with waiting(sandbox_asking) as client:
        address = f"{sandbox_asking.services}/sign-in/oauth?client_id="
        pages = [
            {"name": "unknown-client", "url": f"{address}nobody"},
            {"name": "unknown-redirect", "url": f"{address}{client.id}&redirect_uri=https://elsewhere.example/"},
            {"name": "expired", "url": f"{sandbox_asking.services}/sign-in/consent"},
        ]
        assert await problems(tmp_path, pages) == []
