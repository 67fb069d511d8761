"""Command of the matrix: installs clients, runs them one after the other, and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.client_matrix.checks import COLUMNS, NOT_APPLICABLE, Row, run_client
from scripts.client_matrix.driving import Installed
from scripts.client_matrix.packages import install
from scripts.client_matrix.registry import CLIENTS, Client
from tests.e2e.node_packages import NotInstalled

HEAD = ("client", "version", "revision", *COLUMNS)
NAMES = {client.key: client for client in CLIENTS}


def run(client: Client) -> Row | NotInstalled:
    """Return the results of *client*, or why it cannot be installed."""
    try:
        home = install(client)
    except NotInstalled as error:
        return error
    with tempfile.TemporaryDirectory(prefix="doit-mcp-clients-") as directory:
        work = Path(directory) / "client"
        work.mkdir()
        return asyncio.run(run_client(Installed(client, home, work), Path(directory)))


def table(results: Sequence[tuple[Client, Row | NotInstalled]]) -> str:
    """Return one line per client, and below the table each failure and each reason of a missing client."""
    lines, notes = [HEAD], []
    for client, result in results:
        if isinstance(result, NotInstalled):
            lines.append((client.name, client.version, "not installed", *[""] * len(COLUMNS)))
            notes.append(f"{client.key}: not installed: {result}")
            continue
        cells = [result.cells.get(column, NOT_APPLICABLE) for column in COLUMNS]
        lines.append((client.name, client.version, result.revision, *cells))
        by_reason: dict[str, list[str]] = {}
        for column, reason in result.failures.items():
            by_reason.setdefault(reason, []).append(column)
        notes += [f"{client.key}: {', '.join(columns)}: {reason}" for reason, columns in by_reason.items()]
    widths = [max(map(len, column)) for column in zip(*lines)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([*rows, "", *notes]).rstrip()


def main() -> int:
    """Run the clients named on the command line, or all. The exit status is 1 if one of them fails."""
    parser = argparse.ArgumentParser(
        prog="scripts/clients", description="Run real clients and agent frameworks against the sandbox."
    )
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"default: all of {', '.join(NAMES)}")
    names = parser.parse_args().clients or list(NAMES)
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"unknown client {', '.join(unknown)}; choose from {', '.join(NAMES)}")
    results = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results.append((NAMES[name], run(NAMES[name])))
    print(table(results))
    return int(any(isinstance(result, Row) and bool(result.failures) for _, result in results))


if __name__ == "__main__":
    sys.exit(main())
