"""Installs each client in an environment of its own, in the root of the checkout, as ``.venv-clients-NAME``.

Environments are kept between runs. Clients whose packages the tests install anyway use those.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.client_matrix.registry import Client
from tests.e2e import node_packages
from tests.e2e.launch import ROOT
from tests.e2e.node_packages import NODE, NotInstalled

NPM = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def install(client: Client, root: Path = ROOT) -> Path:
    """Return the environment of *client* in *root*: the folder with ``bin/python`` or with ``node_modules``.

    Processes that start later wait and find it installed. Raises NotInstalled.
    """
    if not client.requirements:
        if client.ecosystem == "python":
            return Path(sys.prefix)
        node_packages.install()
        return NODE
    home = root / f".venv-clients-{client.key}"
    mark, wanted = home / ".requirements", "\n".join(client.requirements)
    home.mkdir(exist_ok=True)
    with open(home / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_text() != wanted:
            for command in _commands(client, home):
                _run(command, home)
            mark.write_text(wanted)
    return home


def _commands(client: Client, home: Path) -> tuple[Sequence[str], ...]:
    if client.ecosystem == "node":
        return ((*NPM, *client.requirements),)
    python = str(home / "bin" / "python")
    return ([sys.executable, "-m", "venv", str(home)], [python, *PIP, *client.requirements])


def _run(command: Sequence[str], home: Path) -> None:
    if shutil.which(command[0]) is None and not Path(command[0]).exists():
        raise NotInstalled(f"{command[0]} is not on this machine")
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotInstalled((done.stderr or done.stdout).strip())
