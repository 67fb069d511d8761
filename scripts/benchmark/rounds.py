"""Rounds: all servers of a suite stand side by side and each round measures each once, so that whatever else happens on
the machine meets all of them. What needs a fresh process gets one each time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from . import machine
from .callers import Job
from .entries import Entry, Suite
from .servers import Broken, Running
from .trials import WARMER, Emit, Plan, Record, do, holding, job_of, record_of, started, undisturbed
from .upstream import key_fetches

# Load before the first round.
WARM = 1.0
# Of a round of growth.
TURNS = 4
# Until what was asked for has been done, and freed.
SETTLE = 1.0
MB = 2**20


def measure(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    """All rounds of a suite over those of its *entries*."""
    work = {"load": _load, "growth": _growth}.get(suite.what, _fresh)
    work(suite, entries, plan, emit)


def _load(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    connections = plan.connections or suite.connections
    with ExitStack() as stack:
        standing: list[tuple[Entry, Running]] = []
        for entry in entries:
            try:
                running = started(entry, plan)
            except Broken as broken:
                emit(Record(suite.name, entry.name, 0, connections[0], error=str(broken)))
                continue
            stack.callback(running.stop)
            _warm(suite, entry, running, plan, 32)
            standing.append((entry, running))
        for number in range(plan.rounds):
            for count in connections:
                for entry, running in standing:
                    job = job_of(suite, entry, running, plan, count, plan.seconds)
                    emit(record_of(suite, entry, number, count, undisturbed(job, plan)))


def _warm(suite: Suite, entry: Entry, running: Running, plan: Plan, connections: int) -> None:
    warm = WARM * (WARMER if running.kind.warms else 1.0)
    do(job_of(suite, entry, running, plan, connections, min(warm, 3 * plan.seconds)), plan)


def _growth(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    """As load, but each round has fresh processes, whose memory and start are of interest, too. They are dear, so there
    are several turns with them; the one with the least CPU counts, as all that others do to a core adds to that."""
    for number in range(plan.rounds):
        with ExitStack() as stack:
            points = [(entry, *_point(suite, entry, plan, stack)) for entry in entries]
            if suite.idle and any(entry.held for entry in entries):
                _watch([(running, figures) for _, running, figures in points], suite.idle)
            turns = [
                [_at_point(_job_at(suite, entry, running, plan), suite, plan) for entry, running, _ in points]
                for _ in range(TURNS)
            ]
            for (entry, _, figures), *found in zip(points, *turns, strict=True):
                emit(record_of(suite, entry, number, _connections(suite, entry), figures | _least(found)))


def _connections(suite: Suite, entry: Entry) -> int:
    return entry.connections or suite.connections[0]


def _job_at(suite: Suite, entry: Entry, running: Running, plan: Plan) -> Job:
    return job_of(suite, entry, running, plan, _connections(suite, entry), plan.seconds)


def _least(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The turn that took the least CPU per call; a void one, if there is any."""
    void = (found for found in turns if found.get("error") or found.get("failures"))
    return next(void, None) or min(turns, key=lambda found: float(found["cpu_us"]))


def _point(suite: Suite, entry: Entry, plan: Plan, stack: ExitStack) -> tuple[Running, dict[str, Any]]:
    """A server that holds what it has to until the *stack* is left, and what is known of it by then."""
    running = started(entry, plan)
    stack.callback(running.stop)
    _warm(suite, entry, running, plan, suite.connections[0])
    figures: dict[str, Any] = {"start_s": running.to_answer}
    if entry.held:
        before = machine.resident(running.pid)
        stack.enter_context(holding(entry, running, plan))
        time.sleep(SETTLE)
        figures["bytes_each"] = max(0, machine.resident(running.pid) - before) / entry.held
    return running, figures


def _watch(points: Sequence[tuple[Running, dict[str, Any]]], seconds: float) -> None:
    """See what the servers do while nobody asks them anything."""
    before = [machine.cpu_seconds(running.pid) for running, _ in points]
    time.sleep(seconds)
    for (running, figures), spent in zip(points, before, strict=True):
        figures["idle_share"] = (machine.cpu_seconds(running.pid) - spent) / seconds


def _at_point(job: Job, suite: Suite, plan: Plan) -> dict[str, Any]:
    found = do(job, plan)
    if suite.also and not found.get("error"):
        also = do(replace(job, operation=suite.also), plan)
        found |= {"also_us": also["cpu_us"]} if "cpu_us" in also else also
    if job.size and "rps" in found:
        found["mb_per_s"] = found["rps"] * job.size / 1e6
    return found | {"rss_mb": machine.resident(job.pid) / MB}


def _fresh(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    for number in range(plan.rounds):
        for entry in entries:
            fetches = key_fetches(plan.inputs)
            try:
                running = started(entry, plan)
            except Broken as broken:
                emit(Record(suite.name, entry.name, number, 0, error=str(broken)))
                continue
            try:
                found = _look(suite, entry, running, plan)
                emit(record_of(suite, entry, number, 0, found | {"key_fetches": key_fetches(plan.inputs) - fetches}))
            finally:
                running.stop()


def _look(suite: Suite, entry: Entry, running: Running, plan: Plan) -> dict[str, Any]:
    if suite.what == "fairness":
        return do(job_of(suite, entry, running, plan, entry.connections, plan.seconds), plan)
    if suite.what == "startup":
        return {"start_s": running.to_answer, "rss_mb": machine.resident(running.pid) / MB}
    # Others' streams are not watched: no goal is about that, and it takes a while.
    idle = suite.idle if running.kind.name in ("ours", "limit", "against") else 0.0
    directory = str(plan.inputs.directory)
    return do(Job(suite.what, running.port, running.pid, directory, count=suite.count, idle=idle), plan)
