"""Reads what a write is about to change, and describes the change."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

import orjson

from ...api.errors import ApiError, lacks_customer
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..console_links import object_link
from ..tools.tool import Tool
from .change_context import NO_CONTEXT, ChangeContextReader
from .change_record import change_record
from .plain_text import to_plain_text
from .preview import preview_digest, preview_message, with_removed_values
from .reversibility import UPDATING_VERBS
from .snapshot import Snapshot
from .state_reader import StateReader
from .undo import RestorePlan, UndoPlan
from .write_refusals import check_refusal

T = TypeVar("T")

MAX_INLINE_BYTES = 16 << 10
"""Maximum size of arguments whose description is built in the event loop. A few KB of JSON can have thousands of
members."""


@dataclass(frozen=True, slots=True)
class ChangeDescriber:
    """Describes calls of *tool*: the objects that *reader* and *context_reader* read, and what *undo* can restore."""

    tool: Tool
    reader: StateReader | None
    context_reader: ChangeContextReader | None = None
    undo: UndoPlan | None = None

    async def read(self, call: Call, arguments: JsonObject) -> Snapshot:
        """Return the current state. Raises ApiError if the object must exist and does not, or for a bad
        credential, and ToolError if the API refuses the write to an object with this state."""
        customer = await _customer_label(call)
        current, note = (None, "") if self.reader is None else await self.reader.read_state_with_note(call, arguments)
        check_refusal(self.tool, arguments, current or {})
        reader = self.context_reader
        context = NO_CONTEXT if reader is None else await reader.read(call, arguments, current)
        link = object_link(call, *self._find_object(arguments), current or {})
        problem = await _compute(current or {}, self._undo_problem, arguments, current)
        return Snapshot(current, note, context, customer, link, problem)

    def _undo_problem(self, arguments: JsonObject, current: JsonObject | None) -> str:
        """Return what the receipt will say about values that cannot be restored; "" if all can.

        For a deletion, this is why no call can create the object again.
        """
        if current is None or not isinstance(self.undo, RestorePlan):
            return ""
        undo = self.undo.make(arguments, current)
        return "" if self.tool.deletes and "tool" in undo else str(undo.get("note", ""))

    def _find_object(self, arguments: JsonObject) -> tuple[str, object]:
        """Return the area and the id of the object. Tools for several areas have the argument resourceType."""
        area = arguments.get("resourceType") or self.tool.area
        targets = self.tool.targets
        return str(area), arguments.get("id") or (arguments.get(targets[-1]) if targets else None)

    async def describe(self, arguments: JsonObject, snapshot: Snapshot) -> tuple[str, str]:
        """Return the text of the question to the user, and the digest of what it is about."""
        return await _compute(arguments, self._describe, arguments, snapshot)

    async def record(self, arguments: JsonObject, snapshot: Snapshot) -> JsonObject:
        """Return the change as data."""
        return await _compute(arguments, self._make_record, arguments, snapshot)

    def _describe(self, arguments: JsonObject, snapshot: Snapshot) -> tuple[str, str]:
        given = with_removed_values(self.tool, arguments, snapshot.current)
        message = preview_message(self.tool, *self._with_names(given, snapshot))
        return message, preview_digest(self.tool, given, snapshot)

    def _make_record(self, arguments: JsonObject, snapshot: Snapshot) -> JsonObject:
        given = with_removed_values(self.tool, arguments, snapshot.current)
        shown, named = self._with_names(given, snapshot)
        return change_record(self.tool, shown, named, self._shown_fields(shown))

    def _with_names(self, arguments: JsonObject, snapshot: Snapshot) -> tuple[JsonObject, Snapshot]:
        """Return *arguments* and *snapshot* with the names of the objects whose ids they contain."""
        context, current = snapshot.context, snapshot.current
        named = current and context.with_names(self.tool, current)
        return context.with_names(self.tool, arguments), snapshot._replace(current=named)

    def _shown_fields(self, arguments: JsonObject) -> Collection[str] | None:
        """Return the fields whose former values the reader shows, even if they are missing; None for all."""
        if self.tool.verb in UPDATING_VERBS:
            return arguments.keys() - set(self.tool.facts.get("not_shown", ()))
        # The schema of a list describes its rows in words only.
        shows_one = self.reader is not None and not self.reader.tool.rows_key
        schema = (self.reader.tool.output_schema or {}) if self.reader is not None and shows_one else {}
        properties: JsonObject = schema.get("properties", {})
        return properties


async def _compute(arguments: JsonObject, compute: Callable[..., T], *inputs: object) -> T:
    """Return the result of *compute*, which runs in a thread if the arguments are large."""
    if is_large(arguments) or len(orjson.dumps(arguments)) > MAX_INLINE_BYTES:
        return await run_in_thread(compute, *inputs)
    return compute(*inputs)


async def _customer_label(call: Call) -> str:
    """Return the domain and id of the customer that an employee acts for; "" for all other users."""
    id = call.customer_context
    if id is None:
        return ""
    try:
        domain = to_plain_text(str((await call.doit.auth.validate_user()).get("domain") or ""))
    except ApiError as error:
        if error.kind == "credential" or lacks_customer(error):
            raise
        domain = ""  # The id alone still identifies the customer; if the API is unavailable, the write will fail.
    # If an API token determines the customer, the key is the domain.
    id = "" if id == domain else to_plain_text(id)
    return (f"{domain} (id {id})" if domain and id else domain or id) or "your own account"
