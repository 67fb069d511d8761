"""Rounds: all servers of a suite stand side by side and each round measures each once, so that whatever else happens on
the machine meets all of them. What needs a fresh process gets one each time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from . import machine
from .callers import Job
from .inputs import Inputs
from .machine import Cores
from .servers import ROOT, Broken, Kind, Ports, Running, start
from .suites import Entry, Suite

# Share of the server's core that others may take before a measurement is repeated, once.
DISTURBED = 0.10
# Load before the first round; programs that compile themselves get three times as much.
WARM, WARMER = 1.0, 3.0
MB = 2**20


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement of one server: *figures* by name, or *error*, what made it void."""

    suite: str
    server: str
    round: int
    connections: int
    figures: dict[str, float] = field(default_factory=dict)
    error: str = ""


Emit = Callable[[Record], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure."""

    inputs: Inputs
    kinds: dict[str, Kind]
    ports: Ports
    cores: Cores
    rounds: int = 3
    seconds: float = 0.5
    # Instead of the suites' own.
    connections: tuple[int, ...] = ()


@contextmanager
def outside(inputs: Inputs, cores: Cores) -> Iterator[None]:
    """Identity provider and API while the block runs; *inputs* are complete then."""
    inputs.write_keys()
    command = [sys.executable, "-m", "scripts.benchmark.upstream", str(inputs.directory)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=machine.pin(cores.load)
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise Broken("the stub of the outside does not start")
        inputs.write_places(url)
        yield
    finally:
        process.kill()
        process.wait()


def measure(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    """All rounds of a suite over those of its *entries*."""
    work = _load if suite.what == "load" else _fresh
    work(suite, entries, plan, emit)


def _started(entry: Entry, plan: Plan) -> Running:
    kind = plan.kinds[entry.kind]
    return start(entry.name, kind, entry.options, plan.inputs, plan.ports, plan.cores.server)


def _load(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    connections = plan.connections or suite.connections
    with ExitStack() as stack:
        standing: list[tuple[Entry, Running]] = []
        for entry in entries:
            try:
                running = _started(entry, plan)
            except Broken as broken:
                emit(Record(suite.name, entry.name, 0, connections[0], error=str(broken)))
                continue
            stack.callback(running.stop)
            if entry.hold:
                stack.enter_context(_holding(entry, running, plan))
            warm = WARM * (WARMER if running.kind.warms else 1.0)
            _do(_job(suite, entry, running, plan, 32, min(warm, 3 * plan.seconds)), plan)
            standing.append((entry, running))
        for number in range(plan.rounds):
            for count in connections:
                for entry, running in standing:
                    job = _job(suite, entry, running, plan, count, plan.seconds)
                    emit(_record(suite, entry, number, count, _undisturbed(job, plan)))


def _job(suite: Suite, entry: Entry, running: Running, plan: Plan, connections: int, seconds: float) -> Job:
    return Job(
        operation=entry.operation or suite.operation,
        port=running.port,
        pid=running.pid,
        inputs=str(plan.inputs.directory),
        connections=connections,
        seconds=seconds,
        warmup=min(0.3, seconds) * (WARMER if running.kind.warms else 1.0),
        core=plan.cores.server,
        tool=entry.tool,
        expect=entry.expect or suite.expect,
        count=suite.count,
    )


def _undisturbed(job: Job, plan: Plan) -> dict[str, Any]:
    """The result, or that of the second try if others took less of the core during that. Nothing but how much they
    took decides which of the two counts."""
    first = _do(job, plan)
    if first.get("error") or first["foreign"] <= DISTURBED:
        return first
    second = _do(job, plan)
    better = second if second.get("error") or second["foreign"] < first["foreign"] else first
    return {**better, "attempts": 2}


def _record(suite: Suite, entry: Entry, number: int, connections: int, found: dict[str, Any]) -> Record:
    error = found.get("error", "")
    if found.get("failures"):
        error = f"{found['failures']} wrong answers, the first: {found['failure']}"
    figures = {name: value for name, value in found.items() if isinstance(value, (int, float))}
    return Record(suite.name, entry.name, number, connections, figures, error)


def _command(job: Job) -> list[str]:
    return [sys.executable, "-m", "scripts.benchmark.load", json.dumps(asdict(job))]


def _do(job: Job, plan: Plan) -> dict[str, Any]:
    limit = 120 + 10 * (job.seconds + job.idle)
    try:
        done = subprocess.run(
            _command(job),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            preexec_fn=machine.pin(plan.cores.load),
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    except subprocess.TimeoutExpired:
        return {"error": f"not done within {limit:.0f} s"}
    except ValueError:
        return {"error": done.stderr.strip()[-600:] or "the load ended without a word"}


@contextmanager
def _holding(entry: Entry, running: Running, plan: Plan) -> Iterator[None]:
    """So many sessions or streams of this server are open while the block runs."""
    job = Job("hold", running.port, running.pid, str(plan.inputs.directory), tool=entry.hold, count=entry.held)
    process = subprocess.Popen(
        _command(job), cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=machine.pin(plan.cores.load)
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if "holding" not in said:
            raise Broken(f"{entry.name}: {said.strip() or 'could not open so many'}")
        yield
        if process.poll() is not None:
            raise Broken(f"{entry.name}: not all stayed open; nothing measured here holds")
    finally:
        process.kill()
        process.wait()


def _fresh(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    for number in range(plan.rounds):
        for entry in entries:
            try:
                running = _started(entry, plan)
            except Broken as broken:
                emit(Record(suite.name, entry.name, number, 0, error=str(broken)))
                continue
            try:
                emit(_record(suite, entry, number, 0, _look(suite, running, plan)))
            finally:
                running.stop()


def _look(suite: Suite, running: Running, plan: Plan) -> dict[str, Any]:
    if suite.what == "startup":
        return {"start_s": running.to_answer, "rss_mb": machine.resident(running.pid) / MB}
    # Others' streams are not watched: no goal is about that, and it takes a while.
    idle = suite.idle if running.kind.name in ("ours", "limit") else 0.0
    directory = str(plan.inputs.directory)
    return _do(Job(suite.what, running.port, running.pid, directory, count=suite.count, idle=idle), plan)
