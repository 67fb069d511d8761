"""Fixtures of the end-to-end tests: sandboxes, expected results, and the Node clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.answers import ADMIN, ExpectedResults, expected_results
from tests.e2e.launch import Sandbox, running_sandbox
from tests.e2e.node_packages import NODE, NotInstalled, install, unavailable

APPROVE = ("--auto-approve", ADMIN)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in which the Acme admin approves every sign-in."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), *APPROVE) as running:
        yield running


@pytest.fixture(scope="session")
def sandbox_asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that shows its sign-in and consent pages."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox-asking")) as running:
        yield running


@pytest.fixture(scope="session")
def sandbox_brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose access tokens live two seconds."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox-brief"), *APPROVE, "--access-ttl", "2") as running:
        yield running


@pytest.fixture(scope="session")
def expected(sandbox: Sandbox) -> ExpectedResults:
    """What the tools must return to the Acme admin."""
    return expected_results(sandbox.services, sandbox.api_tokens[ADMIN])


@pytest.fixture(scope="session")
def node() -> Path:
    """The directory with the installed Node clients."""
    try:
        install()
    except NotInstalled as error:
        unavailable(str(error))
    return NODE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show the output of the sandboxes that a failed test used."""
    report: Any = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Sandbox):
                report.sections.append((f"output of {name}", value.tail()))
    return report
