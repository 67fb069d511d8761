"""Options of the whole suite, ledgers that start fast, and a check after every test that no secret was logged."""

from __future__ import annotations

import copy
import functools
import logging
import re
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from doit_mcp.observability.logging_setup import REQUEST_QUOTING_LOGGERS, JsonFormatter, _RequestRedactingFilter
from doit_mcp.sandbox.api import billing_data

from .ledger_templates import CopiedLedger
from .scheduling import SharedFixtureScheduling

# Shapes that must never be logged, wherever they come from: (part of) a JWT, a bearer token, a request body.
SHAPES = re.compile(
    r"eyJ[A-Za-z0-9_-]{8}|(?i:bearer)\s+(?!resource_metadata)[A-Za-z0-9._~+/-]{12}|\"jsonrpc\\*\"", re.ASCII
)
RUNS = re.compile(r"[A-Za-z0-9_~+/=-]{16,}", re.ASCII)
# The only Hypothesis profile of the suite. It has no deadline, because the time an example takes depends on how busy
# the machine is. A failure prints the line that reproduces it elsewhere.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("suite")

LOGGERS = ("doit_mcp", "aiohttp", "asyncio")
# Where secrets are created, and how to get the secret: the result, or an argument by position.
SOURCES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("doit_mcp.sandbox.identity.signing", "SigningKeys.sign", lambda made, *given: made),
    ("doit_mcp.sandbox.identity.exchange", "TokenExchange.exchange", lambda made, *given: made["access_token"]),
    ("doit_mcp.auth.token_exchange", "make_client_assertion", lambda made, *given: made),
    ("doit_mcp.auth.token_exchange", "read_exchange_response", lambda made, *given: made.token),
    ("doit_mcp.auth.token_exchange", "TokenExchange.__init__", lambda made, *given: given[2]),
    ("doit_mcp.auth.api_tokens", "ApiTokenVerifier.verify", lambda made, *given: given[1]),
    ("doit_mcp.server.session_ids", "SessionIds.issue", lambda made, *given: made),
    ("tests.auth.minting", "Signer.raw", lambda made, *given: made),
)
SHORTEST = 12


def pytest_configure(config: pytest.Config) -> None:
    """Restore the signals that a shell ignores in background jobs and nohup: processes under test inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that rewrite transcripts and pictures, for changes that are reviewed."""
    parser.addoption("--rewrite-transcripts", action="store_true", help="rewrite tests/transcripts, for review")
    parser.addoption("--rewrite-pictures", action="store_true", help="rewrite docs/_static/views, for review")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedFixtureScheduling:
    """Group tests by the fixtures that they share."""
    return SharedFixtureScheduling(config, log)


class Guard(logging.Handler):
    """Inspects each record in its production format, and records of this package also in full, with exceptions."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self._lines, self._plain = JsonFormatter(), logging.Formatter("%(message)s")
        self._without_request = _RequestRedactingFilter()
        # Fragments of secrets created during the tests, and secrets to match as a whole.
        self._pieces: set[str] = set()
        self._whole: set[str] = set()

    def learn(self, secret: object) -> None:
        """Remember a secret: neither it nor any of its dot-separated parts may be logged."""
        if isinstance(secret, str) and len(secret) >= SHORTEST:
            self._pieces.update(RUNS.findall(secret))
            if not RUNS.fullmatch(secret) and "." not in secret:
                self._whole.add(secret)

    def emit(self, record: logging.LogRecord) -> None:
        """Note the record if it contains a secret."""
        if record.name.startswith(REQUEST_QUOTING_LOGGERS):
            record = copy.copy(record)
            self._without_request.filter(record)
        text = self._lines.format(record)
        if record.name.startswith("doit_mcp"):
            text += "\n" + self._plain.format(copy.copy(record))
        if self.detects(text):
            self.leaks.append(f"{record.name}: {text[:2000]}")

    def detects(self, text: str) -> bool:
        """Return whether *text* contains a secret or something that looks like one."""
        if SHAPES.search(text) or any(secret in text for secret in self._whole):
            return True
        return any(run in self._pieces for run in RUNS.findall(text))

    def take_leaks(self) -> list[str]:
        """Return the leaks found since the last call."""
        leaks, self.leaks = self.leaks, []
        return leaks


GUARD = Guard()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start watching after collection, when all modules that create secrets have been imported."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if GUARD not in logger.handlers:
            logger.addHandler(GUARD)
    logging.getLogger("doit_mcp").setLevel(logging.DEBUG)
    for module, path, secret in SOURCES:
        _listen_at(import_module(module), path, secret)


def _listen_at(place: Any, path: str, secret: Callable[..., Any]) -> None:
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, place)
    value = getattr(owner, name)
    if hasattr(value, "listened"):
        return

    @functools.wraps(value)
    def listening(*given: Any, **named: Any) -> Any:
        result = value(*given, **named)
        GUARD.learn(secret(result, *given, *named.values()))
        return result

    listening.listened = True  # type: ignore[attr-defined]  # state of the hook
    setattr(owner, name, listening)


@pytest.fixture(scope="session", autouse=True)
def copied_ledgers() -> Iterator[None]:
    """Let sandboxes in this process copy the ledger of an earlier one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(billing_data, "Ledger", CopiedLedger)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail a test that logged a secret, including while its servers stopped."""
    result = yield
    if leaks := GUARD.take_leaks():
        pytest.fail("a secret was logged:\n" + "\n".join(leaks[:5]), pytrace=False)
    return result
