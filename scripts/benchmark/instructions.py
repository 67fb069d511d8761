"""Counts instructions with callgrind, which are the same on a busy machine. Linux with valgrind only.

Instructions of the kernel and cache misses do not count, so ratios differ from those of CPU times. They show where the
work is, and whether a change adds to it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .entries import Entry, Suite
from .servers import RunningServer, ServerFailed, ServerKind
from .trials import Emit, Measurement, Plan, make_job, make_measurement, run_load, start_entry

# A server starts up to a hundred times slower under callgrind.
START_TIMEOUT_SECONDS = 900.0
# Requests before the first count, in the first and in the second. The difference of the two counts leaves out the
# handshakes, which both include.
WARMUP_REQUESTS, FIRST_REQUESTS, SECOND_REQUESTS = 640, 64, 1_024


def is_available() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def measure_instructions(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    """Measure *entries* one after the other: the instructions of a request, or those until the first response."""
    for number in range(plan.rounds):
        for entry in entries:
            try:
                emit(_measure_entry(suite, entry, number, plan))
            except ServerFailed as error:
                emit(Measurement(suite.name, entry.name, number, 0, error=str(error)))


def _measure_entry(suite: Suite, entry: Entry, number: int, plan: Plan) -> Measurement:
    output = plan.inputs.directory / "callgrind"
    starts = suite.operation == "start"
    if starts:
        # The first start compiles modules, whose bytecode is then kept.
        start_entry(entry, plan).stop()
    kind = _under_callgrind(plan.kinds[entry.kind], output, from_start=starts)
    running = start_entry(entry, replace(plan, kinds={entry.kind: kind}))
    try:
        if starts:
            return Measurement(suite.name, entry.name, number, 0, {"instructions": _take_count(running, output)})
        connections = suite.connections[0]
        figures = _count_requests(suite, entry, running, plan, output)
        return make_measurement(suite, entry, number, connections, figures)
    finally:
        running.stop()
        for file in output.parent.glob(f"{output.name}*"):
            file.unlink()


def _under_callgrind(kind: ServerKind, output: Path, *, from_start: bool) -> ServerKind:
    # Fixed hashes, so that every run fills dictionaries in the same way.
    command = ("env", "PYTHONHASHSEED=0", "valgrind", "--tool=callgrind", f"--callgrind-out-file={output}")
    counting = f"--instr-atstart={'yes' if from_start else 'no'}"
    return replace(kind, command=(*command, counting, *kind.command), start_timeout=START_TIMEOUT_SECONDS)


def _count_requests(suite: Suite, entry: Entry, running: RunningServer, plan: Plan, output: Path) -> dict[str, Any]:
    counts: list[float] = []
    for requests in (WARMUP_REQUESTS, FIRST_REQUESTS, SECOND_REQUESTS):
        job = replace(make_job(suite, entry, running, plan, suite.connections[0], 0), requests=requests)
        result = run_load(job, plan)
        if result.get("error") or result.get("failures"):
            return result
        if requests == WARMUP_REQUESTS:
            _control(running, "--instr=on")
        else:
            counts.append(_take_count(running, output))
    return {"instructions": (counts[1] - counts[0]) / (SECOND_REQUESTS - FIRST_REQUESTS)}


def _control(running: RunningServer, command: str) -> None:
    done = subprocess.run(["callgrind_control", command, str(running.pid)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerFailed(f"{running.name}: callgrind_control {command}: {done.stdout} {done.stderr}")


def _take_count(running: RunningServer, output: Path) -> float:
    """The instructions since the last count."""
    _control(running, "--dump")
    files = sorted(output.parent.glob(f"{output.name}.*"), key=lambda file: int(file.suffix[1:]))
    totals = re.search(r"^totals: (\d+)", files[-1].read_text(errors="replace"), re.MULTILINE) if files else None
    if totals is None:
        raise ServerFailed(f"{running.name}: callgrind wrote no total")
    return float(totals[1])
