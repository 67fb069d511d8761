"""Every command in scripts/ explains itself with --help."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [path for path in sorted((ROOT / "scripts").iterdir()) if path.is_file() and not path.suffix]
SHELL_COMMANDS = [path for path in COMMANDS if "scripts/print-help" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", SHELL_COMMANDS, ids=lambda path: path.name)
def test_help_of_shell_commands_is_their_comment(path: Path) -> None:
    shown = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert shown and f"# {shown.rstrip()}".replace("\n", "\n# ") in path.read_text("utf-8")


def test_other_commands_run_python_which_has_help() -> None:
    others = [path for path in COMMANDS if path not in SHELL_COMMANDS and path.name != "print-help"]
    assert len(SHELL_COMMANDS) == 8 and others
    assert [path.name for path in others if " -m " not in path.read_text("utf-8").splitlines()[-1]] == []
