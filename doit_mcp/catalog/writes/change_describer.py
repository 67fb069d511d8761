"""Reads what a write is about to change, and describes the change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import orjson

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ...protocol.message_limits import is_large
from ...resilience.compute_thread import run_in_thread
from ..call import Call
from ..console_links import object_link
from ..tools.tool import Tool
from .change_record import change_record
from .plain_text import to_plain_text
from .preview import preview_digest, preview_message, with_removed_values
from .snapshot import Snapshot
from .state_reader import StateReader

T = TypeVar("T")
ReadObjects = Callable[[Call, JsonObject], Awaitable[dict[str, JsonObject]]]

MAX_INLINE_BYTES = 16 << 10
"""Size of arguments up to which descriptions are built in the event loop. A few KB of JSON can have thousands of
members."""


@dataclass(frozen=True, slots=True)
class ChangeDescriber:
    """Describes calls of *tool* by the objects that *reader* and *read_related* read."""

    tool: Tool
    reader: StateReader | None
    read_related: ReadObjects | None = None

    async def read(self, call: Call, arguments: JsonObject) -> Snapshot:
        """Return the current state. Raises ApiError if the object must exist and does not, or for a bad credential."""
        customer = await _customer_label(call)
        current, note = (None, "") if self.reader is None else await self.reader.read_state_with_note(call, arguments)
        related = {} if self.read_related is None else await self.read_related(call, arguments)
        link = object_link(call, self.tool.area, arguments.get("id"), current or {})
        return Snapshot(current, note, related, customer, link)

    async def describe(self, arguments: JsonObject, snapshot: Snapshot) -> tuple[str, str]:
        """Return the text of the question to the user, and the digest of what it is about."""
        return await _run(arguments, self._describe, arguments, snapshot)

    async def record(self, arguments: JsonObject, snapshot: Snapshot) -> JsonObject:
        """Return the change as data."""
        return await _run(arguments, self._record, arguments, snapshot)

    def _describe(self, arguments: JsonObject, snapshot: Snapshot) -> tuple[str, str]:
        arguments = with_removed_values(self.tool, arguments, snapshot.current)
        return preview_message(self.tool, arguments, snapshot), preview_digest(self.tool, arguments, snapshot)

    def _record(self, arguments: JsonObject, snapshot: Snapshot) -> JsonObject:
        arguments = with_removed_values(self.tool, arguments, snapshot.current)
        # A list describes its rows only in words.
        schema = (self.reader.tool.output_schema or {}) if self.reader and not self.reader.tool.rows_key else {}
        readable = schema.get("properties")
        return change_record(self.tool, arguments, snapshot, readable)


async def _run(arguments: JsonObject, compute: Callable[..., T], *inputs: object) -> T:
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
        if error.kind == "credential":
            raise
        domain = ""  # The id alone still identifies the customer; if the API is unavailable, the write will fail.
    # If an API token determines the customer, the key is the domain.
    id = "" if id == domain else to_plain_text(id)
    return (f"{domain} (id {id})" if domain and id else domain or id) or "your own account"
