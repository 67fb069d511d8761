"""Where log lines go, and what never stands in them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from doit_mcp import log
from doit_mcp.log import AUDIT, QUOTES_REQUESTS

NAMES = ("", "asyncio", AUDIT, *QUOTES_REQUESTS)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging is configured for the whole process."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(one.level, one.handlers[:], one.filters[:], one.propagate) for one in loggers]
    yield
    for one, (level, handlers, filters, propagate) in zip(loggers, before, strict=True):
        one.setLevel(level)
        one.handlers[:], one.filters[:], one.propagate = handlers, filters, propagate


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_what_asyncio_tells_of_exceptions_is_not_repeated() -> None:
    """X6: their text can hold anything; the class and the place help."""
    said = io.StringIO()
    log.configure("info", said)

    async def fails() -> None:
        raise ValueError("Bearer not-to-be-seen")

    loop = asyncio.get_running_loop()
    try:
        await fails()
    except ValueError as failure:
        context = {"message": "Task exception was never retrieved", "exception": failure, "note": "not-to-be-seen"}
        loop.default_exception_handler(context)
    (line,) = lines(said)
    assert line["message"] == "Task exception was never retrieved" and line["exception"] == "ValueError"
    assert "not-to-be-seen" not in said.getvalue() and "test_log.py" in said.getvalue()


@pytest.mark.parametrize("level", ["debug", "warning", "error"])
def test_what_was_changed_is_always_told(level: str) -> None:
    """G6: on a stream of its own, whatever the level of the rest."""
    said, changed = io.StringIO(), io.StringIO()
    log.configure(level, said, changed)
    logging.getLogger(AUDIT).info("write", extra={"tool": "create_label"})
    assert [line["tool"] for line in lines(changed)] == ["create_label"] and not said.getvalue()


def test_without_a_stream_of_its_own_it_stands_among_the_rest() -> None:
    said = io.StringIO()
    log.configure("error", said)
    logging.getLogger(AUDIT).info("write")
    logging.getLogger("elsewhere").info("unseen")
    assert [line["logger"] for line in lines(said)] == [AUDIT]
