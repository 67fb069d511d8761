"""Call: the interface of a running tool, prompt or resource to its request, its principal and the client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

import orjson

from ..api import Doit
from ..events.subscriptions import RecentEvents
from ..protocol.jsonrpc import JsonObject
from .stores.approvals import CallApprovals
from .stores.customer_facts import Facts
from .stores.result_store import ResultStore
from .stores.run_followers import RunFollowers
from .stores.write_claim import WriteClaim
from .stores.write_receipts import ReceiptStore

CUSTOMER_ARGUMENT = "customerContext"
"""The argument of every tool that lets an employee act for a customer in a single call."""


class MissingClientCapability(Exception):
    """The client did not declare a required capability.

    *required_capabilities* has the form of a capabilities object.
    """

    def __init__(self, required_capabilities: JsonObject) -> None:
        super().__init__("The client cannot be asked for this")
        self.required_capabilities = required_capabilities


class NoAnswer(Exception):
    """The client returned no usable answer to a question: it failed, timed out, or sent something unexpected."""


class CallSuspended(Exception):
    """The call ends before it has done anything. It runs again from the start when the client retries, or as a task."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to the client: elicitation/create, sampling/createMessage or roots/list, with its parameters.

    Acceptance of a *signed* question counts only if exactly this question was asked before. *source_digest* is a digest
    of the changing data behind it, so questions with the same text but different data differ.
    """

    method: str
    params: JsonObject = field(default_factory=dict)
    signed: bool = False
    source_digest: str = ""

    @property
    def digest(self) -> str:
        """A digest that identifies this question."""
        return sha256(
            orjson.dumps([self.method, self.params, self.source_digest], option=orjson.OPT_SORT_KEYS)
        ).hexdigest()


class Call(Protocol):
    """One running call.

    With stateless requests it runs again from the start with the answers so far, so the code before a question must be
    free of side effects.
    """

    @property
    def doit(self) -> Doit:
        """The DoiT API, for this principal and this call."""

    @property
    def owner(self) -> str:
        """The key of the principal. Data that is stored for one owner is never returned to another."""

    @property
    def tenant(self) -> str:
        """The key of the customer whose data this call sees; "" if unknown. Never sent to the API."""

    @property
    def customer_context(self) -> str | None:
        """The customer that a DoiT employee acts for; None for all other callers."""

    @property
    def waits_for_answers(self) -> bool:
        """Whether the call waits for answers in place.

        If not, it runs again from the start with the answers, so everything it reads is newer than they are.
        """

    @property
    def now(self) -> float:
        """The current time, in epoch seconds."""

    @property
    def console_url(self) -> str:
        """The URL of the DoiT console, without trailing slash."""

    @property
    def results(self) -> ResultStore:
        """Large results that are stored for query_result."""

    @property
    def facts(self) -> Facts:
        """Cached facts about this caller's customer that change slowly, such as its currency."""

    @property
    def receipts(self) -> ReceiptStore:
        """Receipts of recent writes, which prevent duplicates."""

    @property
    def approvals(self) -> CallApprovals:
        """Approvals of prepared changes, for clients that cannot be asked."""

    @property
    def run_followers(self) -> RunFollowers:
        """Which calls of this process wait for which report runs."""

    @property
    def recent_events(self) -> RecentEvents | None:
        """The events of the principals' subscriptions; None if this server sends no events."""

    @property
    def can_wait(self) -> bool:
        """Whether the client waits for minutes: the call is a task, or the client asked for and receives progress."""

    def extend_deadline(self) -> None:
        """Give the call the time limit of a task, if the client waits that long."""

    def make_api(self, seconds: float) -> Doit:
        """Return an API client for the same caller with *seconds* from now, whatever time is left for the call."""

    @property
    def request_meta(self) -> JsonObject:
        """The request's _meta as the client sent it. Use it for the form of results, never for permissions."""

    @property
    def client_capabilities(self) -> JsonObject:
        """The capabilities that the client declared, as it sent them."""

    async def report_progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Send a progress notification; does nothing unless the client asked for progress."""

    async def send_log(self, level: str, data: object, logger: str = "") -> None:
        """Send a log message; does nothing unless the client wants that level."""

    def client_supports(self, question: Question) -> bool:
        """Return whether the client declared support for this question, even if it cannot reach the client now."""

    def can_ask(self, question: Question) -> bool:
        """Return whether the client can be asked.

        It can if it declared support or was asked before, and a question can reach it.
        """

    async def ask(self, key: str, method: str, params: JsonObject) -> JsonObject:
        """Ask the client one question and return the answer; *key* names the question within this call.

        Raises MissingClientCapability or NoAnswer.
        """

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Ask several questions at once and return the answers by key."""

    def api_for_customer(self, customer: str) -> Doit | None:
        """Return the API as another customer; None unless the caller is a DoiT employee."""

    def remember_customer(self, customer: str) -> bool:
        """Make later calls of this session act for *customer* too.

        Returns False without a session or permission.
        """

    async def commit(self) -> None:
        """Mark the point after which the call may change data, and use up the user's consent.

        Before it, the call must not change anything. Raises CallSuspended if the user must be asked again, and
        ToolError if consent cannot be checked.
        """

    claim: WriteClaim | None
    """The claim of the write that this call does; None before it has one."""

    @property
    def committed(self) -> bool:
        """Whether the call may have changed something."""

    def withhold_result(self) -> bool:
        """Keep the result of this call out of every store, for results with secrets.

        Returns False if that is not possible: the result would be stored or pass through shared state.
        """

    async def run_in_background(self, *, required: bool = False) -> None:
        """Mark the call as long: it becomes a task if the client can follow one.

        Raises CallSuspended to continue as a task, and MissingClientCapability if a task is *required* and the client
        cannot follow one.
        """

    async def release_connection(self) -> None:
        """Close the connection and let the client fetch the rest later, in revisions that support it."""
