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
NARROW_HINT = "Ask for less: use arguments that narrow the result."
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
    """One tool. *annotations* are its hints; *rows_key* is the key of the answer under which a list's rows are.

    *narrow_hint* says how to ask for less. *deadline* is in seconds; reads of one request need none, because the client
    bounds them. *task_after* is for slow reads that ask no questions: after this number of seconds the call becomes a task
    if the client can follow one. *resolve_target* is for a tool that calls others: it returns the tool that arguments
    mean and its arguments, or raises ToolError. *open_world*: the operation itself reaches outside of the account;
    *external_target_paths* are the paths of the arguments that do, *linked_text_paths* those of texts that do if they hold an address.
    *changes* is for updates that need at least one change. *targets* are the arguments that say what a write is about.
    *sends_delete*: its request ends the thing. *facts* are those of its declaration, in the file *declared_in*.
    *changes* is for updates that need at least one change. *identifiers* are the arguments marked IDENTIFIER,
    *result_type* is the TypedDict that declares the result.
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
    sends_delete: bool = False
    facts: ToolFacts = field(default_factory=ToolFacts, repr=False)
    declared_in: str = ""
    identifiers: frozenset[str] = frozenset()
    result_type: type | None = None
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
    def deletes(self) -> bool:
        """Whether the thing is gone after a call."""
        return self.sends_delete or self.verb == "delete"

    @property
    def is_paginated(self) -> bool:
        """Whether results continue with a pageToken."""
        return bool(self.rows_key) and "pageToken" in self.input_schema["properties"]

    def accepts(self, arguments: JsonObject) -> bool:
        """Return whether *arguments* are valid as sent, as nearly all are, without coercion."""
        return needs_no_coercion(arguments, self._known) and self._arguments.is_valid(arguments)

    def parse_arguments(self, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
        """*arguments* after coerce_arguments(), and the argument_problems() of these."""
        if self.accepts(arguments):
            return arguments, NO_PROBLEMS
        if len(arguments) > MAX_LIST_ITEMS:
            return arguments, [f"arguments: {len(arguments):,} are too many. Available: {', '.join(self._known)}"]
        given = self.coerce_arguments(arguments)
        return given, self.argument_problems(given)

    def coerce_arguments(self, arguments: JsonObject) -> JsonObject:
        """*arguments* with every unambiguous value in the type that the schema declares. To be called before
        argument_problems() and run()."""
        return coerce_arguments(arguments, self.input_schema, self.identifiers)

    def argument_problems(self, arguments: JsonObject) -> list[str]:
        """What is wrong with *arguments*, one sentence for each problem. Call run() only without problems."""
        return self._arguments.problems(arguments)

    def result_problems(self, result: JsonObject) -> list[str]:
        """Return where *result* does not match the output schema."""
        return self._result.problems(result) if self._result is not None else []
