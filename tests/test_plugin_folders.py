"""The plugins for Claude Code and Codex: their manifests, and skills with the bytes that the server serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import doit_mcp
from doit_mcp.catalog.skills.collection import SKILLS
from scripts.plugin_folders import main

URL = "https://mcp.example.com/mcp"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("plugins")
    assert main(["--output", str(written), "--url", URL]) == 0
    return written


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


@pytest.mark.parametrize(
    ("client", "marketplace", "manifest", "transport"),
    [
        ("claude", ".claude-plugin/marketplace.json", ".claude-plugin/plugin.json", "http"),
        ("codex", ".agents/plugins/marketplace.json", ".codex-plugin/plugin.json", "streamable_http"),
    ],
)
def test_plugin_has_the_server_and_the_skills(
    directory: Path, client: str, marketplace: str, manifest: str, transport: str
) -> None:
    root = directory / client
    (entry,) = read(root / marketplace)["plugins"]
    source = entry["source"] if isinstance(entry["source"], str) else entry["source"]["path"]
    plugin = (root / source).resolve()
    described = read(plugin / manifest)
    assert described["name"] == entry["name"] == "doit" and described["version"] == doit_mcp.__version__
    assert read(plugin / ".mcp.json") == {"mcpServers": {"doit": {"type": transport, "url": URL}}}
    for name in ("skills", "mcpServers"):
        assert (plugin / described.get(name, ".")).exists()
    found = {
        path.relative_to(plugin / "skills").as_posix(): path.read_bytes() for path in plugin.rglob("skills/**/*.*")
    }
    served = {f"{skill.name}/{path}": content for skill in SKILLS for path, content in skill.files.items()}
    assert found == served


def test_files_of_an_earlier_run_are_replaced(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = directory / "claude" / "doit" / "skills" / "retired" / "SKILL.md"
    old.parent.mkdir()
    old.write_text("old")
    assert main(["--output", str(directory), "--url", "http://127.0.0.1:8080/mcp"]) == 0
    assert not old.exists() and len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("url", ["http://mcp.example.com/mcp", "mcp.example.com", "https://"])
def test_urls_that_clients_cannot_use_are_refused(tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path), "--url", url])
    assert "must be an https URL" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_bad_settings_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOIT_MCP_PORT", "none")
    assert main(["--output", str(tmp_path)]) == 2
    assert "DOIT_MCP_PORT" in capsys.readouterr().err
