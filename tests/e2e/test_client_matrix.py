"""The matrix of clients reports what does not work: wrong answers, drivers that end, and clients that do not install."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.client_matrix import __main__ as command
from scripts.client_matrix.packages import install
from scripts.client_matrix.registry import Client
from scripts.client_matrix.running import Row, run_client
from tests.e2e import launch
from tests.e2e.node_packages import NotInstalled

# Answers every order, without asking the server.
EMPTY = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"tools": {}, "text": "{}", "seen": "returned", "revision": None, "sign_ins": 1}), flush=True)
"""
CHECKS = ("list", "list all", "reads", "write", "error", "refresh", "restart")


async def run(directory: Path, script: str, checks: Sequence[str] = CHECKS) -> Row:
    """Run a client whose driver is *script*."""
    driver = directory / "driver.py"
    driver.write_text(script)
    client = Client("Test", "1", str(driver), oauth=True)
    return await run_client(client, install(client), directory, checks)


async def test_client_with_wrong_answers_fails_every_check(tmp_path: Path) -> None:
    row = await run(tmp_path, EMPTY)
    assert row.cells == dict.fromkeys(CHECKS, "FAILED")
    assert row.failures["reads"] == "the model receives no JSON with the member 'budgets', but: {}"
    assert "list_budgets" in row.failures["list"] and row.revision == "?"


async def test_driver_that_ends_fails_with_its_output(tmp_path: Path) -> None:
    row = await run(tmp_path, "raise SystemExit('no such module')")
    assert row.cells == dict.fromkeys(CHECKS, "FAILED")
    assert all("no such module" in reason for reason in row.failures.values())


async def test_sandbox_that_does_not_start_fails_one_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "START_LIMIT", 0.0)
    row = await run(tmp_path, EMPTY)
    assert row.cells == dict.fromkeys(CHECKS, "FAILED")
    assert set(row.failures.values()) == {row.failures["list"]}
    assert row.failures["list"].startswith("the sandbox did not announce itself")


async def test_sandbox_that_does_not_start_again_fails_the_restart_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce, announced = launch.announcement, []

    def once(*arguments: Any) -> dict[str, object]:
        announced.append(arguments)
        if len(announced) > 1:
            raise launch.SandboxFailed("the sandbox did not announce itself")
        return announce(*arguments)

    monkeypatch.setattr(launch, "announcement", once)
    row = await run(tmp_path, EMPTY, ("restart", "error"))
    assert row.failures["restart"] == "the sandbox did not announce itself"
    assert row.failures["error"].startswith("the model does not receive")


def test_defect_in_a_driver_fails_its_client_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail(client: Client, *_: object) -> Row:
        raise KeyError("revision")

    monkeypatch.setattr(command, "run_client", fail)
    monkeypatch.setattr(command, "install", lambda client: Path())
    assert command.main(list(command.NAMES)[:2]) == 1
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("KeyError: 'revision'") and second.endswith("KeyError: 'revision'")


@pytest.mark.parametrize("driver", ["x_driver.py", "x_driver.mjs"])
def test_client_that_cannot_be_installed_is_listed_with_the_reason(driver: str, tmp_path: Path) -> None:
    client = Client("Test", "1", driver, ("file:./missing-package",))
    with pytest.raises(NotInstalled, match="missing-package") as raised:
        install(client, tmp_path)
    head, line, *_ = command.table([(client, raised.value)]).splitlines()
    assert head.startswith("client") and line.split() == ["Test", "1", "not", "installed"]
    assert "missing-package" in command.table([(client, raised.value)])
    assert command.exit_status([Row(), raised.value]) == 2


def test_table_shows_each_failure_once() -> None:
    client = Client("Test", "1", "test_driver.py")
    row = Row("2025-11-25", {"list": "26 tools", "reads": "FAILED", "write": "FAILED"})
    row.failures = {"reads": "no connection", "write": "no connection"}
    table = command.table([(client, row)])
    assert table.splitlines()[1].split() == "Test 1 2025-11-25 26 tools - FAILED FAILED - - - -".split()
    assert table.splitlines()[-1] == "test-1: reads, write: no connection"
    assert command.exit_status([row]) == 1 and command.exit_status([Row()]) == 0
