"""scripts/venv: it says what it does while it installs, and nothing when everything is installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "venv"
# Stands for the interpreter of the environment, whose pip would use the network.
PYTHON = """#!/usr/bin/env bash
echo "  Installing build dependencies: started"
echo "Collecting aiohttp<4,>=3.14.1 (from doit-mcp==0.1.0)"
echo "  Downloading aiohttp.whl"
echo "Installing collected packages: aiohttp"
exit ${PIP_STATUS:-0}
"""


def run(venv: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VENV": str(venv)} | more
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, timeout=60, check=False)


def prepare(venv: Path) -> None:
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text(PYTHON)
    (venv / "bin" / "python").chmod(0o755)


def test_progress_is_shown_once(tmp_path: Path) -> None:
    prepare(tmp_path / "venv")
    first, second = run(tmp_path / "venv"), run(tmp_path / "venv")
    assert first.returncode == 0, first.stderr
    installing, package, finishing = first.stderr.splitlines()
    assert installing.startswith("Installing the server") and package == "  aiohttp<4,>=3.14.1"
    assert finishing.startswith("Installing them")
    assert (first.stdout, second.stdout, second.stderr, second.returncode) == ("", "", "", 0)


def test_failed_installation_is_not_remembered(tmp_path: Path) -> None:
    prepare(tmp_path / "venv")
    assert run(tmp_path / "venv", PIP_STATUS="1").returncode == 1
    assert run(tmp_path / "venv").stderr.startswith("Installing the server")
