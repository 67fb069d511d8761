"""Builds tool results: JSON as text and as structured content, sanitized and limited in size."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from ...api.errors import ApiError, explain
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import run_in_thread
from ..views.metadata import has_view, result_view_meta
from .sanitize import sanitize_json, sanitize_text
from .series import SERIES_META_KEY, ResultWithSeries, SeriesSet, pack_series, structured_content
from .tool import DEADLINE_SECONDS, Tool
from .truncation import row_offset_token, truncate_lists

MAX_READ_CHARACTERS = 30_000
"""Maximum length of a read's JSON before rows are removed. (The text block repeats the structured content.)"""
MAX_INLINE_CHARACTERS = 200_000
"""Characters of JSON up to which a result is built in the event loop; a longer one takes more than 10 ms."""
MAX_RESULT_CODE_UNITS = 140_000
"""UTF-16 code units of the whole serialized result; some hosts reject more than about 150,000."""
RESERVED_NOTE_CHARACTERS = 700
"""Characters reserved for the note about the rows that were removed."""
IDENTIFIER_FIELDS = ("id", "operationId", "reportId", "ticketId", "budgetId", "flowId", "customerId")
MAX_IDENTIFIER_CHARACTERS = 256
FAILURE_PREFIXES = ("Could not ", "Invalid arguments: ", "Nothing was changed: ")
"""The beginning of a text that says what failed."""


class ToolResult(NamedTuple):
    """A CallToolResult, the *characters* of its text, and whether parts of the result were left out (*truncated*)."""

    call_result: JsonObject
    characters: int
    truncated: bool


async def make_tool_result(tool: Tool, arguments: JsonObject, result: JsonObject | ResultWithSeries) -> ToolResult:
    """Return the CallToolResult; builds large ones in a thread."""
    text = to_json(structured_content(result))
    if len(text) > MAX_INLINE_CHARACTERS:
        return await run_in_thread(_build_result, tool, arguments, result, text)
    return _build_result(tool, arguments, result, text)


def to_json(result: JsonObject) -> str:
    """Return the JSON text of *result*."""
    return orjson.dumps(result).decode()


def make_tool_result_inline(
    tool: Tool, arguments: JsonObject, result: JsonObject | ResultWithSeries, text: str | None = None
) -> JsonObject:
    """Return the CallToolResult for a *result* of *tool*, called with *arguments*. Series are in its ``_meta`` only.

    *text* is the serialized structured content, if it is already available.
    """
    text = to_json(structured_content(result)) if text is None else text
    return _build_result(tool, arguments, result, text).call_result


def _build_result(tool: Tool, arguments: JsonObject, result: JsonObject | ResultWithSeries, text: str) -> ToolResult:
    structured = structured_content(result)
    fitted, text = truncate_and_sanitize(tool, arguments, structured, text)
    truncated = "cut" in fitted and "cut" not in structured
    if problems := tool.result_problems(fitted):
        error = ApiError(
            f"the response does not match its schema: {problems[0]}", kind="answer", maybe_applied=tool.writes
        )
        return _make_result(error_result(tool, explain(error, tool.name)), truncated=False)
    tool_result = _text_result(text)
    if has_view(tool.meta):
        tool_result["_meta"] = result_view_meta(tool.name)
    # The result contains the text twice, so a third of the limit is a cheap bound that usually avoids the exact count.
    if len(text) * 3 >= MAX_RESULT_CODE_UNITS and not is_within_size_limit(orjson.dumps(tool_result)):
        is_dry_run = arguments.get("dryRun") is True
        return _make_result(oversized_result(tool, structured, is_dry_run=is_dry_run), truncated=True)
    if isinstance(result, ResultWithSeries):
        tool_result = _with_series(tool_result, len(text) * 3, result.series)
    return ToolResult(tool_result, len(text), truncated)


def _make_result(call_result: JsonObject, *, truncated: bool) -> ToolResult:
    return ToolResult(call_result, len(call_result["content"][0]["text"]), truncated)


def _with_series(tool_result: JsonObject, max_code_units: int, series: SeriesSet) -> JsonObject:
    """Return the CallToolResult with *series*, or without them if it would be too large. It has *max_code_units*."""
    packed = pack_series(series)
    meta = {**tool_result.get("_meta", {}), SERIES_META_KEY: orjson.Fragment(packed)}
    with_series = {**tool_result, "_meta": meta}
    if max_code_units + len(packed) >= MAX_RESULT_CODE_UNITS and not is_within_size_limit(orjson.dumps(with_series)):
        return tool_result
    return with_series


def truncate_and_sanitize(tool: Tool, arguments: JsonObject, result: JsonObject, text: str) -> tuple[JsonObject, str]:
    """Return *result* and its JSON *text*, without invisible characters and, for long reads, with fewer rows."""
    if len(text) > MAX_READ_CHARACTERS and not tool.writes:
        result, cuts = truncate_lists(result, MAX_READ_CHARACTERS - RESERVED_NOTE_CHARACTERS)
        if cuts:
            result = _with_truncation_note(tool, arguments, result, cuts)
            text = orjson.dumps(result).decode()
    clean = sanitize_json(text)
    return (result, text) if clean == text else (orjson.loads(clean), clean)


def _with_truncation_note(tool: Tool, arguments: JsonObject, result: JsonObject, cuts: list[JsonObject]) -> JsonObject:
    hint = tool.narrow_hint
    cut_rows = next((cut for cut in cuts if cut["list"] == tool.rows_key), None)
    if cut_rows is not None and tool.is_paginated:
        result = {**result, "pageToken": row_offset_token(arguments, cut_rows["shown"])}
        hint = f"For the rest, call {tool.name} with this pageToken and the same arguments, or ask for less."
    return {**result, "cut": {"lists": cuts, "rest": hint}}


def is_within_size_limit(serialized: bytes) -> bool:
    """Return whether a serialized result is within MAX_RESULT_CODE_UNITS."""
    return (
        len(serialized) <= MAX_RESULT_CODE_UNITS
        or len(serialized.decode().encode("utf-16-le")) <= 2 * MAX_RESULT_CODE_UNITS
    )


def oversized_result(tool: Tool, result: JsonObject, *, is_dry_run: bool = False) -> JsonObject:
    """Return the replacement of a result that is too large: an error for a read, a success notice for a write."""
    if not tool.writes or is_dry_run:
        text = f"Could not show the result of {tool.name}: it is too large (RESPONSE_TOO_LARGE)."
        return error_result(tool, f"{text} {tool.narrow_hint}")
    notice = {
        "status": "completed",
        "responseOmitted": True,
        "reason": "The result is too large to show.",
        "identifiers": {name: result[name] for name in IDENTIFIER_FIELDS if _is_identifier(result.get(name))},
        "message": f"{tool.name} completed. Do not repeat it; read the result with the matching get tool.",
    }
    return _text_result(sanitize_json(orjson.dumps(notice).decode()))


def timeout_message(tool: Tool, seconds: float | None = None, *, unchanged: bool = False) -> str:
    """Return the message for a tool that did not finish within *seconds*, by default its deadline.

    *unchanged* is whether a write certainly changed nothing.
    """
    if unchanged:
        text = "Nothing was changed: call it again."
    elif tool.writes:
        text = "It may still take effect: check the current state before repeating it."
    else:
        text = f"{tool.narrow_hint} Or try again later."
    return f"Could not finish {tool.name} within {seconds or tool.deadline or DEADLINE_SECONDS:g} seconds. {text}"


def error_result(tool: Tool, text: str) -> JsonObject:
    """Return an error result of *tool* with this *text* for the model.

    Many frameworks drop isError, so the text begins with what failed.
    """
    if not text.startswith(FAILURE_PREFIXES):
        text = f"Could not run {tool.name}{'.' if text[:1].isupper() else ':'} {text}"
    return {"content": [{"type": "text", "text": sanitize_text(text)}], "isError": True}


def _text_result(text: str) -> JsonObject:
    return {"content": [{"type": "text", "text": text}], "structuredContent": orjson.Fragment(text)}


def _is_identifier(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_IDENTIFIER_CHARACTERS
    return isinstance(value, int | float) and not isinstance(value, bool)
