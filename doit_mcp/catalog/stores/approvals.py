"""Approvals of prepared changes: which change a user approves with a token, for clients that cannot be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ...protocol.jsonrpc import JsonObject
from .result_store import ResultLimits

LIFETIME_SECONDS = 300.0
"""How long a user can approve a prepared change."""
REPEAT_SECONDS = 120.0
"""How long after that a repeated approval still gets the receipt of the change."""
EXPIRED = (
    f"Nothing was changed: this approvalToken expired after {LIFETIME_SECONDS / 60:g} minutes. Call the tool of the"
    " change again to prepare it."
)
MAX_CHANGE_BYTES = 1 << 20
"""Maximum size of a prepared change: its arguments as JSON."""
CHANGE_LIMITS = ResultLimits(
    ttl_seconds=LIFETIME_SECONDS + REPEAT_SECONDS,
    result_bytes=MAX_CHANGE_BYTES,
    per_owner=100,
    owner_bytes=4 << 20,
    total=10_000,
    total_bytes=64 << 20,
)
"""The limits of prepared changes."""

ConfirmationPolicy = Literal["always", "when-destructive", "never"]
"""Which changes need the user's confirmation: all; those that delete, reach others or are declared so; or none."""


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval of one prepared change.

    *arguments* are those of the call that prepared it, *digest* identifies what the user saw. *prepared_at* is in epoch
    milliseconds. If *is_expired*, it only gives the receipt of a change that was made in time. If *is_used*, this call
    has used it, and continues as a task.
    """

    id: str
    tool: str
    arguments: JsonObject
    digest: str
    prepared_at: int
    is_expired: bool = False
    is_used: bool = False


class CallApprovals(Protocol):
    """The approvals of one call: the one that it was given, and those that it asks for."""

    @property
    def policy(self) -> ConfirmationPolicy:
        """Which changes need the user's confirmation."""

    @property
    def current(self) -> Approval | None:
        """The approval that this call was given; None for calls of the tools themselves."""

    async def find(self, token: str) -> Approval:
        """Return the approval for *token*, which becomes the current one. Raises ToolError for an invalid token."""

    async def prepare(self, tool: str, arguments: JsonObject, digest: str) -> tuple[str, float]:
        """Store a change. Return the token that approves it and when that expires, in epoch seconds.

        Raises ToolError if the change is too large, or cannot be stored at the moment.
        """

    async def use(self) -> None:
        """Use up the current approval, if any. Raises ToolError if it was used before, or if that cannot be checked."""
