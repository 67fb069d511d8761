"""Log lines: one JSON object each, on standard error. No value from outside can forge a line, or make one long.

Lines are made where something is logged, so later changes of an object do not show and nothing but text is queued; a
thread writes them (see :mod:`.log_stream`).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import sys
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from ..process.file_descriptors import is_writable
from . import log_writer
from .log_writer import MAX_WRITE_BYTES, LogStream, MissingStream

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

MOST_TEXT = 500
MOST_FRAMES = 12
MOST_ITEMS = 20
# So many attributes every record has by itself, before those that the caller added.
OWN_ATTRIBUTES = len(vars(logging.makeLogRecord({})))
# A line and its line feed: several processes may share a pipe, and longer lines would mix there.
MAX_LINE_BYTES = MAX_WRITE_BYTES
# Fields that every line keeps, however long the others are.
KEPT = ("time", "level", "logger", "message", "outcome", "tool", "subject", "customer", "trace")
# Of them if they are too long themselves. A character takes up to six bytes of JSON.
MAX_KEPT_TEXT = 64
# What a line that is too long is tried with, one after the other: characters of its texts, items of its lists.
SHORTER = ((200, 20), (100, 10), (50, 5), (20, 3))
# Who changed what, for whom, and what became of it.
AUDIT = "doit_mcp.audit"
# Those of this process: "log", and "audit" where that has one of its own.
STREAMS: dict[str, LogStream | MissingStream] = {}
FLUSH_SECONDS = 2.0
"""What the end of the process waits for a reader, for all streams together."""
LAST_LINE_SECONDS = 0.5
"""And then for the line that says what was not written."""
# aiohttp quotes the raw bytes of requests that it cannot parse, credentials and all.
QUOTES_REQUESTS = ("aiohttp.server", "aiohttp.web")


class Lines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, and its extra members."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as text."""
        return self.encoded(record).decode()

    def encoded(self, record: logging.LogRecord) -> bytes:
        """The line; of an exception its class and where it came from, never its text, which can hold anything."""
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}+00:00",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        line |= {name: _plain(value) for name, value in islice(vars(record).items(), OWN_ATTRIBUTES, None)}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = type(record.exc_info[1]).__name__
            line["at"] = _frames(record.exc_info[1])
        data = orjson.dumps(line)
        return data if len(data) < MAX_LINE_BYTES else _shortened(line)


def _shortened(line: dict[str, Any]) -> bytes:
    """*line*, which is plain, as JSON of less than MAX_LINE_BYTES."""
    kept = {name: line[name] for name in KEPT if name in line}
    for max_text, max_items in SHORTER:
        others = {name: _plain(value, max_text, max_items) for name, value in line.items() if name not in kept}
        data = orjson.dumps({**kept, **others, "shortened": True})
        if len(data) < MAX_LINE_BYTES:
            return data
    short = {name: _cut(str(value), MAX_KEPT_TEXT) for name, value in kept.items()}
    return orjson.dumps({**short, "shortened": True})


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def _plain(value: object, max_text: int = MOST_TEXT, max_items: int = MOST_ITEMS) -> object:
    if isinstance(value, str):
        return _cut(value, max_text)
    if isinstance(value, (tuple, list)):
        return [_plain(one, max_text, max_items) for one in value[:max_items]]
    if isinstance(value, dict):
        items = list(value.items())[:max_items]
        return {_cut(str(name), max_text): _plain(one, max_text, max_items) for name, one in items}
    return value if isinstance(value, (bool, int, float)) or value is None else _cut(str(value))


@lru_cache(maxsize=4)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).replace(tzinfo=None).isoformat()


def _cut(text: str, max_text: int = MOST_TEXT) -> str:
    if text.isascii() and len(text) <= max_text:
        return text
    # Surrogates have no UTF-8 form.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= max_text else text[: max_text - 1] + "…"


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


class Queued(logging.Handler):
    """Queues each record's line for *stream*."""

    def __init__(self, stream: LogStream | MissingStream) -> None:
        super().__init__()
        self._stream, self._lines = stream, Lines()

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits, and raises nothing."""
        try:
            line = self._lines.encoded(record)
        except Exception as failure:
            line = _unformatted(record, failure)
        self._stream.put(line + b"\n")


def _unformatted(record: logging.LogRecord, failure: Exception) -> bytes:
    """The line of a record that cannot be made one. The standard library prints such a record with its arguments."""
    return _own_line("error", "a record could not be logged", about=record.name, exception=type(failure).__name__)


def _own_line(level: str, message: str, **more: object) -> bytes:
    record = logging.makeLogRecord({"name": __name__, "levelname": level, "msg": message, **more})
    return Lines().encoded(record)


def configure(
    level: str, stream: TextIO | None = None, audit: TextIO | None = None, *, separate_audit: bool = False
) -> None:
    """Send all logging of the process to *stream* (standard error), from *level* up; but what was changed, and by whom,
    to *audit* (the same stream), whatever the level (G6). Both need a file descriptor.

    With *separate_audit*, an *audit* of None is a stream that is missing: its lines name users, which no other log may.
    """
    # What no line tells, and would cost each of them as much as all it tells (logging, Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    STREAMS.clear()
    handler = Queued(_opened("log", stream or sys.stderr))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Asyncio's own remarks (slow callbacks, sockets) are for developers.
    own = logging.getLogger("asyncio")
    own.setLevel(logging.ERROR)
    own.addFilter(_FirstLine())
    _audit(handler if audit is None and not separate_audit else Queued(_opened("audit", audit)))
    for name in QUOTES_REQUESTS:
        logging.getLogger(name).addFilter(_WithoutRequest())
    _take_what_python_prints()
    atexit.unregister(finish)
    atexit.register(finish)


def _opened(name: str, stream: TextIO | None) -> LogStream | MissingStream:
    def report(dropped: int) -> bytes:
        return _own_line("warning", f"{_lines_were(dropped)} dropped", stream=name, dropped=dropped) + b"\n"

    if stream is None or not is_writable(stream.fileno()):
        STREAMS[name] = missing = MissingStream()
        return missing
    # A descriptor of its own: that of a stream which is closed may be given to something else.
    STREAMS[name] = made = LogStream(os.dup(stream.fileno()), report)
    return made


def _lines_were(number: int) -> str:
    return "1 line was" if number == 1 else f"{number} lines were"


def _audit(handler: Queued) -> None:
    logger = logging.getLogger(AUDIT)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _take_what_python_prints() -> None:
    """Warnings, and exceptions that cannot be raised, would be printed on standard error by whoever meets them."""
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addFilter(_FirstLine())
    sys.unraisablehook = _log_unraisable


def _log_unraisable(unraisable: UnraisableHookArgs) -> None:
    value, frames = unraisable.exc_value, unraisable.exc_traceback
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if value is not None:
        exc_info = (type(value), value, frames)
    logging.getLogger(__name__).error("an exception could not be raised", exc_info=exc_info)


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """Wait until everything logged so far is written, or for so many seconds."""
    ends = time.monotonic() + seconds
    for mark in [stream.mark() for stream in STREAMS.values()]:
        mark.wait(max(0.0, ends - time.monotonic()))


def finish() -> None:
    """Flush, then say on the other streams how many lines of a stream were not written. The process ends next."""
    flush()
    for name, stream in STREAMS.items():
        if missing := stream.missing:
            line = _own_line("error", f"{_lines_were(missing)} not written", stream=name, missing=missing)
            for other in STREAMS.values():
                if other is not stream:
                    other.put(line + b"\n")
    flush(LAST_LINE_SECONDS)


async def is_audit_recording() -> bool:
    """Whether what is changed now will be on record: the audit log works, and has every line so far. It gets
    STALL_SECONDS to write those that wait."""
    stream = STREAMS.get("audit", STREAMS.get("log"))
    if stream is None or stream.failing:
        return False
    if stream.waiting:
        loop, written = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # A loop that is closed has nobody who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(written.set)

        stream.call_after(wake)
        try:
            async with asyncio.timeout(log_writer.STALL_SECONDS):
                await written.wait()
        except TimeoutError:
            return False
    return not stream.failing
