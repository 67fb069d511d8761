"""Installs Python clients whose dependencies differ from those of the tests, each in an environment of its own.

Environments are kept between runs, in the root of the checkout, as ``.venv-NAME``.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

from tests.e2e.node_packages import unavailable

ROOT = Path(__file__).resolve().parents[2]


def install(name: str, *requirements: str) -> Path:
    """Return the interpreter of the environment *name*, which has exactly these versions of the required packages.

    Test processes that start later wait and find them installed. Skips the test if they cannot be installed.
    """
    home = ROOT / f".venv-{name}"
    mark, wanted = home / ".requirements", "\n".join(requirements)
    with open(__file__, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_text() != wanted:
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            for command in ([sys.executable, "-m", "venv", str(home)], [*pip, *requirements]):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    unavailable(f"pip could not install {name}:\n{done.stdout}\n{done.stderr}")
            mark.write_text(wanted)
    return home / "bin" / "python"
