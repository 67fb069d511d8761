"""The catalog made from settings, which the transports share."""

from __future__ import annotations

from pathlib import Path

import doit_mcp
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.settings import Settings
from doit_mcp.transports.catalog_wiring import catalog_from_settings

TRANSPORTS = Path(doit_mcp.__file__).parent / "transports"


def test_settings_reach_the_catalog() -> None:
    everything = Selection(frozenset({"all"}))
    usual = {tool.name for tool in catalog_from_settings(Settings())(everything, False).tools}
    with_secrets = {tool.name for tool in catalog_from_settings(Settings(offer_secrets=True))(everything, False).tools}
    assert usual < with_secrets and "create_service_account_token" in with_secrets - usual
    icons = [{"src": "https://mcp.doit.com/icon.svg"}]
    assert catalog_from_settings(Settings(), icons)(everything, False).server_info["icons"] == icons


def test_transports_make_catalogs_in_one_module() -> None:
    callers = {
        str(path.relative_to(TRANSPORTS))
        for path in TRANSPORTS.rglob("*.py")
        if "catalog_factory" in path.read_text("utf-8")
    }
    assert callers == {"catalog_wiring.py"}, (
        "use catalog_from_settings from doit_mcp/transports/catalog_wiring.py, so that every transport has all settings"
    )
