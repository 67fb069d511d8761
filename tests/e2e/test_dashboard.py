"""The sandbox's dashboard in a real browser: calls appear as they happen, as text only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from doit_mcp.sandbox.accounts import USERS
from tests.e2e.launch import Sandbox, running_sandbox
from tests.e2e.node_packages import NODE, environment, find_browser, run
from tests.e2e.test_consent import act, waiting

ARTIFACTS = NODE.parent / "artifacts"
ADMIN, VIEWER, *_ = USERS
HOSTILE = "<img src=x onerror=document.title='owned'>"


@pytest.fixture
def sandbox_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in which no other test makes calls."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox-alone")) as running:
        yield running


@pytest.fixture
async def tokens(sandbox_alone: Sandbox, node: Path, tmp_path: Path) -> dict[str, Any]:
    """The tokens of a user's sign-in that also made an MCP call, for an application with a hostile name."""
    async with waiting(sandbox_alone, f"Cost Companion {HOSTILE}") as client:
        steps = [{"press": ADMIN.name}, {"press": "Allow access"}, {"reach": client.callback}]
        await act(tmp_path, client.request(sandbox_alone), steps)
        (returned,) = client.returned
        form = client.token_form(returned["code"])
        async with aiohttp.ClientSession() as http:
            async with http.post(f"{sandbox_alone.services}/api/auth/token", data=form) as answer:
                state_body: dict[str, Any] = await answer.json()
            params = {"name": "list_budgets", "arguments": {}}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            headers = {"Authorization": f"Bearer {state_body['access_token']}", "Accept": "application/json"}
            async with http.post(sandbox_alone.mcp, json=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
        return {**state_body, "code": returned["code"]}


@pytest.fixture
async def page_report(sandbox_alone: Sandbox, node: Path, tmp_path: Path, tokens: dict[str, Any]) -> dict[str, Any]:
    """What a browser saw on the page while calls were made; see node/watch.mjs."""
    browser = find_browser()
    ARTIFACTS.mkdir(exist_ok=True)
    services = sandbox_alone.services
    calls = [
        {"url": f"{services}/analytics/v1/budgets?maxResults=7", "bearer": ADMIN.api_token},
        {"url": f"{services}/billing/v1/invoices", "bearer": VIEWER.api_token},
        {"url": f"{services}/nothing/{HOSTILE}", "bearer": "a-bearer-of-nobody"},
    ]
    order = {"browser": browser, "url": f"{services}/", "shots": str(ARTIFACTS), "calls": calls, "expect": "/nothing/"}
    done = await run(["node", str(node / "watch.mjs"), json.dumps(order)], env=environment(tmp_path), limit=90)
    assert done.status == 0, str(done)
    report: dict[str, Any] = json.loads(done.out)
    return report


async def test_in_a_browser(page_report: dict[str, Any], tokens: dict[str, Any]) -> None:
    assert (page_report["console"], page_report["violations"]) == ([], [])
    assert set(page_report["requests"]) == {"/", "/dashboard/events", "/sandbox/receiver"}

    assert not [row for row in page_report["before"] if "/nothing/" in row]
    assert [
        row for row in page_report["before"] if "/api/auth/token" in row and "signed in" in row and ADMIN.email in row
    ]
    assert [row for row in page_report["before"] if "/sign-in/consent" in row and ADMIN.email in row]
    lost, refused, listed = page_report["after"][:3]
    assert HOSTILE in lost and "404" in lost
    assert VIEWER.email in refused and "Acme Rockets" in refused and "403" in refused
    assert "/analytics/v1/budgets" in listed and "maxResults=7" in listed and ADMIN.email in listed and "200" in listed

    assert len(page_report["filtered"]) == 1 and VIEWER.email in page_report["filtered"][0]
    assert page_report["nothing"] == "No calls match the filter."
    assert len(page_report["byToken"]) == 1 and "maxResults=7" in page_report["byToken"][0]
    before, during, after = page_report["paused"]
    assert (during, after) == (before, before + 3)
    assert page_report["rows"] == 200

    for look in page_report["looks"]:
        assert look["overflow"] <= 0 and look["sideways"] <= 0, "a horizontal scroll bar"
    assert len(page_report["looks"]) == 4

    assert f"Cost Companion {HOSTILE}" in page_report["text"] and ADMIN.password in page_report["text"]
    assert page_report["copied"] == ADMIN.api_token
    assert not page_report["collapsed"] and [row for row in page_report["expanded"] if "/analytics/v1/budgets" in row]
    assert not [row for row in page_report["expanded"] if "mcpTool" in row]
    secrets = [tokens[name] for name in ("code", "access_token", "refresh_token")]
    assert not [secret for secret in (*secrets, "a-bearer-of-nobody") if secret in page_report["html"]]
