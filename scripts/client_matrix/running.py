"""Runs the checks of one client against a sandbox of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from scripts.client_matrix.checks import ACCESS_TTL_SECONDS, CHECKS, Session, Wrong
from scripts.client_matrix.driving import DriverFailed, Installed, running_driver
from scripts.client_matrix.registry import Client
from tests.e2e.answers import ADMIN
from tests.e2e.launch import SandboxFailed, running_sandbox
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

    def fail(self, checks: Iterable[str], error: Exception) -> None:
        """Make *checks* fail because of *error*."""
        reason = (
            str(error)
            if isinstance(error, (Wrong, DriverFailed, SandboxFailed))
            else f"{type(error).__name__}: {error}"
        )
        for check in checks:
            self.cells[check], self.failures[check] = FAILED, reason


def applies(check: str, client: Client) -> bool:
    """Return whether *client* has what *check* is about."""
    return {"refresh": client.oauth, "example": client.example is not None}.get(check, True)


async def run_client(client: Client, home: Path, directory: Path, checks: Collection[str] = tuple(CHECKS)) -> Row:
    """Return the results of *checks*. *home* has the client's packages; files go to *directory*.

    If the sandbox does not start, or ends, the checks that have no result fail.
    """
    work = directory / "client"
    work.mkdir()
    installed = Installed(client, home, work)
    ports = ("--port", str(unused_port()), "--sandbox-port", str(unused_port()))
    flags = ("--auto-approve", ADMIN, "--access-ttl", str(ACCESS_TTL_SECONDS), "--state-dir", str(directory / "state"))
    start = partial(running_sandbox, directory, *ports, *flags)
    row, names = Row(), [name for name in checks if applies(name, client)]
    try:
        with ExitStack() as running:
            sandbox = running.enter_context(start())

            def restart() -> None:
                running.close()
                running.enter_context(start())

            async with running_driver(installed, sandbox.mcp, sandbox.api_tokens[ADMIN]) as driver:
                await _run_checks(Session(installed, sandbox, driver, restart), names, row)
                row.revision = driver.revision or UNKNOWN
    except (SandboxFailed, OSError) as error:
        # After the last check, it is the stop of the sandbox that failed.
        row.fail([name for name in names if name not in row.cells] or names[-1:], error)
    return row


async def _run_checks(session: Session, names: Sequence[str], row: Row) -> None:
    for name in names:
        try:
            row.cells[name] = await CHECKS[name](session)
        except (Wrong, DriverFailed, SandboxFailed, OSError) as error:
            row.fail([name], error)
