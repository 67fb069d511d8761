"""Options of the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Transcripts are read by people against the specification, so only somebody who does that rewrites them."""
    parser.addoption("--rewrite-transcripts", action="store_true", help="write tests/transcripts anew, for review")
