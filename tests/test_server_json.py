"""``server.json``, the entry in the MCP Registry: valid, and the same server as the one that ``serve`` runs."""

from __future__ import annotations

import json
from pathlib import Path

import doit_mcp
from doit_mcp.settings import Settings
from doit_mcp.transports.http.server_card import server_card
from tests.discovery_schemas import check

ENTRY = json.loads((Path(__file__).parent.parent / "server.json").read_text("utf-8"))


def test_entry_is_valid() -> None:
    check("server", ENTRY)


def test_entry_has_the_version_and_the_urls_of_the_package() -> None:
    assert ENTRY["version"] == doit_mcp.__version__
    assert [remote["url"] for remote in ENTRY["remotes"]] == [
        f"{Settings().resource_url}/mcp",
        f"{Settings().resource_url}/sse",
    ]


def test_entry_agrees_with_the_server_card() -> None:
    card = server_card(Settings())
    for remote in card["remotes"]:
        # Only server cards have it.
        del remote["supportedProtocolVersions"]
    del card["$schema"]
    assert {name: value for name, value in ENTRY.items() if name != "$schema"} == card
