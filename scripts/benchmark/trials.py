"""One measurement: a server process, the load's process, and the result."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from . import machine
from .callers import Job
from .entries import Entry, Suite
from .inputs import Inputs
from .machine import Cores
from .servers import ROOT, Ports, RunningServer, ServerFailed, ServerKind, start_server

# Share of the server's core used by other processes, above which a measurement is repeated once.
MAX_FOREIGN_SHARE = 0.10
# Factor for the warmup of programs with a JIT compiler.
WARMUP_FACTOR = 3.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement of one server: *figures* by name, or the *error* that made it void."""

    suite: str
    server: str
    round: int
    connections: int
    figures: dict[str, float] = field(default_factory=dict)
    error: str = ""


Emit = Callable[[Measurement], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Options of all measurements."""

    inputs: Inputs
    kinds: dict[str, ServerKind]
    ports: Ports
    cores: Cores
    rounds: int = 3
    seconds: float = 0.5
    # Overrides the suites' own.
    connections: tuple[int, ...] = ()


@contextmanager
def run_upstream(inputs: Inputs, cores: Cores) -> Iterator[None]:
    """Run the identity provider and API while the block runs; *inputs* are then complete."""
    inputs.write_keys()
    command = [sys.executable, "-m", "scripts.benchmark.upstream", str(inputs.directory)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=machine.pin_to_core(cores.load)
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise ServerFailed("the upstream stub does not start")
        inputs.write_urls(url)
        yield
    finally:
        process.kill()
        # This also closes the pipe.
        process.communicate()


def start_entry(entry: Entry, plan: Plan) -> RunningServer:
    """The entry's server, once it responds. Raises ServerFailed."""
    kind = plan.kinds[entry.kind]
    return start_server(entry.name, kind, entry.options, plan.inputs, plan.ports, plan.cores.server, cold=entry.cold)


def make_job(suite: Suite, entry: Entry, running: RunningServer, plan: Plan, connections: int, seconds: float) -> Job:
    """The job of the load's process for an entry's server."""
    return Job(
        operation=entry.operation or suite.operation,
        port=running.port,
        pid=running.pid,
        inputs=str(plan.inputs.directory),
        connections=connections,
        seconds=seconds,
        warmup=min(0.3, seconds) * (WARMUP_FACTOR if running.kind.compiles_at_runtime else 1.0),
        core=plan.cores.server,
        tool=entry.tool,
        expect=entry.expect or suite.expect,
        accept=entry.accept,
        count=entry.count or suite.count,
        size=entry.size,
    )


def measure_undisturbed(job: Job, plan: Plan) -> dict[str, Any]:
    """The result, or that of a second run if other processes used less of the core during it. Nothing else decides
    between the two.
    """
    first = run_load(job, plan)
    if first.get("error") or first["foreign"] <= MAX_FOREIGN_SHARE:
        return first
    second = run_load(job, plan)
    better = second if second.get("error") or second["foreign"] < first["foreign"] else first
    return {**better, "attempts": 2}


def make_measurement(suite: Suite, entry: Entry, number: int, connections: int, result: dict[str, Any]) -> Measurement:
    """The result as a record: void if a response was wrong."""
    error = result.get("error", "")
    if result.get("failures"):
        error = f"{result['failures']} wrong responses, the first: {result['failure']}"
    figures = {name: value for name, value in result.items() if isinstance(value, (int, float))}
    return Measurement(suite.name, entry.name, number, connections, figures, error)


def _load_command(job: Job) -> list[str]:
    return [sys.executable, "-m", "scripts.benchmark.load", json.dumps(asdict(job))]


def run_load(job: Job, plan: Plan) -> dict[str, Any]:
    """Run a job in its own process; returns its result, or the reason for a failure."""
    limit = 120 + 10 * (job.seconds + job.idle) + job.requests
    try:
        process = subprocess.run(
            _load_command(job),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            preexec_fn=machine.pin_to_core(plan.cores.load),
        )
        result: dict[str, Any] = json.loads(process.stdout)
        return result
    except subprocess.TimeoutExpired:
        return {"error": f"not done within {limit:.0f} s"}
    except ValueError:
        return {"error": process.stderr.strip()[-600:] or "the load process ended without output"}


@contextmanager
def hold_open(entry: Entry, running: RunningServer, plan: Plan) -> Iterator[None]:
    """Hold the entry's sessions or streams open while the block runs."""
    job = Job("hold", running.port, running.pid, str(plan.inputs.directory), tool=entry.hold, count=entry.held)
    process = subprocess.Popen(
        _load_command(job), cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=machine.pin_to_core(plan.cores.load)
    )
    try:
        assert process.stdout is not None
        output = process.stdout.readline()
        if "holding" not in output:
            raise ServerFailed(f"{entry.name}: {output.strip() or 'could not open all of them'}")
        yield
        if process.poll() is not None:
            raise ServerFailed(f"{entry.name}: some were closed; the measurements here are void")
    finally:
        process.kill()
        # This also closes the pipe.
        process.communicate()
