"""The shape of results: the schema that a declaration states, and what makes an API response match it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, is_typeddict

from ...api.common_types import ListPage, WriteResult
from ...api.operation import Operation
from ...protocol.json_schema import function_hints, schema_of_typed_dict
from ...protocol.jsonrpc import JsonObject

DRY_RUN_STATUS = "dry_run"
"""The status of a dry run, as in the API's responses to dry runs of report runs."""


def output_schema(record: type | None, rows_key: str, *, may_be_empty: bool = False) -> JsonObject:
    """Return the schema of a result: an open object with the members that its *record* declares."""
    if record is not None:
        return schema_of_typed_dict(record, "result")
    if not rows_key:
        return schema_of_typed_dict(WriteResult, "result") if may_be_empty else {"type": "object", "properties": {}}
    page = schema_of_typed_dict(ListPage, "result")["properties"]
    return {"type": "object", "properties": {rows_key: {"type": "array", "items": {"type": "object"}}, **page}}


def result_record(function: Callable[..., Any]) -> type | None:
    """Return the TypedDict that a function's return annotation names; None if it names none."""
    hint = function_hints(function).get("return")
    records = get_args(hint)[1:] if get_origin(hint) is Annotated else (hint,)
    return next((record for record in records if is_typeddict(record)), None)


def empty_write_result(operation: Operation, arguments: JsonObject) -> JsonObject:
    """Return the result of a write whose API response has no body: its status, and the object that it changed.

    The status of a dry run says that the API only accepted the request.
    """
    is_dry_run = arguments.get("dryRun") is True
    done = {"status": DRY_RUN_STATUS if is_dry_run else "completed"}
    deleted = {"deleted": True} if operation.method == "DELETE" and not is_dry_run else {}
    about = (*operation.placeholders, *operation.parameters)
    return {**done, **deleted, **{name: arguments[name] for name in about if name in arguments}}


def as_object(answer: Any, rows_key: str) -> JsonObject:
    """Return an API response as an object, as structured content requires."""
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, list):
        return {rows_key or "items": answer, "rowCount": len(answer)}
    return {"result": answer}


def drop_forbidden_nulls(answer: JsonObject, schema: JsonObject) -> JsonObject:
    """Drop nulls from *answer* where *schema* knows the member but does not allow null; for arrays, use an empty list.

    The API sends null for missing values and for empty lists.
    """
    known = {name: member.get("type") for name, member in schema.get("properties", {}).items()}
    found = {name: [] if value is None and known.get(name) == "array" else value for name, value in answer.items()}
    return {name: value for name, value in found.items() if value is not None or known.get(name) is None}
