"""Log lines: their streams, their length, and what they never contain."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import select
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from doit_mcp.observability import logging_setup
from doit_mcp.observability.log_writer import LogStream
from doit_mcp.observability.logging_setup import AUDIT_LOGGER, REQUEST_QUOTING_LOGGERS

NAMES = ("", "asyncio", "py.warnings", AUDIT_LOGGER, *REQUEST_QUOTING_LOGGERS)


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Restore the logging configuration, which is global to the process."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger.level, logger.handlers[:], logger.filters[:], logger.propagate) for logger in loggers]
    streams, unraisable = dict(logging_setup.LOG_STREAMS), sys.unraisablehook
    yield
    for logger, (level, handlers, filters, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:], logger.filters[:], logger.propagate = handlers, filters, propagate
    logging.captureWarnings(False)
    sys.unraisablehook = unraisable
    logging_setup.LOG_STREAMS.clear()
    logging_setup.LOG_STREAMS.update(streams)


@dataclass
class Logs:
    """Two log files and their lines."""

    log: TextIO
    audit: TextIO

    @staticmethod
    def lines(stream: TextIO) -> list[dict[str, object]]:
        logging_setup.flush(10)
        return [json.loads(line) for line in Path(stream.name).read_text().splitlines()]

    def text(self) -> str:
        logging_setup.flush(10)
        return Path(self.log.name).read_text()


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    with (tmp_path / "log").open("w") as first, (tmp_path / "audit").open("w") as second:
        yield Logs(first, second)


@pytest.mark.requirement("X6")
async def test_asyncio_exception_reports_are_not_repeated(logs: Logs) -> None:
    """The message of an exception can contain anything; its class and frames are logged."""
    logging_setup.configure("info", logs.log)

    async def fails() -> None:
        raise ValueError("Bearer not-to-be-seen")

    loop = asyncio.get_running_loop()
    try:
        await fails()
    except ValueError as failure:
        context = {"message": "Task exception was never retrieved", "exception": failure, "note": "not-to-be-seen"}
        loop.default_exception_handler(context)
    (line,) = logs.lines(logs.log)
    assert line["message"] == "Task exception was never retrieved" and line["exception"] == "ValueError"
    assert "not-to-be-seen" not in logs.text() and "test_logging_setup.py" in logs.text()


@pytest.mark.requirement("G6")
@pytest.mark.parametrize("level", ["debug", "warning", "error"])
def test_changed_objects_are_always_logged(level: str, logs: Logs) -> None:
    """It is logged on a separate stream, whatever the log level."""
    logging_setup.configure(level, logs.log, logs.audit)
    logging.getLogger(AUDIT_LOGGER).info("write", extra={"tool": "create_label"})
    assert [line["tool"] for line in logs.lines(logs.audit)] == ["create_label"] and not logs.text()


def test_audit_lines_go_to_the_log_without_a_separate_stream(logs: Logs) -> None:
    logging_setup.configure("error", logs.log)
    logging.getLogger(AUDIT_LOGGER).info("write")
    logging.getLogger("elsewhere").info("unseen")
    assert [line["logger"] for line in logs.lines(logs.log)] == [AUDIT_LOGGER]


@pytest.mark.requirement("N6")
def test_n6_python_warnings_and_tracebacks_are_logged(logs: Logs) -> None:
    """Printing to a standard error without a reader blocks, and may print secrets."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging_setup.configure("info", logs.log)
        warnings.warn("first line\nnot-to-be-seen", UserWarning, stacklevel=1)

    class Fails:
        def __del__(self) -> None:
            raise ValueError("not-to-be-seen")

    Fails()
    warned, failed = logs.lines(logs.log)
    assert warned["logger"] == "py.warnings" and str(warned["message"]).endswith("UserWarning: first line")
    assert failed["exception"] == "ValueError" and "__del__" in str(failed["at"])
    assert "not-to-be-seen" not in logs.text()


@pytest.mark.requirement("N6")
def test_n6_unserializable_record_is_named(logs: Logs) -> None:
    """The standard library would print it with its arguments."""
    logging_setup.configure("info", logs.log)
    logging.getLogger("elsewhere").info("%d", "not-to-be-seen")
    logging.getLogger("elsewhere").info("still there")
    bad, good = logs.lines(logs.log)
    assert bad["about"] == "elsewhere" and bad["exception"] == "TypeError" and bad["level"] == "error"
    assert good["message"] == "still there" and "not-to-be-seen" not in logs.text()


@pytest.mark.requirement("N6")
def test_n6_records_are_formatted_when_they_are_logged(logs: Logs) -> None:
    """Later changes of an object do not appear in its line."""
    logging_setup.configure("info", logs.log)
    objects = {"id": "a" * 900, "ids": ("b", "c")}
    logging.getLogger("doit_mcp").info("said", extra={"objects": objects})
    objects["id"] = "changed"
    (line,) = logs.lines(logs.log)
    assert line["objects"] == {"id": "a" * 499 + "…", "ids": ["b", "c"]}


@pytest.mark.requirement("N6")
def test_n6_finalizer_may_log_while_a_line_is_written(logs: Logs) -> None:
    """Garbage collection can happen anywhere, and failed tasks log then."""
    logging_setup.configure("info", logs.log)
    logger = logging.getLogger("doit_mcp")

    class Tells:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            logger.info("collected")

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(2000):
            Tells()
            logger.info("said")
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert Counter(str(line["message"]) for line in logs.lines(logs.log)) == {"said": 2000, "collected": 2000}


async def test_missing_standard_error_disables_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    logging_setup.configure("info")
    logging.getLogger("doit_mcp").error("lost")
    assert logging_setup.LOG_STREAMS["log"].failing and logging_setup.LOG_STREAMS["log"].dropped == 1
    assert not await logging_setup.is_audit_log_working()


@pytest.mark.requirement("N6")
async def test_n6_missing_standard_output_keeps_audit_lines_out_of_the_log(logs: Logs) -> None:
    logging_setup.configure("info", logs.log, None, separate_audit=True)
    logging.getLogger(AUDIT_LOGGER).info("write", extra={"email": "not-to-be-seen@acme.example"})
    assert "not-to-be-seen" not in logs.text()
    assert {name: stream.failing for name, stream in logging_setup.LOG_STREAMS.items()} == {"log": False, "audit": True}
    assert logging_setup.LOG_STREAMS["audit"].dropped == 1 and not await logging_setup.is_audit_log_working()


@pytest.mark.requirement("N6")
@pytest.mark.parametrize("text", ["x", "\u0416", "\U0001f600", "\x00"])
def test_n6_line_never_exceeds_an_atomic_pipe_write(logs: Logs, text: str) -> None:
    """Longer lines would be interleaved with those of other workers. The identifying fields stay."""
    logging_setup.configure("info", logs.log, logs.audit)
    about = {"outcome": "refused", "tool": "delete_label", "subject": "u-1", "customer": "acme", "trace": "t-1"}
    objects = {"eventIds": tuple(f"{number} {text * 256}" for number in range(20)), "labelIds": (text * 256,) * 20}
    audit = logging.getLogger(AUDIT_LOGGER)
    audit.info("write", extra={**about, "objects": objects})
    audit.info("write", extra={**about, **dict.fromkeys(map(str, range(100)), text * 900)})
    audit.info("write", extra=dict.fromkeys([*about, "objects"], text * 900))
    audit.info(text * 900, extra=about)
    audit.info("write", extra={**about, "objects": {"id": "a"}})
    lines = logs.lines(logs.audit)
    sizes = [len(line) + 1 for line in Path(logs.audit.name).read_bytes().splitlines()]
    assert len(lines) == 5 and max(sizes) <= select.PIPE_BUF
    assert lines[0]["shortened"] is True and str(lines[0]["objects"]).startswith("{'eventIds': ['0 ")
    for number in (0, 1, 4):
        assert {name: lines[number][name] for name in about} == about
    assert all(str(lines[2][name]).startswith(text) for name in about)
    assert "shortened" not in lines[4] and lines[4]["objects"] == {"id": "a"}


@pytest.mark.requirement("N6")
@pytest.mark.parametrize(("dropped", "message"), [(1, "1 line was dropped"), (2, "2 lines were dropped")])
def test_n6_dropped_lines_are_counted_in_a_message(logs: Logs, dropped: int, message: str) -> None:
    logging_setup.configure("info", logs.log)
    stream = logging_setup.LOG_STREAMS["log"]
    assert isinstance(stream, LogStream)
    assert json.loads(stream._make_dropped_line(dropped))["message"] == message
