"""A snapshot: what was read before a write, which its description and its undo compare with the arguments."""

from __future__ import annotations

from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from .change_context import NO_CONTEXT, ChangeContext


class Snapshot(NamedTuple):
    """What was read for one call: the object, None if unknown, with a *note* that says why; and its *context*.

    *customer* is "" for the user's own, *link* is the object's page in the console. *undo_problem* says why no call
    can create the deleted object again, or which values the undo of an update cannot restore.
    """

    current: JsonObject | None
    note: str = ""
    context: ChangeContext = NO_CONTEXT
    customer: str = ""
    link: str = ""
    undo_problem: str = ""
