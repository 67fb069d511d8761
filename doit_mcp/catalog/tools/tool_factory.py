"""Builds tools from operations of the DoiT API and from composed functions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from ...api import AREAS
from ...api.declaration_checks import check_signature, declaration_error, source_file
from ...api.facts import ToolFacts
from ...api.markers import (
    IDENTIFIER,
    SECRET,
    TEXT_WITH_LINKS,
    find_marked_arguments,
    find_marked_paths,
    read_former_names,
)
from ...api.operation import Operation, description_of
from ...protocol.json_schema import function_hints, function_parameters, schema_of_function
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..views.metadata import tool_view_meta
from .composed import read_facts
from .declarations import (
    check_area,
    check_composed_facts,
    check_destructive,
    check_rows_key,
    check_secrets,
    check_slow,
    check_write_facts,
)
from .empty_updates import find_update_fields
from .result_shapes import as_object, drop_forbidden_nulls, empty_write_result, output_schema, result_record
from .series import structured_content, with_structured
from .titles import make_title, status_texts
from .tool import (
    DEADLINE_SECONDS,
    NARROW_HINT,
    NARROW_LIST_HINT,
    SECURITY_SCHEMES,
    TASK_AFTER_SECONDS,
    ContentResult,
    RunTool,
    Tool,
    ToolResult,
)
from .truncation import parse_row_offset, skip_rows

MAX_RESULT_SIZE_KEY = "anthropic/maxResultSizeChars"
"""Member of a tool's metadata: how many characters of a result a client accepts without truncating it."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """The facts that an operation and a composed function both declare. *path_arguments* identify the object."""

    function: Callable[..., Any]
    run: RunTool
    output_schema: JsonObject
    _: KW_ONLY
    title: str
    area: str
    search_hint: str
    annotations: JsonObject
    rows_key: str
    narrow_hint: str
    slow: bool
    facts: ToolFacts
    states_open_world: bool
    result_type: type | None
    path_arguments: tuple[str, ...] = ()


def tool_from_operation(operation: Operation, area: str) -> Tool:
    """Return the tool for an *operation* of the *area* (an attribute of Doit).

    Raise TypeError for an operation that returns a stream, because streams need a composed function, and for a
    declaration that lacks a fact.
    """
    if operation.stream:
        raise TypeError(f"{operation.name}: a stream needs a function that reads it")
    check_destructive(operation)
    check_slow(operation)
    record = result_record(operation.function)
    check_rows_key(operation.function, "items", operation.items, record)
    output = output_schema(record, operation.items, may_be_empty=not operation.read_only)

    async def run(call: Call, arguments: JsonObject) -> JsonObject:
        method = getattr(getattr(call.doit, area), operation.name)
        shown, given = parse_row_offset(arguments) if operation.items else (0, arguments)
        answer = await method(**given)
        if not operation.read_only and answer in (None, {}):
            answer = empty_write_result(operation, given)
        answer = drop_forbidden_nulls(as_object(answer, operation.items), output)
        return skip_rows(answer, operation.items, shown)

    declaration = Declaration(
        operation.function,
        run,
        output,
        title=operation.title,
        area=area,
        search_hint=area_hint(area),
        annotations=operation_annotations(operation),
        rows_key=operation.items,
        narrow_hint=operation.narrow_hint,
        slow=bool(operation.slow) and operation.read_only,
        facts=operation.facts,
        states_open_world=operation.open_world is not None,
        result_type=record,
        path_arguments=operation.placeholders,
    )
    return replace(
        _make_tool(declaration),
        deadline=None if operation.read_only else DEADLINE_SECONDS,
        changes=find_update_fields(operation),
        sends_delete=operation.method == "DELETE" and not operation.facts.get("sets_status"),
    )


def tool_from_function(function: Callable[..., Awaitable[Any]]) -> Tool:
    """Return the tool that runs *function*, declared with ``composed_tool``.

    Raise TypeError for a declaration that lacks a fact.
    """
    declared = read_facts(function)
    _check_function(function, declared)
    rows_key, writes = declared.get("rows_key", ""), declared.get("writes", False)
    record = result_record(function)
    check_rows_key(function, "rows_key", rows_key, record)
    output = output_schema(record, rows_key)

    async def run(call: Call, arguments: JsonObject) -> ToolResult:
        shown, given = parse_row_offset(arguments) if rows_key else (0, arguments)
        result: ToolResult = await function(call, **given)
        if isinstance(result, ContentResult):
            return result
        return with_structured(
            result, skip_rows(drop_forbidden_nulls(structured_content(result), output), rows_key, shown)
        )

    hints = _make_annotations(
        read_only=not writes,
        destructive=declared.get("destructive", False),
        idempotent=not writes,
        open_world=declared.get("open_world", False),
    )
    declaration = Declaration(
        function,
        run,
        output,
        title=declared.get("title", ""),
        area=declared["area"],
        search_hint=declared.get("search_hint") or area_hint(declared["area"]),
        annotations=hints,
        rows_key=rows_key,
        narrow_hint=declared.get("narrow_hint", ""),
        slow=declared.get("slow", False),
        facts=declared,
        states_open_world="open_world" in declared,
        result_type=record,
    )
    return _make_tool(declaration)


def _check_function(function: Callable[..., Any], declared: ToolFacts) -> None:
    check_signature(function)
    first = next(iter(function_parameters(function)))
    if function_hints(function).get(first) is not Call:
        raise declaration_error(function, "needs call: Call as its first parameter")
    check_area(function, declared)
    check_composed_facts(function, declared)


def area_hint(area: str) -> str:
    """Return the words by which clients find the tools of an area: the docstring of its class."""
    return (AREAS[area].__doc__ or "").strip().rstrip(".")


def _make_tool(declared: Declaration) -> Tool:
    function, facts = declared.function, declared.facts
    name = function.__name__
    title = declared.title or make_title(name)
    schema = schema_of_function(function, "published")
    check_secrets(function, facts, declared.result_type)
    writes, outward = not declared.annotations["readOnlyHint"], declared.annotations["openWorldHint"]
    reaches = find_marked_paths(function) if writes else ()
    mentions = find_marked_paths(function, TEXT_WITH_LINKS) if writes else ()
    hints = {**declared.annotations, "openWorldHint": outward or bool(reaches or mentions)}
    states_reach = declared.states_open_world or bool(reaches or mentions)
    _check_write(function, facts, hints, has_target=bool(declared.path_arguments), states_reach=states_reach)
    return Tool(
        name=name,
        title=title,
        description=description_of(function),
        input_schema=schema,
        accepted_schema=schema_of_function(function),
        run=declared.run,
        output_schema=declared.output_schema,
        annotations=hints,
        security=SECURITY_SCHEMES,
        meta=_make_meta(name, title, declared.search_hint, facts),
        area=declared.area,
        writes=writes,
        rows_key=declared.rows_key,
        narrow_hint=declared.narrow_hint or (NARROW_LIST_HINT if "maxResults" in schema["properties"] else NARROW_HINT),
        task_after=TASK_AFTER_SECONDS if declared.slow else None,
        open_world=outward,
        external_target_paths=reaches,
        linked_text_paths=mentions,
        targets=tuple(
            one for one in (*declared.path_arguments, *facts.get("targets", ())) if one in schema["properties"]
        ),
        facts=facts,
        declared_in=source_file(function),
        identifiers=find_marked_arguments(function, IDENTIFIER),
        secret_arguments=find_marked_arguments(function, SECRET),
        former_names=read_former_names(function),
        result_type=declared.result_type,
    )


def _check_write(
    function: Callable[..., Any], facts: ToolFacts, hints: JsonObject, *, has_target: bool, states_reach: bool
) -> None:
    """Raise TypeError if a tool that writes lacks a fact about it; *has_target* is whether its path names an object."""
    if hints["readOnlyHint"]:
        return
    destructive = hints["destructiveHint"]
    check_write_facts(
        function,
        facts,
        changes_existing=destructive or has_target,
        risky=destructive or hints["openWorldHint"],
        states_reach=states_reach,
    )


def operation_annotations(operation: Operation) -> JsonObject:
    """Return the hints that follow from the HTTP method: POST adds; any other write changes or deletes."""
    return _make_annotations(
        read_only=operation.read_only,
        destructive=not operation.read_only and (operation.destructive is True or operation.method != "POST"),
        # An idempotency key makes retries of one request safe, but each tool call has its own key.
        idempotent=operation.read_only or operation.method != "POST",
        open_world=bool(operation.open_world),
    )


def _make_annotations(*, read_only: bool, destructive: bool, idempotent: bool, open_world: bool) -> JsonObject:
    return {
        "readOnlyHint": read_only,
        "destructiveHint": destructive,
        "idempotentHint": idempotent,
        "openWorldHint": open_world,
    }


def _make_meta(name: str, title: str, search_hint: str, facts: ToolFacts) -> JsonObject:
    invoking, invoked = status_texts(name, title, may_continue=facts.get("may_continue", False))
    meta: JsonObject = {
        "securitySchemes": list(SECURITY_SCHEMES),
        "openai/toolInvocation/invoking": invoking,
        "openai/toolInvocation/invoked": invoked,
    }
    meta |= {"anthropic/searchHint": search_hint} if search_hint else {}
    meta |= {"anthropic/alwaysLoad": True} if facts.get("always_loaded") else {}
    meta |= {MAX_RESULT_SIZE_KEY: size} if (size := facts.get("max_result_characters")) else {}
    meta |= tool_view_meta() if facts.get("view") else {}
    return meta | ({"openai/profile": True} if facts.get("identifies_account") else {})
