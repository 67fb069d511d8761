"""Writes the skills with this server as plugins for Claude Code and Codex: one folder for each, with a marketplace.

A marketplace is a folder that a client installs plugins from. Each plugin has a manifest, the skills, and the URL of the
server; users sign in when they first use it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from doit_mcp import __version__
from doit_mcp.catalog.skills.collection import SKILLS
from doit_mcp.protocol.jsonrpc import JsonObject
from doit_mcp.server.catalog import SERVER_INFO
from doit_mcp.settings import Settings
from doit_mcp.settings.errors import BadSettings

ROOT = Path(__file__).resolve().parent.parent
PLUGIN, MARKETPLACE, PUBLISHER = "doit", "doit", "DoiT"
DESCRIPTION = "Cloud costs, budgets, anomalies, savings and commitments in DoiT, with the methods to review them."
CLAUDE_FOLDER = Path("claude") / PLUGIN
CODEX_FOLDER = Path("codex") / "plugins" / PLUGIN

Files = Iterator[tuple[Path, bytes]]


def plugin_manifest() -> JsonObject:
    """Return what both clients read from the manifest of a plugin."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    package = setup["metadata"]
    return {
        "name": PLUGIN,
        "version": __version__,
        "description": DESCRIPTION,
        "author": {"name": PUBLISHER, "url": SERVER_INFO["websiteUrl"]},
        "homepage": SERVER_INFO["websiteUrl"],
        "license": package["license"],
        "keywords": [keyword.strip() for keyword in package["keywords"].split(",")],
    }


def claude_files(url: str) -> Files:
    """Yield the files for Claude Code, with their paths."""
    marketplace = {
        "name": MARKETPLACE,
        "owner": {"name": PUBLISHER},
        "metadata": {"description": DESCRIPTION},
        "plugins": [{"name": PLUGIN, "source": f"./{PLUGIN}", "description": DESCRIPTION}],
    }
    yield CLAUDE_FOLDER.parent / ".claude-plugin" / "marketplace.json", _json(marketplace)
    yield CLAUDE_FOLDER / ".claude-plugin" / "plugin.json", _json(plugin_manifest())
    yield CLAUDE_FOLDER / ".mcp.json", _json({"mcpServers": {PLUGIN: {"type": "http", "url": url}}})
    yield from _skill_files(CLAUDE_FOLDER)


def codex_files(url: str) -> Files:
    """Yield the files for Codex, with their paths."""
    entry = {
        "name": PLUGIN,
        "source": {"source": "local", "path": f"./plugins/{PLUGIN}"},
        "policy": {"installation": "AVAILABLE", "authentication": "ON_INSTALL"},
        "category": "Productivity",
    }
    manifest = plugin_manifest() | {
        "skills": "./skills/",
        "mcpServers": "./.mcp.json",
        "interface": {
            "displayName": SERVER_INFO["title"],
            "shortDescription": DESCRIPTION,
            "developerName": PUBLISHER,
            "category": "Productivity",
            "capabilities": ["Interactive", "Read", "Write"],
            "websiteURL": SERVER_INFO["websiteUrl"],
            "defaultPrompt": ["Review last month's cloud costs.", "Which cost anomalies need action now?"],
        },
    }
    marketplace = {"name": MARKETPLACE, "interface": {"displayName": PUBLISHER}, "plugins": [entry]}
    yield Path("codex") / ".agents" / "plugins" / "marketplace.json", _json(marketplace)
    yield CODEX_FOLDER / ".codex-plugin" / "plugin.json", _json(manifest)
    yield CODEX_FOLDER / ".mcp.json", _json({"mcpServers": {PLUGIN: {"type": "streamable_http", "url": url}}})
    yield from _skill_files(CODEX_FOLDER)


def _skill_files(folder: Path) -> Files:
    for skill in SKILLS:
        for path, content in skill.files.items():
            yield folder / "skills" / skill.name / path, content


def _json(value: JsonObject) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write_plugins(directory: Path, url: str) -> list[Path]:
    """Write both plugins to *directory*, in place of those of an earlier run, and return their folders."""
    folders = [directory / CLAUDE_FOLDER, directory / CODEX_FOLDER]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for path, content in (*claude_files(url), *codex_files(url)):
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folders


def check_url(url: str) -> str:
    """Return the URL of a server. Raise ArgumentTypeError for one that clients cannot use."""
    parts = urlsplit(url)
    is_local = parts.hostname in ("127.0.0.1", "localhost")
    if not parts.hostname or parts.scheme not in (("https", "http") if is_local else ("https",)):
        raise argparse.ArgumentTypeError(f"{url}: must be an https URL, such as https://mcp.example.com/mcp")
    return url


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0: written; 2: a setting or an argument is invalid."""
    parser = argparse.ArgumentParser(prog="scripts/plugins", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "plugins", help="directory of the plugins")
    parser.add_argument("--url", type=check_url, help="URL of the server (default: MCP_RESOURCE_URL with /mcp)")
    options = parser.parse_args(arguments)
    try:
        url = options.url or f"{Settings.from_environment().resource_url}/mcp"
    except BadSettings as error:
        print(f"scripts/plugins: {error}", file=sys.stderr)
        return 2
    for folder in write_plugins(options.output, url):
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
