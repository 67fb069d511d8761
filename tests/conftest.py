"""Options of the whole suite, and what holds for every test: nothing secret is logged."""

from __future__ import annotations

import copy
import functools
import logging
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from doit_mcp.observability.logging_setup import REQUEST_QUOTING_LOGGERS, JsonFormatter, _RequestRedactingFilter

# What shows that something was logged that must not be, whoever made it: (part of) a JWT, a bearer, a request's body.
SHAPES = re.compile(
    r"eyJ[A-Za-z0-9_-]{8}|(?i:bearer)\s+(?!resource_metadata)[A-Za-z0-9._~+/-]{12}|\"jsonrpc\\*\"", re.ASCII
)
RUNS = re.compile(r"[A-Za-z0-9_~+/=-]{16,}", re.ASCII)
# The one Hypothesis profile of the suite. How long an example takes depends on how busy the machine is, so it proves
# nothing; a failure prints the line that reproduces it elsewhere.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("suite")

LOGGERS = ("doit_mcp", "aiohttp", "asyncio")
# Where secrets are made, and what of it is one: the result, or an argument by its place.
SOURCES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("doit_mcp.sandbox.identity.signing", "SigningKeys.sign", lambda made, *given: made),
    ("doit_mcp.sandbox.identity.exchange", "TokenExchange.exchange", lambda made, *given: made["access_token"]),
    ("doit_mcp.auth.token_exchange", "make_client_assertion", lambda made, *given: made),
    ("doit_mcp.auth.token_exchange", "read_exchange_response", lambda made, *given: made.token),
    ("doit_mcp.auth.token_exchange", "TokenExchange.__init__", lambda made, *given: given[2]),
    ("doit_mcp.auth.api_tokens", "ApiTokenVerifier.verify", lambda made, *given: given[1]),
    ("tests.auth.minting", "Signer.raw", lambda made, *given: made),
)
SHORTEST = 12


def pytest_addoption(parser: pytest.Parser) -> None:
    """Transcripts are read by people against the specification, so only somebody who does that rewrites them."""
    parser.addoption("--rewrite-transcripts", action="store_true", help="write tests/transcripts anew, for review")


class Guard(logging.Handler):
    """Looks at every record as production would write it, and at ours whole, with the texts of their exceptions."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.leaks: list[str] = []
        self._lines, self._plain = JsonFormatter(), logging.Formatter("%(message)s")
        self._without_request = _RequestRedactingFilter()
        # Pieces of secrets that are made as the tests go; whole secrets that are there from the beginning.
        self._pieces: set[str] = set()
        self._whole: set[str] = set()

    def learn(self, secret: object) -> None:
        """This must not be logged, nor any part of it between two dots."""
        if isinstance(secret, str) and len(secret) >= SHORTEST:
            self._pieces.update(RUNS.findall(secret))
            if not RUNS.fullmatch(secret) and "." not in secret:
                self._whole.add(secret)

    def emit(self, record: logging.LogRecord) -> None:
        """Note the record if it tells a secret."""
        if record.name.startswith(REQUEST_QUOTING_LOGGERS):
            record = copy.copy(record)
            self._without_request.filter(record)
        text = self._lines.format(record)
        if record.name.startswith("doit_mcp"):
            text += "\n" + self._plain.format(copy.copy(record))
        if self.tells(text):
            self.leaks.append(f"{record.name}: {text[:2000]}")

    def tells(self, text: str) -> bool:
        """Whether a secret, or what looks like one, is in *text*."""
        if SHAPES.search(text) or any(secret in text for secret in self._whole):
            return True
        return any(run in self._pieces for run in RUNS.findall(text))

    def taken(self) -> list[str]:
        """What was told since the last time."""
        leaks, self.leaks = self.leaks, []
        return leaks


GUARD = Guard()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Listen, once everything is imported that secrets come from."""
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
    made = getattr(owner, name)
    if hasattr(made, "listened"):
        return

    @functools.wraps(made)
    def listening(*given: Any, **named: Any) -> Any:
        result = made(*given, **named)
        GUARD.learn(secret(result, *given, *named.values()))
        return result

    listening.listened = True  # type: ignore[attr-defined]
    setattr(owner, name, listening)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """A test fails whose log told a secret, at the latest while its servers stopped."""
    result = yield
    if leaks := GUARD.taken():
        pytest.fail("a secret was logged:\n" + "\n".join(leaks[:5]), pytrace=False)
    return result
