"""Log lines as text: the time, the level, the message, and the other fields as ``name=value``."""

from __future__ import annotations

import json
import re

import orjson

# Values that are clear without quotes.
PLAIN_VALUE = re.compile(r"[\w./:@+-]+", re.ASCII)
OWN_LOGGERS = "doit_mcp."


def format_text_line(json_line: bytes) -> bytes:
    """Return a line of the JSON log as text, without line feed. No value can contain a control character."""
    fields = orjson.loads(json_line)
    time, level, logger = (str(fields.pop(name)) for name in ("time", "level", "logger"))
    if not logger.startswith(OWN_LOGGERS):
        fields["logger"] = logger
    message = str(fields.pop("message"))
    parts = [time[11:23], f"{level:<7}", message if message.isprintable() else json.dumps(message)]
    parts += [f"{_quote(name)}={_quote(value)}" for name, value in fields.items()]
    return " ".join(parts).encode()


def _quote(value: object) -> str:
    # Escapes are ASCII, because terminals also act on control characters outside it.
    return value if isinstance(value, str) and PLAIN_VALUE.fullmatch(value) else json.dumps(value)
