"""The view in a host that is connected to the sandbox: the host signs in, and the view calls tools through it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from doit_mcp.catalog.views.document import VIEW_MIME_TYPE, view_html, view_uri
from doit_mcp.sandbox.accounts import USERS
from tests.browser.driver import NODE, Browser, Case, Json
from tests.e2e.launch import Sandbox, running_sandbox
from tests.e2e.node_packages import environment, find_browser, run
from tests.e2e.test_chatgpt import link_account

ADMIN, VIEWER = USERS[:2]
DRIVER = "Amazon Elastic Compute Cloud"
CALL: Json = {"call": {"name": "explain_cost_change", "arguments": {}}}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in which the Acme admin approves every sign-in."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--auto-approve", ADMIN.email) as running:
        yield running


async def sign_in(sandbox: Sandbox) -> str:
    """Return an access token, for which a client has registered and the user has agreed."""
    async with aiohttp.ClientSession() as http:
        return (await link_account(http, sandbox.mcp, dynamic=True)).access


async def test_select_and_save(browser: Browser, sandbox: Sandbox) -> None:
    live = {"url": sandbox.mcp, "token": await sign_in(sandbox)}
    steps: list[Json] = [
        {"read": "explain_cost_change"},
        CALL,
        {"expect": DRIVER},
        {"look": "shown"},
        {"press": DRIVER},
    ]
    steps += [{"expect": "Back to"}, {"look": "selected"}, {"press": "Full screen"}, {"press": "CSV"}]
    (seen,) = browser.show(Case("live", steps, live=live)).values()
    assert seen.faults == []
    assert (seen.view["uri"], seen.view["mimeType"], seen.view["text"]) == (view_uri(), VIEW_MIME_TYPE, view_html())
    (call,) = seen.requests("tools/call")
    assert call["name"] == "explain_cost_change" and call["arguments"]["filters"][0]["values"] == [DRIVER]
    shown, selected = (seen.looks[name]["tables"][0] for name in ("shown", "selected"))
    (of_driver,) = (row[-1] for row in shown if row[0].startswith(DRIVER))
    # The change of the whole picture is now that of the row that was selected.
    assert of_driver.lstrip("▲▼ ") in seen.looks["selected"]["text"] and selected != shown
    (saved,) = seen.requests("ui/download-file")
    assert saved["contents"][0]["resource"]["text"].count("\n") >= len(selected) - 1


async def test_the_page_to_try_tools_draws_the_picture(browser: Browser, sandbox: Sandbox, tmp_path: Path) -> None:
    page = sandbox.mcp.removesuffix("/mcp") + "/try#get_cloud_overview"
    script = ["node", str(NODE / "try_page.mjs"), find_browser(), page]
    finished = await run(script, env=environment(tmp_path), limit=60)
    assert finished.status == 0, finished
    shown = json.loads(finished.out)
    assert shown["console"] == []
    assert "USD" in shown["text"]
    assert any(hint.endswith(" Enter JSON.") for hint in shown["hints"])


def test_a_user_reads_which_permission_is_missing(browser: Browser, sandbox: Sandbox) -> None:
    live = {"url": sandbox.mcp, "token": sandbox.api_tokens[VIEWER.email]}
    steps: list[Json] = [{"call": {"name": "list_invoices", "arguments": {}}}, {"expect": "403"}, {"look": "shown"}]
    (seen,) = browser.show(Case("refused", steps, live=live)).values()
    assert seen.faults == []
    assert "lacks the permission" in seen.looks["shown"]["text"]
