"""The signals that stop a process, and SIGHUP under nohup."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, os, signal, sys
if sys.argv[1] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
from doit_mcp.process.signals import on_stop_signal
async def main():
    stop = asyncio.Event()
    on_stop_signal(stop.set)
    os.kill(os.getpid(), int(sys.argv[2]))
    await asyncio.wait_for(stop.wait(), 1)
asyncio.run(main())
"""


@pytest.mark.requirement("N24")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("how", ["plain", "nohup"])
def test_n24_hangup_stops_unless_nohup_ignores_it(number: int, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, str(int(number))], capture_output=True, text=True, check=False, timeout=30
    )
    ignored = how == "nohup" and number == signal.SIGHUP
    assert (done.returncode == 0) != ignored and ("TimeoutError" in done.stderr) == ignored
