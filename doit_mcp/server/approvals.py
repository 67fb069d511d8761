"""Approvals: stores prepared changes until the user approves them, and checks the tokens that approve them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import orjson

from ..catalog.stores.approvals import (
    CHANGE_LIMITS,
    EXPIRED,
    LIFETIME_SECONDS,
    MAX_CHANGE_BYTES,
    Approval,
    ConfirmationPolicy,
)
from ..catalog.stores.result_store import MemoryResultStore, ResultStore
from ..catalog.tools.tool import ToolError
from ..protocol.jsonrpc import JsonObject
from ..resilience.unavailable import StateUnavailable
from .approval_tokens import ApprovalTokens
from .consents import Consents

ALTERED = (
    "Nothing was changed: approvalToken is not a token of this server, or it was altered. Copy the approvalToken of the"
    " prepared change exactly, or call the tool of the change again to prepare it."
)
FOREIGN = (
    "Nothing was changed: this approvalToken was made for another user or another customer. Only the user who prepared"
    " a change can approve it, for the same customer."
)
FORGOTTEN = (
    "Nothing was changed: the change of this approvalToken is no longer stored. Call the tool of the change again to"
    " prepare it."
)
USED = (
    "This approvalToken was already used, and each counts only once, so this call changed nothing. It is unknown whether"
    " the first call made the change, or the DoiT API refused it, or the object had changed and the change was prepared"
    " again with a new token. Read the object first. Only if the change is missing, call the tool of the change again to prepare it."
)
LOST = (
    "This call changed nothing. It is unknown whether the change of this approvalToken was made before: the server no"
    " longer stores the change or its result. Read the object first. Only if the change is missing, call the tool of the"
    " change again to prepare it."
)
TOKEN_USED = "The approvalToken counts only once: to make the change later, call {} again to prepare it."
UNVERIFIED = (
    "This call changed nothing: the server cannot check at the moment whether this approvalToken was used before. Call"
    " confirm_action again in a few seconds."
)
TOO_LARGE = (
    f"Nothing was changed: this change needs the user's approval, and its arguments are larger than"
    f" {MAX_CHANGE_BYTES >> 20} MB, the maximum for a prepared change. Split it into smaller calls."
)
UNAVAILABLE = (
    "Nothing was changed: this change needs the user's approval, and the server cannot store prepared changes at the"
    " moment. Try again in a few seconds."
)


def make_memory_store(clock: Callable[[], float] = time.monotonic) -> MemoryResultStore:
    """Return a store of prepared changes in this process."""
    return MemoryResultStore(clock, limits=CHANGE_LIMITS)


class Approvals:
    """The approvals of all callers. *store* holds the prepared changes, *consents* the tokens that were used.

    *policy* says which changes need a confirmation. *clock* is the real time, in epoch seconds.
    """

    def __init__(
        self,
        store: ResultStore,
        tokens: ApprovalTokens,
        consents: Consents,
        policy: ConfirmationPolicy,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._tokens, self._consents, self._clock = store, tokens, consents, clock
        self.policy: ConfirmationPolicy = policy

    @classmethod
    def in_memory(cls, consents: Consents, policy: ConfirmationPolicy = "when-destructive") -> Approvals:
        """Return the approvals of one process, with tokens that no other process accepts."""
        return cls(make_memory_store(), ApprovalTokens(os.urandom(32)), consents, policy)

    async def prepare(
        self, owner: str, tenant: str, tool: str, arguments: JsonObject, digest: str
    ) -> tuple[str, float]:
        """Store a change. Return its token and when that expires (epoch seconds). Raise ToolError if that fails."""
        now = self._clock()
        data = orjson.dumps([tool, arguments, digest, int(now * 1000)])
        if len(data) > MAX_CHANGE_BYTES:
            raise ToolError(TOO_LARGE)
        handle = await self._store.put(owner, data)
        if handle is None:
            raise ToolError(UNAVAILABLE)
        expires_at = int(now + LIFETIME_SECONDS)
        return self._tokens.make(handle, expires_at, owner, tenant), expires_at

    async def find(self, owner: str, tenant: str, token: str) -> Approval:
        """Return the approval for *token*. Raise ToolError with the reason if it approves nothing."""
        parsed = self._tokens.read(token)
        if parsed is None:
            raise ToolError(ALTERED)
        if not self._tokens.is_owned_by(parsed, owner, tenant):
            raise ToolError(FOREIGN)
        is_expired = self._clock() >= parsed.expires_at
        data = await self._store.get(owner, parsed.handle)
        if data is None:
            # A token that was never used made no change, and counts as used from now on.
            was_prepared_at = (parsed.expires_at - int(LIFETIME_SECONDS)) * 1000
            unused = await self._use(owner, was_prepared_at, parsed.handle)
            raise ToolError((EXPIRED if is_expired else FORGOTTEN) if unused else LOST)
        tool, arguments, digest, prepared_at = orjson.loads(data)
        return Approval(parsed.handle, tool, arguments, digest, prepared_at, is_expired)

    async def use(self, owner: str, approval: Approval) -> None:
        """Use up *approval*. Raise ToolError if it was used before, or if that cannot be checked."""
        if not await self._use(owner, approval.prepared_at, approval.id):
            raise ToolError(USED)

    async def _use(self, owner: str, prepared_at: int, id: str) -> bool:
        """Use up an approval. Return whether it counts. Raise ToolError if that cannot be checked."""
        try:
            return await self._consents.use(owner, prepared_at, id)
        except StateUnavailable:
            raise ToolError(UNVERIFIED) from None


class BoundApprovals:
    """Implements :class:`doit_mcp.catalog.stores.approvals.CallApprovals` for the calls of one user and customer."""

    def __init__(self, approvals: Approvals, owner: str, tenant: str, current: Approval | None = None) -> None:
        self._approvals, self._owner, self._tenant, self.current = approvals, owner, tenant, current

    @property
    def policy(self) -> ConfirmationPolicy:
        """Which changes need the user's confirmation."""
        return self._approvals.policy

    async def find(self, token: str) -> Approval:
        """Return the approval for *token*, which becomes the current one."""
        self.current = await self._approvals.find(self._owner, self._tenant, token)
        return self.current

    async def prepare(self, tool: str, arguments: JsonObject, digest: str) -> tuple[str, float]:
        """Store a change. Return its token and when that expires."""
        return await self._approvals.prepare(self._owner, self._tenant, tool, arguments, digest)

    async def use(self) -> None:
        """Use up the current approval, if any. Raise ToolError if it does not count."""
        if self.current is not None and not self.current.is_used:
            await self._approvals.use(self._owner, self.current)
