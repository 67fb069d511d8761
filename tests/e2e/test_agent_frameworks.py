"""Agent frameworks that install quickly, and their examples, run against the sandbox. scripts/clients runs all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.client_matrix.packages import install
from scripts.client_matrix.registry import CLIENTS, Client
from scripts.client_matrix.running import applies, run_client
from tests.e2e.launch import ROOT
from tests.e2e.node_packages import NotInstalled, unavailable

QUICK = ("LangChain", "Pydantic AI", "OpenAI Agents SDK", "Vercel AI SDK")
# All but those that start the framework once more.
CHECKS = ("list", "reads", "write", "error", "example", "restart")


# Installing the packages can take minutes on a busy machine.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", QUICK)
async def test_framework(tmp_path: Path, name: str) -> None:
    client = one(name)
    try:
        home = install(client)
    except NotInstalled as error:
        unavailable(str(error))
    row = await run_client(client, home, tmp_path, CHECKS)
    assert row.failures == {}
    assert set(row.cells) == {check for check in CHECKS if applies(check, client)}
    assert row.revision in ("2025-11-25", "2026-07-28")


def one(name: str) -> Client:
    """Return the client of this name, of which there is one version."""
    (client,) = (client for client in CLIENTS if client.name == name)
    return client


def test_every_example_is_on_the_page_and_in_the_matrix() -> None:
    examples = {path.name for path in (ROOT / "examples" / "agents").iterdir() if path.suffix in (".py", ".mjs")}
    page = (ROOT / "docs" / "clients" / "agent-frameworks.rst").read_text("utf-8")
    assert examples == set(re.findall(r"literalinclude:: \.\./\.\./examples/agents/(\S+)", page))
    assert examples == {client.example for client in CLIENTS if client.example}


def test_the_page_names_the_versions_in_the_matrix() -> None:
    page = (ROOT / "docs" / "clients" / "agent-frameworks.rst").read_text("utf-8")
    named = re.findall(r"^   \* - (.+)\n     - (.+)$", page, re.MULTILINE)[1:]
    versions: dict[str, list[str]] = {}
    for client in CLIENTS:
        versions.setdefault(client.name, []).append(client.version)
    assert dict(named) == {name: ", ".join(of) for name, of in versions.items()}
