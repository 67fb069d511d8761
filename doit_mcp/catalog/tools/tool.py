"""Tool: what is offered under a name, made from an operation of the API or from a function of ours."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

from ...api import Doit
from ...api.common_types import Done, Page
from ...api.markers import MENTIONS, Path, reaching
from ...api.operation import Operation, description_of
from ...protocol.json_schema import of_function, of_typed_dict
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import MAX_FREE_VALUES, MAX_ITEMS, bounded
from ...protocol.schema_validator import Checker
from ..call import Call
from ..tool_lists import PINNED
from ..writes.empty_updates import Changes, changes_of
from .argument_coercion import is_plain, read
from .titles import status_of, title_of
from .truncation import resumed, without_first

DEADLINE = 45.0
TASK_AFTER = 8.0
NO_PROBLEMS: list[str] = []
SECURITY: tuple[JsonObject, ...] = ({"type": "oauth2", "scopes": ["mcp:tools"]},)
NARROW = "Ask for less: use the arguments that narrow it down."
NARROW_LIST = "Ask for fewer rows (maxResults) or use a filter."

Run = Callable[[Call, JsonObject], Awaitable["JsonObject | Content"]]
StandsFor = Callable[[JsonObject], tuple["Tool", JsonObject]]


class ToolError(Exception):
    """A refusal; the text is for a model: what is wrong, and what would be right."""


class Declined(ToolError):
    """The user was asked and did not agree, so nothing was changed."""


@dataclass(frozen=True, slots=True)
class Content:
    """A result whose blocks the tool makes itself; *structured* has to fit the tool's output schema."""

    blocks: list[JsonObject]
    structured: JsonObject | None = None
    is_error: bool = False
    meta: JsonObject | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """One tool. *annotations* are its hints; *rows* is the key of the answer under which a list's rows are.

    *narrow* says how to ask for less. *deadline* is in seconds; reads of one request need none, because the client
    bounds them. *task_after* is for slow reads that ask no questions: after so many seconds the call becomes a task
    if the client can follow one. *stands_for* is for a tool that calls others: it returns the tool that arguments
    mean and its arguments, or raises ToolError. *outward*: the operation itself reaches outside of the account;
    *reaches* are the paths of the arguments that do, *mentions* those of texts that do if they hold an address.
    *changes* is for updates that need at least one change.
    """

    name: str
    title: str
    description: str
    input_schema: JsonObject
    run: Run = field(repr=False)
    output_schema: JsonObject | None = None
    annotations: JsonObject = field(default_factory=dict)
    security: tuple[JsonObject, ...] = ()
    meta: JsonObject = field(default_factory=dict)
    area: str = ""
    writes: bool = False
    deadline: float | None = DEADLINE
    rows: str = ""
    narrow: str = NARROW
    task_after: float | None = None
    stands_for: StandsFor | None = None
    outward: bool = False
    reaches: tuple[Path, ...] = ()
    mentions: tuple[Path, ...] = ()
    changes: Changes | None = None
    _known: JsonObject = field(init=False, repr=False)
    _arguments: Checker = field(init=False, repr=False)
    _result: Checker | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", self.input_schema.get("properties", {}))
        free = MAX_FREE_VALUES if self.stands_for is None else None  # Another tool's are checked by its schema.
        object.__setattr__(self, "_arguments", Checker(bounded(self.input_schema), free))
        object.__setattr__(self, "_result", Checker(self.output_schema) if self.output_schema else None)

    @property
    def pages(self) -> bool:
        """Whether its answers go on behind a pageToken."""
        return bool(self.rows) and "pageToken" in self.input_schema["properties"]

    def takes(self, arguments: JsonObject) -> bool:
        """Whether *arguments* fit as they came, as nearly all do: then none of them holds others."""
        return is_plain(arguments, self._known) and self._arguments.fits(arguments)

    def understood(self, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
        """What read() makes of *arguments*, and the problems() of that."""
        if self.takes(arguments):
            return arguments, NO_PROBLEMS
        if len(arguments) > MAX_ITEMS:
            return arguments, [f"arguments: {len(arguments):,} are too many; known: {', '.join(self._known)}"]
        given = self.read(arguments)
        return given, self.problems(given)

    def read(self, arguments: JsonObject) -> JsonObject:
        """Arguments in the form the schema asks for, where what a client sent can mean only that. Comes before
        problems() and run()."""
        return read(arguments, self.input_schema)

    def problems(self, arguments: JsonObject) -> list[str]:
        """What is wrong with *arguments*, one sentence each; run() wants none."""
        return self._arguments.problems(arguments)

    def result_problems(self, result: JsonObject) -> list[str]:
        """Where *result* does not fit the output schema."""
        return self._result.problems(result) if self._result is not None else []


def from_operation(operation: Operation, area: str, hint: str = "") -> Tool:
    """The tool that offers an *operation* of the *area* (an attribute of Doit); *hint*: words to be found by.

    Raises TypeError for one that answers with a stream: those are offered by functions.
    """
    if operation.stream:
        raise TypeError(f"{operation.name}: a stream needs a function that reads it")
    output = _output(operation.function, operation.items, may_be_empty=not operation.reads)

    async def run(call: Call, arguments: JsonObject) -> JsonObject:
        method = getattr(getattr(call.doit, area), operation.name)
        shown, given = resumed(arguments) if operation.items else (0, arguments)
        answer = await method(**given)
        if not operation.reads and answer in (None, {}):
            answer = done(operation, given)
        answer = settled(shaped(answer, operation.items), output)
        return without_first(answer, operation.items, shown)

    return _tool(
        operation.function,
        run,
        output,
        title=operation.title,
        area=area,
        hint=hint,
        hints=hints_of(operation),
        rows=operation.items,
        narrow=operation.narrow,
        slow=operation.slow and operation.reads,
        deadline=None if operation.reads else DEADLINE,
        changes=changes_of(operation),
    )


def from_function(
    function: Callable[..., Awaitable[Any]],
    *,
    area: str,
    title: str = "",
    hint: str = "",
    narrow: str = "",
    rows: str = "",
    writes: bool = False,
    destroys: bool = False,
    outward: bool = False,
    slow: bool = False,
) -> Tool:
    """The tool that runs *function*: its first parameter is ``doit: Doit`` or ``call: Call``, the keyword-only ones are
    the arguments, the docstring is the description. *destroys*: it may change or delete what is there."""
    first = next(iter(inspect.signature(function).parameters))
    takes_doit = get_type_hints(function)[first] is Doit
    output = _output(function, rows)

    async def run(call: Call, arguments: JsonObject) -> JsonObject | Content:
        result: JsonObject | Content = await function(call.doit if takes_doit else call, **arguments)
        return result if isinstance(result, Content) else settled(result, output)

    hints = _hints(reads=not writes, destroys=destroys, idempotent=not writes, outward=outward)
    return _tool(
        function, run, output, title=title, area=area, hint=hint, hints=hints, rows=rows, narrow=narrow, slow=slow
    )


def _tool(
    function: Callable[..., Any],
    run: Run,
    output: JsonObject,
    *,
    title: str,
    area: str,
    hint: str,
    hints: JsonObject,
    rows: str,
    narrow: str,
    slow: bool,
    deadline: float | None = DEADLINE,
    changes: Changes | None = None,
) -> Tool:
    name = function.__name__
    title = title or title_of(name)
    schema = of_function(function)
    writes, outward = not hints["readOnlyHint"], hints["openWorldHint"]
    reaches = reaching(function) if writes else ()
    mentions = reaching(function, MENTIONS) if writes else ()
    return Tool(
        name=name,
        title=title,
        description=description_of(function),
        input_schema=schema,
        run=run,
        output_schema=output,
        annotations={**hints, "openWorldHint": outward or bool(reaches or mentions)},
        security=SECURITY,
        meta=_meta(name, title, hint),
        area=area,
        writes=writes,
        rows=rows,
        narrow=narrow or (NARROW_LIST if "maxResults" in schema["properties"] else NARROW),
        deadline=deadline,
        task_after=TASK_AFTER if slow else None,
        outward=outward,
        reaches=reaches,
        mentions=mentions,
        changes=changes,
    )


def hints_of(operation: Operation) -> JsonObject:
    """The hints that follow from the verb: creating adds, everything else that writes changes or deletes."""
    return _hints(
        reads=operation.reads,
        destroys=not operation.reads and (operation.destroys or operation.method != "POST"),
        # A key makes repeats of one request harmless, but each call of the tool has its own.
        idempotent=operation.reads or operation.method != "POST",
        outward=operation.outward,
    )


def _hints(*, reads: bool, destroys: bool, idempotent: bool, outward: bool) -> JsonObject:
    return {
        "readOnlyHint": reads,
        "destructiveHint": destroys,
        "idempotentHint": idempotent,
        "openWorldHint": outward,
    }


def _meta(name: str, title: str, hint: str) -> JsonObject:
    invoking, invoked = status_of(name, title)
    meta: JsonObject = {
        "securitySchemes": list(SECURITY),
        "openai/toolInvocation/invoking": invoking,
        "openai/toolInvocation/invoked": invoked,
    }
    meta |= {"anthropic/searchHint": hint} if hint else {}
    return meta | ({"anthropic/alwaysLoad": True} if name in PINNED else {})


def _output(function: Callable[..., Any], items: str, *, may_be_empty: bool = False) -> JsonObject:
    """The schema of a function's answer: an open object with the fields that its return annotation names."""
    hint = get_type_hints(function, include_extras=True).get("return")
    records = get_args(hint)[1:] if get_origin(hint) is Annotated else (hint,)
    for record in records:
        if is_typeddict(record):
            return of_typed_dict(record, closed=False)
    if not items:
        return of_typed_dict(Done, closed=False) if may_be_empty else {"type": "object", "properties": {}}
    page = of_typed_dict(Page, closed=False)["properties"]
    return {"type": "object", "properties": {items: {"type": "array", "items": {"type": "object"}}, **page}}


def done(operation: Operation, arguments: JsonObject) -> JsonObject:
    """What is said for a write that the API answers with nothing: that it is done, and to what."""
    deleted = {"deleted": True} if operation.method == "DELETE" else {}
    about = (*operation.placeholders, *operation.parameters)
    return {"status": "completed", **deleted, **{name: arguments[name] for name in about if name in arguments}}


def shaped(answer: Any, items: str) -> JsonObject:
    """An answer of the API as an object, which structured content has to be."""
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, list):
        return {items or "items": answer, "rowCount": len(answer)}
    return {"result": answer}


def settled(answer: JsonObject, schema: JsonObject) -> JsonObject:
    """*answer* without nulls where *schema* knows a member and no null: the API sends null for what is not there, and
    for empty lists."""
    known = {name: member.get("type") for name, member in schema.get("properties", {}).items()}
    found = {name: [] if value is None and known.get(name) == "array" else value for name, value in answer.items()}
    return {name: value for name, value in found.items() if value is not None or known.get(name) is None}
