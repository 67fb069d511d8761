"""Checks the JSON type of a response against the type that its method declares."""

from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

from ..protocol.json_schema import function_hints
from .errors import ApiError

TYPE_NAMES = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}


def answer_type(function: Callable[..., Any]) -> type:
    """Return the JSON type of a declaring method's response: dict, list, or object for any type (Any, streams)."""
    hint = function_hints(function).get("return")
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    found = get_origin(hint) or hint
    return found if found in (dict, list) else object


def check_answer(answer: Any, expected: type, *, read_only: bool) -> Any:
    """Return *answer* if it has the type *expected*, or is the empty response (None) of a write. Raise ApiError."""
    if isinstance(answer, expected) or (answer is None and not read_only):
        return answer
    raise ApiError(
        f"the response is {TYPE_NAMES.get(type(answer), 'empty')} instead of {TYPE_NAMES[expected]}",
        kind="answer",
        maybe_applied=not read_only,
    )
