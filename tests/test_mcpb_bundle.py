"""The MCP bundle: its manifest is valid, it contains only the server, and the server in it works."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

import doit_mcp
from doit_mcp.settings import Settings
from scripts.mcpb_bundle import main, write_bundle
from tests.discovery_schemas import check
from tests.e2e.launch import Sandbox, running_sandbox
from tests.test_cli import environment
from tests.transports.http.serving import LATEST_STATEFUL

ADMIN = "admin@acme.example"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory into which a client unpacked the bundle."""
    directory = tmp_path_factory.mktemp("bundle")
    with zipfile.ZipFile(write_bundle(directory, Settings())) as archive:
        archive.extractall(directory / "unpacked")
    return directory / "unpacked"


@pytest.fixture(scope="module")
def manifest(bundle: Path) -> Any:
    return json.loads((bundle / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def test_manifest_is_valid(bundle: Path, manifest: Any) -> None:
    check("mcpb-manifest", manifest)
    assert manifest["version"] == doit_mcp.__version__
    for name in (manifest["icon"], manifest["server"]["entry_point"], *(icon["src"] for icon in manifest["icons"])):
        assert (bundle / name).is_file()


def test_token_is_sensitive_and_only_in_the_environment(manifest: Any) -> None:
    assert (
        manifest["user_config"]["api_key"] | {"sensitive": True, "required": True} == manifest["user_config"]["api_key"]
    )
    config = manifest["server"]["mcp_config"]
    assert config["env"]["DOIT_API_KEY"] == "${user_config.api_key}"
    assert not any("user_config" in argument for argument in config["args"])


def test_dependencies_are_those_of_the_package(bundle: Path) -> None:
    project = tomllib.loads((bundle / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {line.partition(">")[0].strip() for line in project["dependencies"]}
    installed = {
        line.partition(">")[0].partition("<")[0] for line in requires("doit-mcp") or () if "extra ==" not in line
    }
    assert declared == installed and project["version"] == doit_mcp.__version__


def test_bundle_contains_only_the_server(bundle: Path) -> None:
    names = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    others = {name for name in names if not name.startswith("server/doit_mcp/")}
    assert others == {"manifest.json", "pyproject.toml", "icon.png", "LICENSE", "server/main.py"}
    assert not [name for name in names if "sandbox" in Path(name).parts or name.endswith(".pyc")]


def test_same_sources_give_the_same_bundle(tmp_path: Path) -> None:
    first, second = (write_bundle(tmp_path / name, Settings()).read_bytes() for name in ("first", "second"))
    assert first == second


def test_links_of_the_publisher_are_in_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOIT_MCP_PRIVACY_URL", "https://example.com/privacy")
    monkeypatch.setenv("DOIT_MCP_SUPPORT_URL", "https://example.com/support")
    assert main(["--output", str(tmp_path)]) == 0
    with zipfile.ZipFile(capsys.readouterr().out.strip()) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    check("mcpb-manifest", manifest)
    assert (manifest["privacy_policies"], manifest["support"]) == (
        ["https://example.com/privacy"],
        "https://example.com/support",
    )
    monkeypatch.setenv("DOIT_MCP_SUPPORT_URL", "nowhere")
    assert main(["--output", str(tmp_path)]) == 2
    assert "DOIT_MCP_SUPPORT_URL must be a URL" in capsys.readouterr().err


def test_server_in_the_bundle_works(bundle: Path, manifest: Any, sandbox: Sandbox) -> None:
    config = manifest["server"]["mcp_config"]
    values = {"api_key": sandbox.api_tokens[ADMIN], "tenant_id": manifest["user_config"]["tenant_id"]["default"]}
    variables = {
        name: text.replace("${user_config.api_key}", values["api_key"]).replace(
            "${user_config.tenant_id}", values["tenant_id"]
        )
        for name, text in config["env"].items()
    }
    # uv would run this file with an interpreter that has the dependencies, as the one of the tests has.
    assert config["args"][-1] == manifest["server"]["entry_point"]
    lines = [
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": LATEST_STATEFUL,
                "capabilities": {},
                "clientInfo": {"name": "client", "version": "1"},
            },
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "validate_user", "arguments": {}}},
    ]
    done = subprocess.run(
        [sys.executable, config["args"][-1]],
        cwd=bundle,
        input="".join(f"{json.dumps(line)}\n" for line in lines),
        env=environment(**variables, DOIT_API_BASE=sandbox.services),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    results = {message["id"]: message["result"] for message in map(json.loads, done.stdout.splitlines())}
    assert results[1]["serverInfo"]["version"] == manifest["version"]
    assert [tool["name"] for tool in results[2]["tools"]] == [tool["name"] for tool in manifest["tools"]]
    assert "acme.example" in results[3]["content"][0]["text"] and not results[3].get("isError")
