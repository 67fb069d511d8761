"""The startup message: everything needed to connect, ready to paste."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from doit_mcp.sandbox import startup_message
from doit_mcp.sandbox.accounts import USERS
from tests.e2e.launch import Sandbox

BASE, WORLD = "http://127.0.0.1:8080", "http://[::1]:8081"


def test_machine_readable_line_matches_what_tests_parse() -> None:
    line = startup_message.format_json(BASE, WORLD)
    assert "\n" not in line
    fields = json.loads(line)
    assert set(fields) == set(Sandbox.__dataclass_fields__) - {"output"}
    assert (fields["mcp"], fields["sse"], fields["base"], fields["services"]) == (
        f"{BASE}/mcp",
        f"{BASE}/sse",
        BASE,
        WORLD,
    )
    assert fields["users"] == {user.email: user.password for user in USERS}
    assert fields["api_tokens"] == {user.email: user.api_token for user in USERS}


def test_message_lists_users_with_password_rights_and_token() -> None:
    lines = startup_message.format_text(BASE, WORLD).splitlines()
    for user in USERS:
        assert [line for line in lines if user.email in line and user.password in line]
        assert [line for line in lines if user.email in line and user.api_token in line]
    (viewer,) = [line for line in lines if "acme-viewer " in line]
    assert "Acme Rockets: views only, without billing" in viewer
    (employee,) = [line for line in lines if "doit-employee " in line]
    assert "Every customer" in employee


def test_message_shows_the_dashboard_url() -> None:
    assert re.search(rf"^  Dashboard +{re.escape(WORLD)}/ ", startup_message.format_text(BASE, WORLD), re.MULTILINE)


def commands() -> Iterator[list[str]]:
    text = startup_message.format_text(BASE, WORLD).replace("\\\n", " ")
    for line in text.splitlines():
        if match := re.match(r"  [A-Z]?[A-Za-z ]+?  +((?:claude|codex|npx|curl) .*)", line):
            yield shlex.split(match[1])


def test_commands_are_shell_safe() -> None:
    commands_by_program = {command[0]: command for command in commands()}
    assert commands_by_program["claude"] == ["claude", "mcp", "add", "--transport", "http", "doit", f"{BASE}/mcp"]
    assert commands_by_program["codex"] == ["codex", "mcp", "add", "doit", "--url", f"{BASE}/mcp"]
    curl = commands_by_program["curl"]
    assert f"Authorization: Bearer {USERS[0].api_token}" in curl
    call = json.loads(curl[curl.index("-d") + 1])
    assert (call["method"], call["params"]) == ("tools/call", {"name": "get_cloud_overview"})
    assert sum(f"{BASE}/mcp" in command for command in commands()) == 5


@pytest.mark.parametrize(("client", "key"), [("Cursor", "mcpServers"), ("VS Code", "servers")])
def test_editor_settings_are_json(client: str, key: str) -> None:
    (snippet,) = re.findall(rf"^  {client} +(\{{.*)$", startup_message.format_text(BASE, WORLD), re.MULTILINE)
    assert json.loads(snippet)[key]["doit"]["url"] == f"{BASE}/mcp"


def test_message_fits_a_terminal() -> None:
    assert max(map(len, startup_message.format_text(BASE, WORLD).splitlines())) <= 120
