"""Logging of the process: lines on standard error, and the audit log. No value can forge or lengthen a line.

Lines are formatted in the call that logs, so that they show objects as they were. Only bytes are queued for the thread
that writes them (see :mod:`.log_writer`).
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
from .text_lines import format_text_line

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

MAX_TEXT_LENGTH = 500
MAX_FRAMES = 12
MAX_ITEMS = 20
# Attributes of every record, which come before those in ``extra``.
STANDARD_ATTRIBUTE_COUNT = len(vars(logging.makeLogRecord({})))
# Including the line feed. Several processes may share a pipe, where longer lines would be interleaved.
MAX_LINE_BYTES = MAX_WRITE_BYTES
# Fields that are kept in a line even if it is shortened.
REQUIRED_FIELDS = ("time", "level", "logger", "message", "outcome", "tool", "subject", "customer", "trace")
# The limit of these fields if they alone make the line too long. A character takes up to six bytes of JSON.
MAX_REQUIRED_TEXT_LENGTH = 64
# The limits tried in turn for a line that is too long: characters per text, items per list.
SHORTENING_STEPS = ((200, 20), (100, 10), (50, 5), (20, 3))
# Records who changed what, for which customer, and with what outcome.
AUDIT_LOGGER = "doit_mcp.audit"
# The streams of this process: "log", and "audit" if the audit log is separate.
LOG_STREAMS: dict[str, LogStream | MissingLogStream] = {}
FLUSH_TIMEOUT_SECONDS = 2.0
"""How long the process waits at exit for the readers of all streams together."""
FINAL_FLUSH_TIMEOUT_SECONDS = 0.5
"""How long it then waits for the line that reports what was not written."""
# aiohttp quotes the raw bytes of requests that it cannot parse, including credentials.
REQUEST_QUOTING_LOGGERS = ("aiohttp.server", "aiohttp.web")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, and the fields in ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as text."""
        return self.format_bytes(record).decode()

    def format_bytes(self, record: logging.LogRecord) -> bytes:
        """Return the line as UTF-8, without line feed.

        An exception is represented by its class and frames, never by its message, which may contain anything.
        """
        line: dict[str, Any] = {
            "time": f"{_format_second(int(record.created))}.{int(record.msecs):03d}+00:00",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _truncate(record.getMessage()),
        }
        for name, value in islice(vars(record).items(), STANDARD_ATTRIBUTE_COUNT, None):
            # Fast path: nearly all values are numbers and short ASCII text.
            kind = type(value)
            is_plain = (
                len(value) <= MAX_TEXT_LENGTH and value.isascii() if kind is str else kind is int or kind is float
            )
            line[name] = value if is_plain else _to_json_value(value)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = type(record.exc_info[1]).__name__
            line["at"] = _format_frames(record.exc_info[1])
        data = orjson.dumps(line)
        return data if len(data) < MAX_LINE_BYTES else _encode_shortened(line)


def _encode_shortened(line: dict[str, Any]) -> bytes:
    """Encode *line*, whose values are JSON values, shortened to less than MAX_LINE_BYTES."""
    required = {name: line[name] for name in REQUIRED_FIELDS if name in line}
    for max_text, max_items in SHORTENING_STEPS:
        optional = {
            name: _to_json_value(value, max_text, max_items) for name, value in line.items() if name not in required
        }
        data = orjson.dumps({**required, **optional, "shortened": True})
        if len(data) < MAX_LINE_BYTES:
            return data
    shortened = {name: _truncate(str(value), MAX_REQUIRED_TEXT_LENGTH) for name, value in required.items()}
    return orjson.dumps({**shortened, "shortened": True})


def _format_frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def _to_json_value(value: object, max_text: int = MAX_TEXT_LENGTH, max_items: int = MAX_ITEMS) -> object:
    if isinstance(value, str):
        return _truncate(value, max_text)
    if isinstance(value, (tuple, list)):
        return [_to_json_value(item, max_text, max_items) for item in value[:max_items]]
    if isinstance(value, dict):
        items = list(value.items())[:max_items]
        return {_truncate(str(name), max_text): _to_json_value(item, max_text, max_items) for name, item in items}
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
    """Replaces messages that may quote requests with a fixed one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args, record.exc_info = "the HTTP layer refused or dropped a request", None, None
        return True


class _FirstLineFilter(logging.Filter):
    """Keeps the first line of a message: in the others, asyncio prints objects and the text of exceptions."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        return True


class LogStreamHandler(logging.Handler):
    """Formats records and queues the lines for *stream*, as text with *as_text*."""

    def __init__(self, stream: LogStream | MissingLogStream, *, as_text: bool) -> None:
        super().__init__()
        self._stream, self._formatter, self._as_text = stream, JsonFormatter(), as_text

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line of *record*. Never blocks or raises."""
        try:
            line = self._formatter.format_bytes(record)
        except Exception as failure:
            line = _formatting_error_line(record, failure)
        self._stream.put((format_text_line(line) if self._as_text else line) + b"\n")


def _formatting_error_line(record: logging.LogRecord, failure: Exception) -> bytes:
    """Return the line for a record that cannot be formatted, without its arguments, which logging would print."""
    return _make_line(
        "error", "a log record could not be formatted", about=record.name, exception=type(failure).__name__
    )


def _make_line(level: str, message: str, **extra: object) -> bytes:
    record = logging.makeLogRecord({"name": __name__, "levelname": level, "msg": message, **extra})
    return JsonFormatter().format_bytes(record)


def configure(
    level: str,
    stream: TextIO | None = None,
    audit: TextIO | None = None,
    *,
    separate_audit: bool = False,
    log_format: str = "json",
) -> None:
    """Send the log of the process from *level* up to *stream*, and the audit log, at all levels, to *audit*.

    The defaults are standard error for *stream* and the same stream for *audit*; both need a file descriptor. With
    *separate_audit*, an *audit* of None means a missing stream, because audit lines name users and must not get into
    another log. *log_format* is "json", "text", or "auto" for text on terminals and JSON elsewhere.
    """
    # Fields that no line has. Collecting them would double the cost of a record (see "Optimization" in logging's docs).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    LOG_STREAMS.clear()
    handler = _make_handler("log", stream or sys.stderr, log_format)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # asyncio's warnings, such as those about slow callbacks, are for developers.
    asyncio_logger = logging.getLogger("asyncio")
    asyncio_logger.setLevel(logging.ERROR)
    asyncio_logger.addFilter(_FirstLineFilter())
    _configure_audit(handler if audit is None and not separate_audit else _make_handler("audit", audit, log_format))
    for name in REQUEST_QUOTING_LOGGERS:
        logging.getLogger(name).addFilter(_RequestRedactingFilter())
    _capture_python_output()
    atexit.unregister(flush_at_exit)
    atexit.register(flush_at_exit)


def _make_handler(name: str, stream: TextIO | None, log_format: str) -> LogStreamHandler:
    as_text = log_format == "text" or (log_format == "auto" and stream is not None and stream.isatty())
    return LogStreamHandler(_open_stream(name, stream, as_text=as_text), as_text=as_text)


def _open_stream(name: str, stream: TextIO | None, *, as_text: bool) -> LogStream | MissingLogStream:
    def report(dropped: int) -> bytes:
        line = _make_line("warning", f"{_line_count_phrase(dropped)} dropped", stream=name, dropped=dropped)
        return (format_text_line(line) if as_text else line) + b"\n"

    if stream is None or not is_writable(stream.fileno()):
        LOG_STREAMS[name] = missing = MissingLogStream()
        return missing
    # A duplicate, because the number of a closed stream may be reused for another file.
    LOG_STREAMS[name] = log_stream = LogStream(os.dup(stream.fileno()), report)
    return log_stream


def _line_count_phrase(number: int) -> str:
    return "1 line was" if number == 1 else f"{number} lines were"


def _configure_audit(handler: LogStreamHandler) -> None:
    logger = logging.getLogger(AUDIT_LOGGER)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _capture_python_output() -> None:
    """Log warnings and unraisable exceptions, which Python would print on standard error itself."""
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addFilter(_FirstLineFilter())
    sys.unraisablehook = _log_unraisable


def _log_unraisable(unraisable: UnraisableHookArgs) -> None:
    value, frames = unraisable.exc_value, unraisable.exc_traceback
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if value is not None:
        exc_info = (type(value), value, frames)
    logging.getLogger(__name__).error("an exception was ignored", exc_info=exc_info)


def flush(timeout: float = FLUSH_TIMEOUT_SECONDS) -> None:
    """Wait until everything logged so far is written, at most *timeout* seconds."""
    deadline = time.monotonic() + timeout
    for flushed in [stream.make_flush_event() for stream in LOG_STREAMS.values()]:
        flushed.wait(max(0.0, deadline - time.monotonic()))


def flush_at_exit() -> None:
    """Flush, then report on the other streams how many lines of a stream were not written."""
    flush()
    for name, stream in LOG_STREAMS.items():
        if missing := stream.unreported_lines:
            line = _make_line("error", f"{_line_count_phrase(missing)} not written", stream=name, missing=missing)
            for other in LOG_STREAMS.values():
                if other is not stream:
                    other.put(line + b"\n")
    flush(FINAL_FLUSH_TIMEOUT_SECONDS)


async def is_audit_log_working() -> bool:
    """Return whether a change made now would be recorded: the audit log works, and every line so far is written.

    Pending lines get STALL_SECONDS to be written.
    """
    stream = LOG_STREAMS.get("audit", LOG_STREAMS.get("log"))
    if stream is None or stream.failing:
        return False
    if stream.pending_lines:
        loop, written = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # The loop may be closed by then.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(written.set)

        stream.call_when_flushed(wake)
        try:
            async with asyncio.timeout(log_writer.STALL_SECONDS):
                await written.wait()
        except TimeoutError:
            return False
    return not stream.failing
