"""One target under atheris, in a process of its own: libFuzzer ends the process when it is done.

python -m scripts.fuzzing.guided TARGET CORPUS [libFuzzer's options]
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["doit_mcp", "scripts.fuzzing.targets"]):
    from scripts.fuzzing.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]].run)
    atheris.Fuzz()
