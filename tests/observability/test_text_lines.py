"""Log lines as text: on terminals, on request, and without anything that a terminal would act on."""

from __future__ import annotations

import json
import logging
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from doit_mcp.observability import logging_setup
from doit_mcp.observability.logging_setup import JsonFormatter
from doit_mcp.observability.text_lines import format_text_line
from tests.observability.test_logging_setup import as_it_was

__all__ = ["as_it_was"]  # Makes this fixture available here, too.

HOSTILE = "a\x1b[31m\n12:00:00.000 INFO forged\x9b2J\u202e\u2028"


def line(message: str, **extra: object) -> str:
    """The text of a record with these fields."""
    record = logging.makeLogRecord({"name": "doit_mcp.requests", "levelname": "INFO", "msg": message, **extra})
    return format_text_line(JsonFormatter().format_bytes(record)).decode()


def test_line_has_the_time_the_level_the_message_and_the_fields() -> None:
    text = line("request", method="POST", route="/mcp", status=200, ms=1.25, upstream_status=(200, None), tool="a b")
    time, rest = text[:12], text[13:]
    assert len(time.split(":")) == 3
    assert rest == 'info    request method=POST route=/mcp status=200 ms=1.25 upstream_status=[200, null] tool="a b"'


def test_other_loggers_are_named() -> None:
    record = logging.makeLogRecord({"name": "asyncio", "levelname": "ERROR", "msg": "slow"})
    assert format_text_line(JsonFormatter().format_bytes(record)).decode().endswith("error   slow logger=asyncio")


def test_no_value_can_control_the_terminal_or_forge_a_line() -> None:
    text = line(HOSTILE, tool=HOSTILE, **{HOSTILE: [HOSTILE]})
    assert text.isprintable() and text.count("forged") == 4
    assert '="a\\u001b[31m' in text


@contextmanager
def terminal() -> Iterator[tuple[int, TextIO]]:
    """The end of a terminal from which the output is read, and the stream that writes to it."""
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stream:
        yield reader, stream
    os.close(reader)


@pytest.mark.parametrize(("log_format", "is_text"), [("auto", True), ("text", True), ("json", False)])
def test_terminal_gets_text_unless_json_is_chosen(log_format: str, is_text: bool) -> None:
    with terminal() as (reader, stream):
        logging_setup.configure("info", stream, log_format=log_format)
        logging.getLogger("doit_mcp.requests").info("request", extra={"status": 200})
        logging_setup.flush(10)
        written = os.read(reader, 4096).decode().strip()
    assert written.endswith("info    request status=200" if is_text else '"message":"request","status":200}')


@pytest.mark.parametrize(("log_format", "is_text"), [("auto", False), ("text", True), ("json", False)])
def test_files_and_pipes_get_json_unless_text_is_chosen(tmp_path: Path, log_format: str, is_text: bool) -> None:
    with open(tmp_path / "log", "w") as stream, open(tmp_path / "audit", "w") as audit:
        logging_setup.configure("info", stream, audit, log_format=log_format)
        logging.getLogger("doit_mcp.requests").info("request")
        logging.getLogger(logging_setup.AUDIT_LOGGER).info("change")
        logging_setup.flush(10)
    for name, message in (("log", "request"), ("audit", "change")):
        (written,) = (tmp_path / name).read_text().splitlines()
        assert written.endswith(f"info    {message}") if is_text else json.loads(written)["message"] == message
