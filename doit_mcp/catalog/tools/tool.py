"""Tool: its name, schemas, hints and function, made from an API operation or a composed function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ...api.facts import ToolFacts
from ...api.markers import ArgumentPath
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import MAX_LIST_ITEMS, MAX_OPEN_OBJECT_VALUES, with_default_limits
from ...protocol.schema_validator import SchemaValidator
from ..call import Call
from ..writes.empty_updates import UpdateFields
from .argument_coercion import coerce_arguments, needs_no_coercion

DEADLINE_SECONDS = 45.0
TASK_AFTER_SECONDS = 8.0
NO_PROBLEMS: list[str] = []
SECURITY_SCHEMES: tuple[JsonObject, ...] = ({"type": "oauth2", "scopes": ["mcp:tools"]},)
NARROW_HINT = "Ask for less: use the arguments that narrow it down."
NARROW_LIST_HINT = "Ask for fewer rows (maxResults) or use a filter."

RunTool = Callable[[Call, JsonObject], Awaitable["JsonObject | ContentResult"]]
ResolveTarget = Callable[[JsonObject], tuple["Tool", JsonObject]]


class ToolError(Exception):
    """A refusal with a text for the model: what is wrong, and what would be right."""


class Declined(ToolError):
    """The user was asked and did not agree, so nothing was changed."""


@dataclass(frozen=True, slots=True)
class ContentResult:
    """A result with the tool's own content blocks; *structured* must match the tool's output schema."""

    blocks: list[JsonObject]
    structured: JsonObject | None = None
    is_error: bool = False
    meta: JsonObject | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """One tool. *annotations* are its hints; *rows_key* is the key of the rows in the result of a list.

    *narrow_hint* says how to ask for less. *deadline* is in seconds; reads with a single request need none, because the
    HTTP client limits them. *task_after* is for slow reads that ask no questions: after this many seconds the call
    becomes a task if the client can follow one. *resolve_target* is for a tool that calls others: it returns the target
    tool and its arguments, or raises ToolError. *open_world*: the operation itself reaches outside the account;
    *external_target_paths* are the paths of arguments that do, *linked_text_paths* those of texts that do if they
    contain an address. *changes* is for updates that need at least one change. *targets* are the arguments that
    identify the object of a write. *facts* are those of its declaration, which is in the file *declared_in*.
    """

    name: str
    title: str
    description: str
    input_schema: JsonObject
    run: RunTool = field(repr=False)
    output_schema: JsonObject | None = None
    annotations: JsonObject = field(default_factory=dict)
    security: tuple[JsonObject, ...] = ()
    meta: JsonObject = field(default_factory=dict)
    area: str = ""
    writes: bool = False
    deadline: float | None = DEADLINE_SECONDS
    rows_key: str = ""
    narrow_hint: str = NARROW_HINT
    task_after: float | None = None
    resolve_target: ResolveTarget | None = None
    open_world: bool = False
    external_target_paths: tuple[ArgumentPath, ...] = ()
    linked_text_paths: tuple[ArgumentPath, ...] = ()
    changes: UpdateFields | None = None
    targets: tuple[str, ...] = ()
    facts: ToolFacts = field(default_factory=ToolFacts, repr=False)
    declared_in: str = ""
    _known: JsonObject = field(init=False, repr=False)
    _arguments: SchemaValidator = field(init=False, repr=False)
    _result: SchemaValidator | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", self.input_schema.get("properties", {}))
        free = (
            MAX_OPEN_OBJECT_VALUES if self.resolve_target is None else None
        )  # The arguments of the target tool are checked by its own schema.
        object.__setattr__(self, "_arguments", SchemaValidator(with_default_limits(self.input_schema), free))
        object.__setattr__(self, "_result", SchemaValidator(self.output_schema) if self.output_schema else None)

    @property
    def verb(self) -> str:
        """The first word of the name."""
        return self.name.partition("_")[0]

    @property
    def is_paginated(self) -> bool:
        """Whether results continue with a pageToken."""
        return bool(self.rows_key) and "pageToken" in self.input_schema["properties"]

    def accepts(self, arguments: JsonObject) -> bool:
        """Return whether *arguments* are valid as sent, as nearly all are, without coercion."""
        return needs_no_coercion(arguments, self._known) and self._arguments.is_valid(arguments)

    def parse_arguments(self, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
        """Return *arguments* after coerce_arguments(), and the argument_problems() of the outcome."""
        if self.accepts(arguments):
            return arguments, NO_PROBLEMS
        if len(arguments) > MAX_LIST_ITEMS:
            return arguments, [f"arguments: {len(arguments):,} are too many; known: {', '.join(self._known)}"]
        given = self.coerce_arguments(arguments)
        return given, self.argument_problems(given)

    def coerce_arguments(self, arguments: JsonObject) -> JsonObject:
        """Return the arguments in the form that the schema requires, if what the client sent is unambiguous.

        Call this before argument_problems() and run().
        """
        return coerce_arguments(arguments, self.input_schema)

    def argument_problems(self, arguments: JsonObject) -> list[str]:
        """Return what is wrong with *arguments*, one sentence each. run() requires arguments without problems."""
        return self._arguments.problems(arguments)

    def result_problems(self, result: JsonObject) -> list[str]:
        """Return where *result* does not match the output schema."""
        return self._result.problems(result) if self._result is not None else []
