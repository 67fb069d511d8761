"""README.rst: its tables are what the code says, its headings and tables are well-formed, its names exist."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from doit_mcp.catalog.registry import all_tools
from doit_mcp.sandbox.accounts import USERS
from doit_mcp.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.rst").read_text("utf-8")


@pytest.fixture(scope="module")
def docs() -> ModuleType:
    spec = spec_from_file_location("readme", ROOT / "scripts" / "readme.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_between(name: str) -> Iterator[list[str]]:
    """The rows of a generated table, heads left out."""
    _, _, rest = README.partition(f".. {name}: written by scripts/")
    table, end, _ = rest.partition(f".. {name}: end\n")
    assert end
    yield from list(csv.reader(line.strip() for line in table.splitlines() if line.startswith('   "')))[1:]


def test_the_tables_are_current(docs: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--check"]) == 0, capsys.readouterr().err


def test_every_setting_is_there_and_has_a_meaning() -> None:
    found = {variable.strip("`"): meaning for variable, _, meaning in rows_between("settings")}
    assert list(found) == [declared.name for declared in Settings.variables().values()]
    assert all(len(meaning) > 10 for meaning in found.values())


def test_every_tool_is_there_in_order() -> None:
    found = [(row[0].strip("`"), row[3], row[4].strip("`")) for row in rows_between("tools")]
    assert found == [(tool.name, "writes" if tool.writes else "reads", tool.area) for tool in all_tools()]
    assert all(row[2] for row in rows_between("tools"))


def test_a_stale_table_is_found_and_mended(
    docs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "README.rst"
    stale.write_text(README.replace('"``DOIT_MCP_PORT``","``8080``"', '"``DOIT_MCP_PORT``","``8000``"'), "utf-8")
    before = stale.read_text("utf-8")
    assert docs.main(["--check", str(stale)]) == 1
    assert "run scripts/docs" in capsys.readouterr().err
    assert stale.read_text("utf-8") == before, "--check changes nothing"
    assert docs.main([str(stale)]) == 0
    assert stale.read_text("utf-8") == README


def test_a_missing_marker_is_named(docs: ModuleType) -> None:
    with pytest.raises(ValueError, match="no markers for the table of tools"):
        docs.replace_tables(README.replace(".. tools: end", ""))


@pytest.mark.parametrize("text", ["a *b* `c` |d| e_ f\\g", "snake_case stays", 'says "no", twice'])
def test_text_cannot_become_markup(docs: ModuleType, text: str) -> None:
    escaped = docs._escape_markup(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert not re.search(r"(?<!\\)[*`|]|(?<!\\)_(?=\W|$)", escaped)


def test_headings_are_underlined_as_far_as_they_go() -> None:
    lines = README.splitlines()
    headings = [
        (title, line) for title, line in zip(lines, lines[1:], strict=False) if re.fullmatch(r"([=~-])\1{3,}", line)
    ]
    assert len(headings) > 8
    assert all(len(title) == len(line) for title, line in headings)


def test_the_users_of_the_sandbox_are_introduced() -> None:
    for user in USERS:
        assert f"``{user.email}``" in README and f"``{user.password}``" in README
        assert user.api_token == f"sandbox-api-token-{user.password}"


def test_the_files_it_names_exist() -> None:
    named = set(re.findall(r"\b((?:scripts|doit_mcp|tests)/[\w/-]*\w(?:\.(?:py|txt))?)", README))
    assert {"scripts/sandbox", "scripts/test", "scripts/docs", "doit_mcp/api/areas"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []
