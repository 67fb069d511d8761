"""Tool: name, schemas, hints and function of a tool, and the checks of its arguments and results."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ...api.facts import ToolFacts
from ...api.markers import ArgumentPath
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import MAX_LIST_ITEMS, MAX_OPEN_OBJECT_VALUES
from ...protocol.schema_validator import SchemaValidator
from ..call import Call
from ..stores.approvals import Approval
from .argument_coercion import coerce_arguments, needs_no_coercion
from .empty_updates import UpdateFields
from .series import ResultWithSeries

DEADLINE_SECONDS = 45.0
TASK_AFTER_SECONDS = 8.0
NO_PROBLEMS: list[str] = []
SECURITY_SCHEMES: tuple[JsonObject, ...] = ({"type": "oauth2", "scopes": ["mcp:tools"]},)
NARROW_HINT = "Ask for less: use arguments that narrow the result."
NARROW_LIST_HINT = "Ask for fewer rows (maxResults) or use a filter."

RunTool = Callable[[Call, JsonObject], Awaitable["ToolResult"]]
APPROVAL_ARGUMENT = "approvalToken"
"""The argument with the token of a prepared change."""
ResolveApproval = Callable[[Approval, JsonObject], tuple["Tool", JsonObject]]
ResolveTarget = Callable[[JsonObject], tuple["Tool", JsonObject]]


class ToolError(Exception):
    """A refusal with a text for the model: what is wrong, and how to correct it."""


class Declined(ToolError):
    """The user declined, so nothing was changed."""


@dataclass(frozen=True, slots=True)
class ContentResult:
    """A result with the tool's own content blocks; *structured* must match the tool's output schema."""

    blocks: list[JsonObject]
    structured: JsonObject | None = None
    is_error: bool = False
    meta: JsonObject | None = None


ToolResult = JsonObject | ResultWithSeries | ContentResult
"""What a tool returns: structured content, alone or with series, or its own content blocks."""


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """One tool, made from an API operation or a composed function."""

    name: str
    title: str
    description: str
    input_schema: JsonObject
    """The schema of the arguments that clients see."""
    run: RunTool = field(repr=False)
    output_schema: JsonObject | None = None
    annotations: JsonObject = field(default_factory=dict)
    """Hints for clients (ToolAnnotations)."""
    security: tuple[JsonObject, ...] = ()
    meta: JsonObject = field(default_factory=dict)
    area: str = ""
    writes: bool = False
    deadline: float | None = DEADLINE_SECONDS
    """In seconds. Reads with a single request have none, because the API client limits them."""
    rows_key: str = ""
    """Member of the result that has the rows of a list."""
    narrow_hint: str = NARROW_HINT
    """How to get a smaller result."""
    task_after: float | None = None
    """Seconds after which a slow read without questions becomes a task, if the client supports tasks."""
    resolve_target: ResolveTarget | None = None
    """For a tool that calls others: returns the tool to call and its arguments, or raises ToolError."""
    resolve_approval: ResolveApproval | None = None
    """For the tool that applies prepared changes: returns the tool of one and its arguments, or raises ToolError."""
    open_world: bool = False
    """The operation itself reaches outside the account."""
    external_target_paths: tuple[ArgumentPath, ...] = ()
    """Arguments that reach outside the account."""
    linked_text_paths: tuple[ArgumentPath, ...] = ()
    """Texts that reach outside the account if they contain an address."""
    changes: UpdateFields | None = None
    """For updates that need at least one change."""
    targets: tuple[str, ...] = ()
    """Arguments that identify the object of a write."""
    sends_delete: bool = False
    """The request deletes or ends the object."""
    facts: ToolFacts = field(default_factory=ToolFacts, repr=False)
    """The facts that the declaration states."""
    declared_in: str = ""
    """Path of the file with the declaration."""
    accepted_schema: JsonObject = field(default_factory=dict, repr=False)
    """The schema that arguments are checked against. Default: *input_schema*."""
    identifiers: frozenset[str] = frozenset()
    """Arguments that are marked IDENTIFIER."""
    secret_arguments: frozenset[str] = frozenset()
    """Arguments that are marked SECRET."""
    former_names: Mapping[str, str] = field(default_factory=dict)
    """The current names of arguments by their former ones, which are the API's names for them."""
    result_type: type | None = None
    """The TypedDict that declares the result."""
    _properties: JsonObject = field(init=False, repr=False)
    _arguments: SchemaValidator = field(init=False, repr=False)
    _result: SchemaValidator | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.accepted_schema:
            object.__setattr__(self, "accepted_schema", self.input_schema)
        object.__setattr__(self, "_properties", self.accepted_schema.get("properties", {}))
        # The schema of the target tool limits its arguments.
        max_open_values = MAX_OPEN_OBJECT_VALUES if self.resolve_target is None else None
        object.__setattr__(
            self, "_arguments", SchemaValidator(self.accepted_schema, max_open_values, default_limits=True)
        )
        object.__setattr__(self, "_result", SchemaValidator(self.output_schema) if self.output_schema else None)

    @property
    def verb(self) -> str:
        """The first word of the name."""
        return self.name.partition("_")[0]

    @property
    def deletes(self) -> bool:
        """Whether the object no longer exists after a call."""
        return self.sends_delete or self.verb == "delete"

    @property
    def is_paginated(self) -> bool:
        """Whether results continue with a pageToken."""
        return bool(self.rows_key) and "pageToken" in self.input_schema["properties"]

    def with_argument_names(self, state: JsonObject) -> JsonObject:
        """Return an object of the API with the names that its members have as arguments."""
        return {self.former_names.get(name, name): value for name, value in state.items()}

    def accepts(self, arguments: JsonObject) -> bool:
        """Return whether *arguments* are valid without coercion, as most are."""
        return needs_no_coercion(arguments, self._properties) and self._arguments.is_valid(arguments)

    def parse_arguments(self, arguments: JsonObject) -> tuple[JsonObject, list[str]]:
        """Return the coerced *arguments*, and their problems as argument_problems() lists them."""
        if self.accepts(arguments):
            return arguments, NO_PROBLEMS
        if len(arguments) > MAX_LIST_ITEMS:
            return arguments, [
                f"arguments: {len(arguments):,} are too many. Available: {', '.join(self.input_schema.get('properties', {}))}"
            ]
        coerced = self.coerce_arguments(arguments)
        return coerced, self.argument_problems(coerced)

    def coerce_arguments(self, arguments: JsonObject) -> JsonObject:
        """Return *arguments* with every unambiguous value converted to the type that the schema declares.

        Call this before argument_problems() and run().
        """
        return coerce_arguments(
            arguments, self.accepted_schema, self.identifiers, self.former_names, reads=not self.writes
        )

    def argument_problems(self, arguments: JsonObject) -> list[str]:
        """Return the problems of *arguments*, one sentence for each. Call run() only without problems."""
        return self._arguments.problems(arguments)

    def result_problems(self, result: JsonObject) -> list[str]:
        """Return the problems of *result* under the output schema, one sentence for each."""
        return self._result.problems(result) if self._result is not None else []
