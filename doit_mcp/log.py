"""Log lines: one JSON object each, on standard error. No value from outside can forge a line, or make one long."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import orjson

MOST_TEXT = 500
MOST_FRAMES = 12
MOST_ITEMS = 20
# What every record has by itself; the rest is what the caller said.
OWN = frozenset(vars(logging.makeLogRecord({})))
# Who changed what, for whom, and what became of it.
AUDIT = "doit_mcp.audit"
# aiohttp quotes the raw bytes of requests that it cannot parse, credentials and all.
QUOTES_REQUESTS = ("aiohttp.server", "aiohttp.web")


class Lines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, and its extra members."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; of an exception its class and where it came from, never its text, which can hold anything."""
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}+00:00",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        line |= {name: _plain(value) for name, value in vars(record).items() if name not in OWN}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = type(record.exc_info[1]).__name__
            line["at"] = _frames(record.exc_info[1])
        return orjson.dumps(line).decode()


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def _plain(value: object) -> object:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value[:MOST_ITEMS]]
    return value if isinstance(value, (bool, int, float)) or value is None else _cut(str(value))


@lru_cache(maxsize=4)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).replace(tzinfo=None).isoformat()


def _cut(text: str) -> str:
    if text.isascii() and len(text) <= MOST_TEXT:
        return text
    # Surrogates have no UTF-8 form.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


class _WithoutRequest(logging.Filter):
    """Says that there was a fault, in words of our own."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args, record.exc_info = "the HTTP layer refused or dropped a request", None, None
        return True


class _FirstLine(logging.Filter):
    """Keeps what happened, and not the objects it happened to: asyncio writes exceptions out, text and all (X6)."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        return True


def configure(level: str, stream: TextIO | None = None, audit: TextIO | None = None) -> None:
    """Send all logging of the process to *stream* (standard error), from *level* up; but what was changed, and by whom,
    to *audit* (the same stream), whatever the level (G6)."""
    # What no line tells, and would cost each of them as much as all it tells (logging, Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Asyncio's own remarks (slow callbacks, sockets) are for developers.
    own = logging.getLogger("asyncio")
    own.setLevel(logging.ERROR)
    own.addFilter(_FirstLine())
    _audit(handler if audit is None else logging.StreamHandler(audit))
    for name in QUOTES_REQUESTS:
        logging.getLogger(name).addFilter(_WithoutRequest())


def _audit(handler: logging.StreamHandler[TextIO]) -> None:
    handler.setFormatter(Lines())
    logger = logging.getLogger(AUDIT)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
