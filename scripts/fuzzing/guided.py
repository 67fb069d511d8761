"""One fuzz target under atheris, in its own process, because libFuzzer exits when it is done.

Usage: ``python -m scripts.fuzzing.guided TARGET CORPUS [libFuzzer's options]``
"""

from __future__ import annotations

import ctypes
import signal
import sys

import atheris

with atheris.instrument_imports(include=["doit_mcp", "scripts.fuzzing.targets"]):
    from scripts.fuzzing.targets import TARGETS

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, even while an input hangs (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]].run)
    atheris.Fuzz()
