"""The server of another checkout beside ours, so that one run shows a change before and after."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .entries import Suite
from .figures import ratio_spread
from .servers import ServerKind
from .trials import Measurement

KIND_NAME = "against"
# Of what else is measured, the results are tables of their own.
COMPARABLE = ("load", "startup", "sessions", "streams")
HEADING = ("suite", "server", "connections", "figure", "ours over the other")
FIGURE_BY_SUITE = {"startup": "start_s", "sessions": "bytes_each", "streams": "bytes_each"}


def make_kind(directory: Path) -> ServerKind:
    """The server in *directory*, run by the same interpreter and packages as ours. Raises FileNotFoundError."""
    program = (directory / "scripts" / "bench_server.py").resolve(strict=True)
    return ServerKind(KIND_NAME, (sys.executable, str(program)))


def with_other_server(suite: Suite) -> Suite:
    """The suite with the other server after each entry of ours, started in the same way."""
    if suite.mode not in COMPARABLE:
        return suite
    entries = [
        one
        for entry in suite.entries
        for one in (
            (entry, replace(entry, name=_other_name(entry.name), kind=KIND_NAME)) if entry.kind == "ours" else (entry,)
        )
    ]
    return replace(suite, entries=tuple(entries))


def _other_name(name: str) -> str:
    return name.replace("ours", KIND_NAME, 1)


def comparison_rows(records: Sequence[Measurement]) -> list[Sequence[str]]:
    """Rows, the first of which is the heading: what ours takes for each 1 of the other, round by round."""
    rows: list[Sequence[str]] = [HEADING]
    found: dict[tuple[str, str, int], dict[int, float]] = {}
    for record in records:
        figure = FIGURE_BY_SUITE.get(record.suite, "cpu_us")
        if not record.error and figure in record.figures:
            place = (record.suite, record.server, record.connections)
            found.setdefault(place, {})[record.round] = record.figures[figure]
    for (suite, server, connections), mine in found.items():
        if (
            ratio := ratio_spread(mine, found.get((suite, _other_name(server), connections), {}))
        ) and server.startswith("ours"):
            figure = FIGURE_BY_SUITE.get(suite, "cpu_us")
            rows.append((suite, server, str(connections or ""), figure, ratio.format(3)))
    return rows
