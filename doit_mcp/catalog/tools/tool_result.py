"""What a tool's result looks like to a client: JSON as text and as structured content, small, clean, bounded."""

from __future__ import annotations

from typing import Any

import orjson

from ...api.errors import ApiError, explain
from ...protocol.jsonrpc import JsonObject
from ...resilience.compute_thread import in_thread
from .sanitize import visible, visible_text
from .tool import DEADLINE, Tool
from .truncation import cut, token_behind

SMALL = 30_000
"""Characters of a read's JSON before it is cut at a row (the text block repeats the structured content)."""
MAX_IN_PLACE = 200_000
"""Characters of JSON up to which an answer is made in place; a longer one takes more than 10 ms."""
CEILING = 140_000
"""UTF-16 code units of the whole serialized result; some hosts refuse more than about 150,000."""
NOTE = 700
"""Characters that are kept free for saying that and how an answer was cut."""
IDENTIFIERS = ("id", "operationId", "reportId", "ticketId", "budgetId", "flowId", "customerId")
MOST_IDENTIFIER = 256


async def completed(tool: Tool, arguments: JsonObject, result: JsonObject) -> JsonObject:
    """The CallToolResult, made in a thread where that takes long."""
    text = serialized(result)
    if len(text) > MAX_IN_PLACE:
        return await in_thread(complete, tool, arguments, result, text)
    return complete(tool, arguments, result, text)


def serialized(result: JsonObject) -> str:
    """The JSON text of *result*."""
    return orjson.dumps(result).decode()


def complete(tool: Tool, arguments: JsonObject, result: JsonObject, text: str | None = None) -> JsonObject:
    """The CallToolResult for a *result* of *tool*, called with *arguments*; *text* is the result serialized, if it is
    known."""
    fitted, text = fit(tool, arguments, result, serialized(result) if text is None else text)
    if problems := tool.result_problems(fitted):
        error = ApiError(f"it has another form than expected ({problems[0]})", kind="answer", maybe_applied=tool.writes)
        return failure(explain(error, tool.name))
    whole = _result(text)
    # The text repeats the data, so a third of the ceiling is a cheap bound that spares nearly every answer the count.
    if len(text) * 3 >= CEILING and not within_ceiling(orjson.dumps(whole)):
        return over_ceiling(tool, result)
    return whole


def fit(tool: Tool, arguments: JsonObject, result: JsonObject, text: str) -> tuple[JsonObject, str]:
    """*result* and its JSON *text*, without invisible characters and, if it is a long read, with fewer rows."""
    if len(text) > SMALL and not tool.writes:
        result, cuts = cut(result, SMALL - NOTE)
        if cuts:
            result = _noted(tool, arguments, result, cuts)
            text = orjson.dumps(result).decode()
    clean = visible(text)
    return (result, text) if clean == text else (orjson.loads(clean), clean)


def _noted(tool: Tool, arguments: JsonObject, result: JsonObject, cuts: list[JsonObject]) -> JsonObject:
    rest = tool.narrow
    main = next((one for one in cuts if one["list"] == tool.rows), None)
    if main is not None and tool.pages:
        result = {**result, "pageToken": token_behind(arguments, main["shown"])}
        rest = f"For the rest call {tool.name} with this pageToken and the same arguments, or ask for less."
    return {**result, "cut": {"lists": cuts, "rest": rest}}


def within_ceiling(serialized: bytes) -> bool:
    """Whether a serialized result has at most as many UTF-16 code units as the ceiling allows."""
    return len(serialized) <= CEILING or len(serialized.decode().encode("utf-16-le")) <= 2 * CEILING


def over_ceiling(tool: Tool, result: JsonObject) -> JsonObject:
    """What is said instead of a result that is too large: for a read an error, for a write that it is done."""
    if not tool.writes:
        text = f"RESPONSE_TOO_LARGE: the answer of {tool.name} is too large, so none of it is shown."
        return failure(f"{text} {tool.narrow}")
    receipt = {
        "status": "completed",
        "responseOmitted": True,
        "reason": "The answer is too large to be shown.",
        "identifiers": {name: result[name] for name in IDENTIFIERS if _identifies(result.get(name))},
        "message": f"{tool.name} has been carried out. Do not repeat it; read the result with the matching get tool.",
    }
    return _result(visible(orjson.dumps(receipt).decode()))


def late(tool: Tool) -> str:
    """What is said when a tool is not done within its deadline."""
    if tool.writes:
        text = "It may take effect all the same: check the current state before repeating it."
    else:
        text = f"{tool.narrow} Or try again later."
    return f"{tool.name} did not finish within {tool.deadline or DEADLINE:g} seconds. {text}"


def failure(text: str) -> JsonObject:
    """A result that tells the model what went wrong."""
    return {"content": [{"type": "text", "text": visible_text(text)}], "isError": True}


def _result(text: str) -> JsonObject:
    return {"content": [{"type": "text", "text": text}], "structuredContent": orjson.Fragment(text)}


def _identifies(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MOST_IDENTIFIER
    return isinstance(value, int | float) and not isinstance(value, bool)
