"""Log lines: one JSON object each, on standard error. No value from outside can forge a line, or make one long.

Lines are made where something is logged, so later changes of an object do not show and nothing but text is queued; a
thread writes them (see :mod:`.log_stream`).
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from .log_stream import LogStream

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

MOST_TEXT = 500
MOST_FRAMES = 12
MOST_ITEMS = 20
# So many attributes every record has by itself, before those that the caller added.
OWN_ATTRIBUTES = len(vars(logging.makeLogRecord({})))
# Who changed what, for whom, and what became of it.
AUDIT = "doit_mcp.audit"
# Those of this process: "log", and "audit" where that has one of its own.
STREAMS: dict[str, LogStream] = {}
FLUSH_SECONDS = 2.0
"""What the end of the process waits for a reader, for all streams together."""
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
        return orjson.dumps(line)


def _frames(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]


def _plain(value: object) -> object:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, tuple):
        return [_plain(one) for one in value[:MOST_ITEMS]]
    if isinstance(value, dict):
        return {_cut(str(name)): _plain(one) for name, one in list(value.items())[:MOST_ITEMS]}
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


class Queued(logging.Handler):
    """Queues each record's line for *stream*, which is None where the process was started without that stream."""

    def __init__(self, stream: LogStream | None) -> None:
        super().__init__()
        self._stream, self._lines = stream, Lines()

    def emit(self, record: logging.LogRecord) -> None:
        """Never waits, and raises nothing."""
        if self._stream is None:
            return
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


def configure(level: str, stream: TextIO | None = None, audit: TextIO | None = None) -> None:
    """Send all logging of the process to *stream* (standard error), from *level* up; but what was changed, and by whom,
    to *audit* (the same stream), whatever the level (G6). Both need a file descriptor."""
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
    _audit(handler if audit is None else Queued(_opened("audit", audit)))
    for name in QUOTES_REQUESTS:
        logging.getLogger(name).addFilter(_WithoutRequest())
    _take_what_python_prints()
    atexit.unregister(flush)
    atexit.register(flush)


def _opened(name: str, stream: TextIO | None) -> LogStream | None:
    if stream is None:
        return None

    def report(dropped: int) -> bytes:
        said = f"{dropped} line{'' if dropped == 1 else 's'} were dropped"
        return _own_line("warning", said, stream=name, dropped=dropped) + b"\n"

    # A descriptor of its own: that of a stream which is closed may be given to something else.
    STREAMS[name] = made = LogStream(os.dup(stream.fileno()), report)
    return made


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


def is_audit_failing() -> bool:
    """Whether what is changed now may be missing from the audit log."""
    stream = STREAMS.get("audit", STREAMS.get("log"))
    return stream is None or stream.failing
