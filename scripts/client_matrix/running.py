"""Runs the checks of one client against a sandbox of its own."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from scripts.client_matrix.checks import ACCESS_TTL_SECONDS, CHECKS, Session, Wrong
from scripts.client_matrix.driving import DriverFailed, Installed, running_driver
from scripts.client_matrix.registry import Client
from tests.e2e.answers import ADMIN
from tests.e2e.launch import running_sandbox
from tests.loopback_ports import unused_port

NOT_APPLICABLE = "-"
FAILED = "FAILED"
UNKNOWN = "?"


@dataclass(slots=True)
class Row:
    """The results of a client, by check: what the table shows, and why it failed."""

    revision: str = UNKNOWN
    cells: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def applies(check: str, client: Client) -> bool:
    """Return whether *client* has what *check* is about."""
    return {"refresh": client.oauth, "example": client.example is not None}.get(check, True)


async def run_client(client: Client, home: Path, directory: Path, checks: Collection[str] = tuple(CHECKS)) -> Row:
    """Return the results of *checks*. *home* has the client's packages; files go to *directory*."""
    work = directory / "client"
    work.mkdir()
    installed = Installed(client, home, work)
    ports = ("--port", str(unused_port()), "--world-port", str(unused_port()))
    flags = ("--auto-approve", ADMIN, "--access-ttl", str(ACCESS_TTL_SECONDS), "--state-dir", str(directory / "state"))
    start = partial(running_sandbox, directory, *ports, *flags)
    with ExitStack() as running:
        sandbox = running.enter_context(start())

        def restart() -> None:
            running.close()
            running.enter_context(start())

        async with running_driver(installed, sandbox.mcp, sandbox.api_tokens[ADMIN]) as driver:
            session = Session(installed, sandbox, driver, restart)
            row = await _run_checks(session, [name for name in checks if applies(name, client)])
            row.revision = driver.revision or UNKNOWN
    return row


async def _run_checks(session: Session, names: Collection[str]) -> Row:
    row = Row()
    for name in names:
        try:
            row.cells[name] = await CHECKS[name](session)
        except (Wrong, DriverFailed) as error:
            row.cells[name], row.failures[name] = FAILED, str(error)
    return row
