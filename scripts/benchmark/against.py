"""The server of another checkout beside ours, so that one run shows a change before and after."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .entries import Suite
from .figures import ratios
from .servers import Kind
from .trials import Record

NAME = "against"
# Of what else is measured, the results are tables of their own.
COMPARABLE = ("load", "startup", "sessions", "streams")
HEADING = ("suite", "server", "connections", "figure", "ours over the other")
FIGURES = {"startup": "start_s", "sessions": "bytes_each", "streams": "bytes_each"}


def kind(directory: Path) -> Kind:
    """The server in *directory*, run by the same interpreter and packages as ours. Raises FileNotFoundError."""
    program = (directory / "scripts" / "bench_server.py").resolve(strict=True)
    return Kind(NAME, (sys.executable, str(program)))


def beside(suite: Suite) -> Suite:
    """The suite with the other server after each entry of ours, started in the same way."""
    if suite.what not in COMPARABLE:
        return suite
    entries = [
        one
        for entry in suite.entries
        for one in ((entry, replace(entry, name=_other(entry.name), kind=NAME)) if entry.kind == "ours" else (entry,))
    ]
    return replace(suite, entries=tuple(entries))


def _other(name: str) -> str:
    return name.replace("ours", NAME, 1)


def compared(records: Sequence[Record]) -> list[Sequence[str]]:
    """Rows, the first of which is the heading: what ours takes for each 1 of the other, round by round."""
    rows: list[Sequence[str]] = [HEADING]
    found: dict[tuple[str, str, int], dict[int, float]] = {}
    for record in records:
        figure = FIGURES.get(record.suite, "cpu_us")
        if not record.error and figure in record.figures:
            place = (record.suite, record.server, record.connections)
            found.setdefault(place, {})[record.round] = record.figures[figure]
    for (suite, server, connections), mine in found.items():
        if (ratio := ratios(mine, found.get((suite, _other(server), connections), {}))) and server.startswith("ours"):
            figure = FIGURES.get(suite, "cpu_us")
            rows.append((suite, server, str(connections or ""), figure, ratio.text(3)))
    return rows
