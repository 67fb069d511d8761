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
from .log_writer import MAX_WRITE_BYTES, LogStream, MissingLogStream

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

MAX_TEXT_LENGTH = 500
MAX_FRAMES = 12
MAX_ITEMS = 20
# So many attributes every record has by itself, before those that the caller added.
STANDARD_ATTRIBUTE_COUNT = len(vars(logging.makeLogRecord({})))
# A line and its line feed: several processes may share a pipe, and longer lines would mix there.
MAX_LINE_BYTES = MAX_WRITE_BYTES
# Fields that every line keeps, however long the others are.
REQUIRED_FIELDS = ("time", "level", "logger", "message", "outcome", "tool", "subject", "customer", "trace")
# Of them if they are too long themselves. A character takes up to six bytes of JSON.
MAX_REQUIRED_TEXT_LENGTH = 64
# What a line that is too long is tried with, one after the other: characters of its texts, items of its lists.
SHORTENING_STEPS = ((200, 20), (100, 10), (50, 5), (20, 3))
# Who changed what, for whom, and what became of it.
AUDIT_LOGGER = "doit_mcp.audit"
# Those of this process: "log", and "audit" where that has one of its own.
LOG_STREAMS: dict[str, LogStream | MissingLogStream] = {}
FLUSH_TIMEOUT_SECONDS = 2.0
"""What the end of the process waits for a reader, for all streams together."""
FINAL_FLUSH_TIMEOUT_SECONDS = 0.5
"""And then for the line that says what was not written."""
# aiohttp quotes the raw bytes of requests that it cannot parse, credentials and all.
REQUEST_QUOTING_LOGGERS = ("aiohttp.server", "aiohttp.web")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, and its extra members."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as text."""
        return self.format_bytes(record).decode()

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """The line; of an exception its class and where it came from, never its text, which can hold anything."""
        line: dict[str, Any] = {
            "time": f"{_format_second(int(record.created))}.{int(record.msecs):03d}+00:00",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _truncate(record.getMessage()),
        }
        line |= {
            name: _to_json_value(value) for name, value in islice(vars(record).items(), STANDARD_ATTRIBUTE_COUNT, None)
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = type(record.exc_info[1]).__name__
            line["at"] = _format_frames(record.exc_info[1])
        data = orjson.dumps(line)
        return data if len(data) < MAX_LINE_BYTES else _encode_shortened(line)


def _encode_shortened(line: dict[str, Any]) -> bytes:
    """*line*, which is plain, as JSON of less than MAX_LINE_BYTES."""
    kept = {name: line[name] for name in REQUIRED_FIELDS if name in line}
    for max_text, max_items in SHORTENING_STEPS:
        others = {name: _to_json_value(value, max_text, max_items) for name, value in line.items() if name not in kept}
        data = orjson.dumps({**kept, **others, "shortened": True})
        if len(data) < MAX_LINE_BYTES:
            return data
    short = {name: _truncate(str(value), MAX_REQUIRED_TEXT_LENGTH) for name, value in kept.items()}
    return orjson.dumps({**short, "shortened": True})


def _format_frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def _to_json_value(value: object, max_text: int = MAX_TEXT_LENGTH, max_items: int = MAX_ITEMS) -> object:
    if isinstance(value, str):
        return _truncate(value, max_text)
    if isinstance(value, (tuple, list)):
        return [_to_json_value(one, max_text, max_items) for one in value[:max_items]]
    if isinstance(value, dict):
        items = list(value.items())[:max_items]
        return {_truncate(str(name), max_text): _to_json_value(one, max_text, max_items) for name, one in items}
    return value if isinstance(value, (bool, int, float)) or value is None else _truncate(str(value))


@lru_cache(maxsize=4)
def _format_second(epoch_seconds: int) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).replace(tzinfo=None).isoformat()


def _truncate(text: str, max_text: int = MAX_TEXT_LENGTH) -> str:
    if text.isascii() and len(text) <= max_text:
        return text
    # Surrogates have no UTF-8 form.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= max_text else text[: max_text - 1] + "…"


class _RequestRedactingFilter(logging.Filter):
    """Says that there was a fault, in words of our own."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args, record.exc_info = "the HTTP layer refused or dropped a request", None, None
        return True


class _FirstLineFilter(logging.Filter):
    """Keeps what happened, and not the objects it happened to: asyncio writes exceptions out, text and all."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        return True


class LogStreamHandler(logging.Handler):
    """Queues each record's line for *stream*."""

    def __init__(self, stream: LogStream | MissingLogStream) -> None:
        super().__init__()
        self._stream, self._formatter = stream, JsonFormatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits, and raises nothing."""
        try:
            line = self._formatter.format_bytes(record)
        except Exception as failure:
            line = _formatting_error_line(record, failure)
        self._stream.put(line + b"\n")


def _formatting_error_line(record: logging.LogRecord, failure: Exception) -> bytes:
    """The line of a record that cannot be made one. The standard library prints such a record with its arguments."""
    return _make_line("error", "a record could not be logged", about=record.name, exception=type(failure).__name__)


def _make_line(level: str, message: str, **extra: object) -> bytes:
    record = logging.makeLogRecord({"name": __name__, "levelname": level, "msg": message, **extra})
    return JsonFormatter().format_bytes(record)


def configure(
    level: str, stream: TextIO | None = None, audit: TextIO | None = None, *, separate_audit: bool = False
) -> None:
    """Send all logging of the process to *stream* (standard error), from *level* up; but what was changed, and by whom,
    to *audit* (the same stream), whatever the level. Both need a file descriptor.

    With *separate_audit*, an *audit* of None is a stream that is missing: its lines name users, which no other log may.
    """
    # What no line tells, and would cost each of them as much as all it tells (logging, Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    LOG_STREAMS.clear()
    handler = LogStreamHandler(_open_stream("log", stream or sys.stderr))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Asyncio's own remarks (slow callbacks, sockets) are for developers.
    own = logging.getLogger("asyncio")
    own.setLevel(logging.ERROR)
    own.addFilter(_FirstLineFilter())
    _configure_audit(
        handler if audit is None and not separate_audit else LogStreamHandler(_open_stream("audit", audit))
    )
    for name in REQUEST_QUOTING_LOGGERS:
        logging.getLogger(name).addFilter(_RequestRedactingFilter())
    _capture_python_output()
    atexit.unregister(flush_at_exit)
    atexit.register(flush_at_exit)


def _open_stream(name: str, stream: TextIO | None) -> LogStream | MissingLogStream:
    def report(dropped: int) -> bytes:
        return _make_line("warning", f"{_line_count_phrase(dropped)} dropped", stream=name, dropped=dropped) + b"\n"

    if stream is None or not is_writable(stream.fileno()):
        LOG_STREAMS[name] = missing = MissingLogStream()
        return missing
    # A descriptor of its own: that of a stream which is closed may be given to something else.
    LOG_STREAMS[name] = made = LogStream(os.dup(stream.fileno()), report)
    return made


def _line_count_phrase(number: int) -> str:
    return "1 line was" if number == 1 else f"{number} lines were"


def _configure_audit(handler: LogStreamHandler) -> None:
    logger = logging.getLogger(AUDIT_LOGGER)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _capture_python_output() -> None:
    """Warnings, and exceptions that cannot be raised, would be printed on standard error by whoever meets them."""
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addFilter(_FirstLineFilter())
    sys.unraisablehook = _log_unraisable


def _log_unraisable(unraisable: UnraisableHookArgs) -> None:
    value, frames = unraisable.exc_value, unraisable.exc_traceback
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if value is not None:
        exc_info = (type(value), value, frames)
    logging.getLogger(__name__).error("an exception could not be raised", exc_info=exc_info)


def flush(timeout: float = FLUSH_TIMEOUT_SECONDS) -> None:
    """Wait until everything logged so far is written, or for so many seconds."""
    ends = time.monotonic() + timeout
    for mark in [stream.make_flush_event() for stream in LOG_STREAMS.values()]:
        mark.wait(max(0.0, ends - time.monotonic()))


def flush_at_exit() -> None:
    """Flush, then say on the other streams how many lines of a stream were not written. The process ends next."""
    flush()
    for name, stream in LOG_STREAMS.items():
        if missing := stream.unreported_lines:
            line = _make_line("error", f"{_line_count_phrase(missing)} not written", stream=name, missing=missing)
            for other in LOG_STREAMS.values():
                if other is not stream:
                    other.put(line + b"\n")
    flush(FINAL_FLUSH_TIMEOUT_SECONDS)


async def is_audit_log_working() -> bool:
    """Whether what is changed now will be on record: the audit log works, and has every line so far. It gets
    STALL_SECONDS to write those that wait."""
    stream = LOG_STREAMS.get("audit", LOG_STREAMS.get("log"))
    if stream is None or stream.failing:
        return False
    if stream.pending_lines:
        loop, written = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # A loop that is closed has nobody who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(written.set)

        stream.call_when_flushed(wake)
        try:
            async with asyncio.timeout(log_writer.STALL_SECONDS):
                await written.wait()
        except TimeoutError:
            return False
    return not stream.failing
