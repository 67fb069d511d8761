"""Rounds: all servers of a suite run side by side and each round measures each once, so that other load on the machine
affects all of them. Suites that need fresh processes start them in each round.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from . import machine
from .callers import Job
from .entries import Entry, Suite
from .instructions import measure_instructions
from .servers import RunningServer, ServerFailed
from .trials import (
    WARMUP_FACTOR,
    Emit,
    Measurement,
    Plan,
    hold_open,
    make_job,
    make_measurement,
    measure_undisturbed,
    run_load,
    start_entry,
)
from .upstream import count_key_fetches

# Load before the first round.
WARMUP_SECONDS = 1.0
# In a round of growth.
TURNS_PER_ROUND = 4
# Time for the server to finish and free memory.
SETTLE_SECONDS = 1.0
MB = 2**20


def measure_suite(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    """Run all rounds of a suite over *entries*."""
    works = {"load": _measure_load, "growth": _measure_growth, "instructions": measure_instructions}
    work = works.get(suite.mode, _measure_fresh)
    work(suite, entries, plan, emit)


def _measure_load(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    connections = plan.connections or suite.connections
    with ExitStack() as stack:
        servers: list[tuple[Entry, RunningServer]] = []
        for entry in entries:
            try:
                running = start_entry(entry, plan)
            except ServerFailed as error:
                emit(Measurement(suite.name, entry.name, 0, connections[0], error=str(error)))
                continue
            stack.callback(running.stop)
            _warm_up(suite, entry, running, plan, 32)
            servers.append((entry, running))
        for number in range(plan.rounds):
            for count in connections:
                for entry, running in servers:
                    job = make_job(suite, entry, running, plan, count, plan.seconds)
                    emit(make_measurement(suite, entry, number, count, measure_undisturbed(job, plan)))


def _warm_up(suite: Suite, entry: Entry, running: RunningServer, plan: Plan, connections: int) -> None:
    seconds = WARMUP_SECONDS * (WARMUP_FACTOR if running.kind.compiles_at_runtime else 1.0)
    run_load(make_job(suite, entry, running, plan, connections, min(seconds, 3 * plan.seconds)), plan)


def _measure_growth(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    """Run rounds like load, but with fresh processes, whose memory and startup are measured, too. Starting them is
    expensive, so each is measured in several turns; the one with the least CPU counts, because other processes only
    add to it.
    """
    for number in range(plan.rounds):
        with ExitStack() as stack:
            points = [(entry, *_start_point(suite, entry, plan, stack)) for entry in entries]
            if suite.idle_seconds and any(entry.held for entry in entries):
                _measure_idle([(running, figures) for _, running, figures in points], suite.idle_seconds)
            turns = [
                [
                    _measure_point(_job_at_point(suite, entry, running, plan), suite, plan)
                    for entry, running, _ in points
                ]
                for _ in range(TURNS_PER_ROUND)
            ]
            for (entry, _, figures), *entry_turns in zip(points, *turns, strict=True):
                emit(
                    make_measurement(
                        suite, entry, number, _connection_count(suite, entry), figures | _cheapest_turn(entry_turns)
                    )
                )


def _connection_count(suite: Suite, entry: Entry) -> int:
    return entry.connections or suite.connections[0]


def _job_at_point(suite: Suite, entry: Entry, running: RunningServer, plan: Plan) -> Job:
    return make_job(suite, entry, running, plan, _connection_count(suite, entry), plan.seconds)


def _cheapest_turn(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The turn with the least CPU per call; a void one, if there is any."""
    void = (turn for turn in turns if turn.get("error") or turn.get("failures"))
    return next(void, None) or min(turns, key=lambda turn: float(turn["cpu_us"]))


def _start_point(suite: Suite, entry: Entry, plan: Plan, stack: ExitStack) -> tuple[RunningServer, dict[str, Any]]:
    """A server that holds the required number of objects until *stack* is closed, and its figures so far."""
    running = start_entry(entry, plan)
    stack.callback(running.stop)
    _warm_up(suite, entry, running, plan, suite.connections[0])
    figures: dict[str, Any] = {"start_s": running.startup_seconds}
    if entry.held:
        before = machine.resident_bytes(running.pid)
        stack.enter_context(hold_open(entry, running, plan))
        time.sleep(SETTLE_SECONDS)
        figures["bytes_each"] = max(0, machine.resident_bytes(running.pid) - before) / entry.held
    return running, figures


def _measure_idle(points: Sequence[tuple[RunningServer, dict[str, Any]]], seconds: float) -> None:
    """Measure the servers while they receive no requests."""
    before = [machine.cpu_seconds(running.pid) for running, _ in points]
    time.sleep(seconds)
    for (running, figures), cpu_before in zip(points, before, strict=True):
        figures["idle_share"] = (machine.cpu_seconds(running.pid) - cpu_before) / seconds


def _measure_point(job: Job, suite: Suite, plan: Plan) -> dict[str, Any]:
    figures = run_load(job, plan)
    if suite.second_operation and not figures.get("error"):
        second_figures = run_load(replace(job, operation=suite.second_operation), plan)
        figures |= {"also_us": second_figures["cpu_us"]} if "cpu_us" in second_figures else second_figures
    if job.size and "rps" in figures:
        figures["mb_per_s"] = figures["rps"] * job.size / 1e6
    return figures | {"rss_mb": machine.resident_bytes(job.pid) / MB}


def _measure_fresh(suite: Suite, entries: Sequence[Entry], plan: Plan, emit: Emit) -> None:
    if suite.mode == "startup":
        _compile_modules(entries, plan)
    for number in range(plan.rounds):
        for entry in entries:
            earlier_fetches = count_key_fetches(plan.inputs)
            try:
                running = start_entry(entry, plan)
            except ServerFailed as error:
                emit(Measurement(suite.name, entry.name, number, 0, error=str(error)))
                continue
            try:
                figures = _measure_process(suite, entry, running, plan)
                emit(
                    make_measurement(
                        suite,
                        entry,
                        number,
                        0,
                        figures | {"key_fetches": count_key_fetches(plan.inputs) - earlier_fetches},
                    )
                )
            finally:
                running.stop()


def _compile_modules(entries: Sequence[Entry], plan: Plan) -> None:
    """Start each server once without counting it, so that all have bytecode in the first round."""
    for entry in entries:
        # The rounds report a server that does not start.
        with suppress(ServerFailed):
            start_entry(entry, plan).stop()


def _measure_process(suite: Suite, entry: Entry, running: RunningServer, plan: Plan) -> dict[str, Any]:
    if suite.mode == "fairness":
        return run_load(make_job(suite, entry, running, plan, entry.connections, plan.seconds), plan)
    if suite.mode == "startup":
        return {"start_s": running.startup_seconds, "rss_mb": machine.resident_bytes(running.pid) / MB}
    # Only our streams are observed: the goals do not cover those of others, and it takes a while.
    idle = suite.idle_seconds if running.kind.name in ("ours", "limit", "against") else 0.0
    directory = str(plan.inputs.directory)
    return run_load(Job(suite.mode, running.port, running.pid, directory, count=suite.count, idle=idle), plan)
