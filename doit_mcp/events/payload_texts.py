"""Makes payloads fit their schemas: users and cloud providers wrote the texts, and models read them. No I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ..protocol.jsonrpc import JsonObject
from ..protocol.visible_text import remove_invisible

MAX_TEXT_CHARACTERS = 200
MAX_IDENTIFIER_CHARACTERS, MAX_LINK_CHARACTERS = 1_000, 2_048
IDENTIFIERS = ("id", "budgetId", "attribution")
"""Members that are never cut: another text would be another item."""
LINK = "url"
CONTROLS = re.compile(r"[\x00-\x1f]+")
LINK_PATTERN = re.compile(r"https?://[\x21-\x7e]+")


def fit_payload(schema: Mapping[str, JsonObject], data: JsonObject) -> JsonObject:
    """Return the members of a payload whose values fit *schema*, with clean texts. Numbers can be texts in it.

    Texts are cut. Identifiers and links are not: those that are too long are left out.
    """
    fitted = {name: _fit_value(name, schema[name]["type"], value) for name, value in data.items() if name in schema}
    return {name: value for name, value in fitted.items() if value not in (None, "")}


def clean_identifier(value: Any) -> str:
    """Return the id of an item as a clean text, "" if it is not an id or too long for one."""
    text = _clean(str(value)) if isinstance(value, str | int) else ""
    return text if len(text) <= MAX_IDENTIFIER_CHARACTERS else ""


def clean_link(value: Any) -> str | None:
    """Return a link of the API, None if it has another scheme: clients open it."""
    return value if isinstance(value, str) and value.startswith("https://") else None


def _clean(text: str) -> str:
    return CONTROLS.sub(" ", remove_invisible(text)).strip()


def _fit_value(name: str, kind: str, value: Any) -> Any:
    """Return *value* as the type *kind*, None if it does not fit."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "number":
        return value if is_number else None
    if not isinstance(value, str):
        return str(value) if is_number else None
    if name == LINK:
        is_link = len(value) <= MAX_LINK_CHARACTERS and LINK_PATTERN.fullmatch(value) is not None
        return value if is_link else None
    if name in IDENTIFIERS:
        return clean_identifier(value)
    text = _clean(value)
    return text if len(text) <= MAX_TEXT_CHARACTERS else text[: MAX_TEXT_CHARACTERS - 1] + "…"
