"""The page /try of the sandbox in a real browser: each default tool answers with its example, and shows its picture."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from doit_mcp.catalog.toolsets import Selection
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.server.catalog import catalog_factory
from scripts.token_counts import make_tokenizer
from tests.e2e.launch import Sandbox
from tests.e2e.node_packages import environment, find_browser, run, unavailable

VIEWER = USERS[1]
DEFAULT_TOOLS = [tool.name for tool in catalog_factory()(Selection(), False).tools]


@pytest.fixture
async def seen(sandbox_asking: Sandbox, node: Path, tmp_path: Path) -> dict[str, Any]:
    """What a browser saw on the page; see node/try.mjs."""
    browser = find_browser()
    order = {
        "browser": browser,
        "url": f"{sandbox_asking.base}/try",
        "tools": DEFAULT_TOOLS,
        "viewer": VIEWER.email,
    }
    done = await run(["node", str(node / "try.mjs"), json.dumps(order)], env=environment(tmp_path), limit=110)
    assert done.status == 0, str(done)
    report: dict[str, Any] = json.loads(done.out)
    return report


async def test_in_a_browser(sandbox_asking: Sandbox, seen: dict[str, Any]) -> None:
    assert (seen["console"], seen["violations"]) == ([], [])
    assert set(seen["hosts"]) == {urlsplit(sandbox_asking.base).netloc}, "the page asked another server"

    assert seen["groups"][0] == "Start here" and "Budgets" in seen["groups"]
    assert "List budget suggestions" in seen["search"]["titles"] and " of " in seen["search"]["count"]
    assert seen["nothing"]["titles"] == []

    assert [answer["tool"] for answer in seen["answers"]] == DEFAULT_TOOLS
    count = make_tokenizer()
    for answer in seen["answers"]:
        assert answer["state"].startswith("about "), answer
        assert isinstance(json.loads(answer["json"]), dict)
        shown = int(answer["state"].split()[1].replace(",", ""))
        exact = count(answer["text"])
        assert abs(shown - exact) <= max(12, 0.2 * exact), (answer["tool"], shown, exact)

    picture = seen["picture"]
    assert "Amazon Elastic Compute Cloud" in picture["shown"] and "$" in picture["shown"]
    assert "Back to" in picture["selected"]
    assert picture["file"].endswith(".csv") and picture["origin"] == "null" and picture["height"] >= 0
    assert seen["textOnly"] == ["Text", "JSON"]

    assert len(seen["invalid"]) == 1 and "not valid JSON" in seen["invalid"][0]
    assert seen["refused"]["state"].startswith("Error"), "the viewer has no access to invoices"

    check_curl(seen["curl"])


def check_curl(command: str) -> None:
    """Run the copied command, whose argument has a quote."""
    program, *arguments = shlex.split(command.replace("\\\n", " "))
    if shutil.which(program) is None:
        unavailable("curl is not installed: the command cannot run")
    done = subprocess.run([program, *arguments], capture_output=True, timeout=60, check=True)
    assert "it's" in json.loads(done.stdout)["result"]["content"][0]["text"]
