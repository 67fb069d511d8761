"""Builds an MCP bundle: a zip file with a manifest and the local server, which clients install with one click.

The manifest has version 0.4, whose server type ``uv`` lets the client install Python and the dependencies. The user's
API token is a sensitive setting: clients mask it, store it securely, and pass it in the environment.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from pathlib import Path

import orjson

from doit_mcp import __version__
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.protocol.jsonrpc import JsonObject
from doit_mcp.server.catalog import SERVER_INFO, catalog_factory
from doit_mcp.settings import Settings
from doit_mcp.settings.errors import BadSettings
from doit_mcp.transports.http.landing_page import first_sentence

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "doit_mcp"
ICON = PACKAGE / "transports" / "http" / "templates" / "icon.png"
# As in the image: the sandbox's accounts have public passwords.
EXCLUDED_DIRECTORIES = frozenset({"sandbox", "__pycache__"})
ENTRY_POINT = "server/main.py"
MAIN = '''"""Start the server on standard input and output."""

from doit_mcp.cli import main

main(["stdio"])
'''
# The same bytes for the same sources.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o644 << 16


MCP_CONFIG = {
    "command": "uv",
    "args": ["run", "--directory", "${__dirname}", ENTRY_POINT],
    "env": {"DOIT_API_KEY": "${user_config.api_key}", "TENANT_ID": "${user_config.tenant_id}"},
}
USER_CONFIG = {
    "api_key": {
        "type": "string",
        "title": "DoiT API token",
        "description": "An API token of your DoiT user. https://developer.doit.com describes how to get one.",
        "sensitive": True,
        "required": True,
    },
    "tenant_id": {
        "type": "string",
        "title": "Tenant",
        "description": "The customer to use, if your token can act for several customers.",
        "required": False,
        "default": "",
    },
}


def make_manifest(settings: Settings) -> JsonObject:
    """Return the manifest (MCPB 0.4). *settings* has the links of the publisher."""
    package = _read_package()
    manifest: JsonObject = {
        "manifest_version": "0.4",
        "name": package["name"],
        "display_name": SERVER_INFO["title"],
        "version": __version__,
        "description": SERVER_INFO["description"],
        "author": {"name": "DoiT", "url": SERVER_INFO["websiteUrl"]},
        "homepage": SERVER_INFO["websiteUrl"],
        "icon": ICON.name,
        "icons": [{"src": ICON.name, "size": "128x128"}],
        "license": package["license"],
        "keywords": [keyword.strip() for keyword in package["keywords"].split(",")],
        "server": {"type": "uv", "entry_point": ENTRY_POINT, "mcp_config": MCP_CONFIG},
        "user_config": USER_CONFIG,
        "tools": [
            {"name": tool.name, "description": first_sentence(tool.description)}
            for tool in catalog_factory()(Selection(), False).tools
        ],
        # Their texts depend on arguments.
        "prompts_generated": True,
        "compatibility": {"platforms": ["darwin", "linux"], "runtimes": {"python": package["python_requires"]}},
    }
    if settings.privacy_url:
        manifest["privacy_policies"] = [settings.privacy_url]
    if settings.support_url:
        manifest["support"] = settings.support_url
    return manifest


def write_bundle(directory: Path, settings: Settings) -> Path:
    """Write the bundle to *directory* and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"doit-mcp-{__version__}.mcpb"
    with zipfile.ZipFile(path, "w") as bundle:
        for name, data in _bundle_files(settings):
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.external_attr = FILE_MODE
            bundle.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return path


def _bundle_files(settings: Settings) -> Iterator[tuple[str, bytes]]:
    yield "manifest.json", orjson.dumps(make_manifest(settings), option=orjson.OPT_INDENT_2)
    yield "pyproject.toml", _make_pyproject().encode()
    yield ICON.name, ICON.read_bytes()
    yield "LICENSE", (ROOT / "LICENSE").read_bytes()
    yield ENTRY_POINT, MAIN.encode()
    for path in sorted(PACKAGE.rglob("*")):
        relative = path.relative_to(ROOT)
        if path.is_file() and EXCLUDED_DIRECTORIES.isdisjoint(relative.parts):
            yield f"server/{relative.as_posix()}", path.read_bytes()


def _make_pyproject() -> str:
    """Return the project file from which uv installs the dependencies. The server itself runs from its directory."""
    package = _read_package()
    dependencies = [line for line in package["install_requires"].splitlines() if line]
    return "\n".join(
        (
            "[project]",
            f'name = "{package["name"]}"',
            f'version = "{__version__}"',
            f'requires-python = "{package["python_requires"]}"',
            # A list of JSON strings is valid TOML.
            f"dependencies = {orjson.dumps(dependencies).decode()}",
            "",
            "[tool.uv]",
            "package = false",
            "",
        )
    )


def _read_package() -> dict[str, str]:
    """Return the metadata and options of setup.cfg."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    return {**setup["metadata"], **setup["options"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0: written; 2: a setting is invalid."""
    parser = argparse.ArgumentParser(prog="scripts/mcpb", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="directory of the bundle")
    options = parser.parse_args(arguments)
    try:
        print(write_bundle(options.output, Settings.from_environment()))
    except BadSettings as error:
        print(f"scripts/mcpb: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
