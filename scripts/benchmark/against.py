"""Comparison with the server of another checkout, to show a change before and after in one run."""

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
# Results of other modes are separate tables.
COMPARABLE = ("load", "startup", "sessions", "streams")
HEADING = ("suite", "server", "connections", "figure", "ours over the other")
FIGURE_BY_SUITE = {"startup": "start_s", "sessions": "bytes_each", "streams": "bytes_each"}


def make_kind(directory: Path) -> ServerKind:
    """The server in *directory*, run with the same interpreter and packages as ours. Raises FileNotFoundError."""
    program = (directory / "scripts" / "bench_server.py").resolve(strict=True)
    return ServerKind(KIND_NAME, (sys.executable, str(program)))


def with_other_server(suite: Suite) -> Suite:
    """The suite with the other server after each entry of ours, started the same way."""
    if suite.mode not in COMPARABLE:
        return suite
    entries = [
        item
        for entry in suite.entries
        for item in (
            (entry, replace(entry, name=_other_name(entry.name), kind=KIND_NAME)) if entry.kind == "ours" else (entry,)
        )
    ]
    return replace(suite, entries=tuple(entries))


def _other_name(name: str) -> str:
    return name.replace("ours", KIND_NAME, 1)


def comparison_rows(records: Sequence[Measurement]) -> list[Sequence[str]]:
    """Rows, starting with the heading: the ratios of ours to the other, by round."""
    rows: list[Sequence[str]] = [HEADING]
    figures: dict[tuple[str, str, int], dict[int, float]] = {}
    for record in records:
        figure = FIGURE_BY_SUITE.get(record.suite, "cpu_us")
        if not record.error and figure in record.figures:
            key = (record.suite, record.server, record.connections)
            figures.setdefault(key, {})[record.round] = record.figures[figure]
    for (suite, server, connections), our_figures in figures.items():
        if (
            ratio := ratio_spread(our_figures, figures.get((suite, _other_name(server), connections), {}))
        ) and server.startswith("ours"):
            figure = FIGURE_BY_SUITE.get(suite, "cpu_us")
            rows.append((suite, server, str(connections or ""), figure, ratio.format(3)))
    return rows
