"""Command of the matrix: installs clients, runs them one after the other, and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.client_matrix.checks import CHECKS
from scripts.client_matrix.packages import install
from scripts.client_matrix.registry import CLIENTS, Client
from scripts.client_matrix.running import NOT_APPLICABLE, Row, applies, run_client
from tests.e2e.node_packages import NotInstalled

HEAD = ("client", "version", "revision", *CHECKS)
NAMES = {client.key: client for client in CLIENTS}


def run(client: Client) -> Row | NotInstalled:
    """Return the results of *client*, or why it cannot be installed."""
    try:
        home = install(client)
    except NotInstalled as error:
        return error
    with tempfile.TemporaryDirectory(prefix="doit-mcp-clients-", ignore_cleanup_errors=True) as directory:
        try:
            return asyncio.run(run_client(client, home, Path(directory)))
        except Exception as error:  # A defect of one driver must not lose the results of the other clients.
            row = Row()
            row.fail([check for check in CHECKS if applies(check, client)], error)
            return row


def table(results: Sequence[tuple[Client, Row | NotInstalled]]) -> str:
    """Return one line per client, and below the table each failure and each reason of a missing client."""
    lines, notes = [HEAD], []
    for client, result in results:
        if isinstance(result, NotInstalled):
            lines.append((client.name, client.version, "not installed", *[""] * len(CHECKS)))
            notes.append(f"{client.key}: not installed: {result}")
            continue
        cells = [result.cells.get(column, NOT_APPLICABLE) for column in CHECKS]
        lines.append((client.name, client.version, result.revision, *cells))
        by_reason: dict[str, list[str]] = {}
        for column, reason in result.failures.items():
            by_reason.setdefault(reason, []).append(column)
        notes += [f"{client.key}: {', '.join(columns)}: {reason}" for reason, columns in by_reason.items()]
    widths = [max(map(len, column)) for column in zip(*lines)]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([*rows, "", *notes]).rstrip()


def exit_status(results: Sequence[Row | NotInstalled]) -> int:
    """Return 1 if a client failed, 2 if none failed but some are not installed, otherwise 0."""
    if any(isinstance(result, Row) and result.failures for result in results):
        return 1
    return 2 if any(isinstance(result, NotInstalled) for result in results) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the clients named in *arguments*, or all, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/clients",
        description="Run real clients and agent frameworks against the sandbox, and print what works. "
        "The exit status is 1 if a client fails, and 2 if some cannot be installed here.",
    )
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"default: all of {', '.join(NAMES)}")
    names = parser.parse_args(arguments).clients or list(NAMES)
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"unknown client {', '.join(unknown)}; choose from {', '.join(NAMES)}")
    results = []
    for name in names:
        print(f"Running {name}", file=sys.stderr, flush=True)
        results.append((NAMES[name], run(NAMES[name])))
    print(table(results))
    return exit_status([result for _, result in results])


if __name__ == "__main__":
    sys.exit(main())
