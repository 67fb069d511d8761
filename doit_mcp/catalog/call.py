"""Call: what a running tool, prompt or resource may use of the request that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

import orjson

from ..api import Doit
from ..protocol.jsonrpc import JsonObject
from .stores.result_store import ResultStore
from .stores.write_receipts import ReceiptStore


class MissingClientCapability(Exception):
    """The client did not declare what would be needed; *required_capabilities* is that, as a capabilities object."""

    def __init__(self, required_capabilities: JsonObject) -> None:
        super().__init__("The client cannot be asked for this")
        self.required_capabilities = required_capabilities


class NoAnswer(Exception):
    """The client was asked and gave no usable answer: it failed, took too long, or sent something else."""


class CallSuspended(Exception):
    """The run of a call ends before it has done anything; it begins anew when the client comes again, or elsewhere."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask the client: elicitation/create, sampling/createMessage or roots/list, with its parameters.

    A yes to a *signed* one counts only if exactly this question was put before. *source_digest* is a digest of what it is made
    from, as far as that can change: two questions with the same words and a different basis are different.
    """

    method: str
    params: JsonObject = field(default_factory=dict)
    signed: bool = False
    source_digest: str = ""

    @property
    def digest(self) -> str:
        """What tells this question from every other."""
        return sha256(
            orjson.dumps([self.method, self.params, self.source_digest], option=orjson.OPT_SORT_KEYS)
        ).hexdigest()


class Call(Protocol):
    """One running call. In the newest revision it is run again from its start with the answers so far, so everything
    that comes before a question must be free of side effects."""

    @property
    def doit(self) -> Doit:
        """The DoiT API, for this caller and this call."""

    @property
    def owner(self) -> str:
        """The caller's principal, as a key: what is kept for one is never given to another."""

    @property
    def tenant(self) -> str:
        """The customer whose data this call sees, as a key; "" where nothing names it. Never sent to the API."""

    @property
    def customer_context(self) -> str | None:
        """The same, where an employee of DoiT calls, who can act for several customers; None for all other callers."""

    @property
    def waits_for_answers(self) -> bool:
        """Whether questions are answered while the call waits. Otherwise it runs again from its start with the answers,
        so that everything it has read is newer than they are."""

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""

    @property
    def console_url(self) -> str:
        """Where people open DoiT's console: a URL without trailing slash."""

    @property
    def results(self) -> ResultStore:
        """Results that are kept for a while, to be asked about again."""

    @property
    def receipts(self) -> ReceiptStore:
        """What was written a short while ago, so that nothing is written twice."""

    @property
    def request_meta(self) -> JsonObject:
        """The request's _meta in the client's own words: good for the form of answers, never for rights."""

    @property
    def client_capabilities(self) -> JsonObject:
        """What the client declared, in its own words."""

    async def report_progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Tell how far the call has come; silent unless the client asked for it."""

    async def send_log(self, level: str, data: object, logger: str = "") -> None:
        """Send a log message; silent unless the client wants that level."""

    def client_supports(self, question: Question) -> bool:
        """Whether the client declared that it can be asked this, even if the question cannot reach it just now."""

    def can_ask(self, question: Question) -> bool:
        """Whether the client can be asked this: it declared that or was asked it before, and the question reaches it."""

    async def ask(self, key: str, method: str, params: JsonObject) -> JsonObject:
        """The client's answer to one question; *key* names it within this call. Raises CannotAsk or NoAnswer."""

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """The answers to several questions that are asked at once."""

    def api_for_customer(self, customer: str) -> Doit | None:
        """The API as another customer; None for everybody but employees of DoiT."""

    def remember_customer(self, customer: str) -> bool:
        """Later calls of this session act for *customer*, too. False where there is no session, or no right to it."""

    async def commit(self) -> None:
        """From here on the call changes things, and what the user agreed to counts as used. Before, it changes nothing.

        Raises Interrupted where the user has to be asked again, ToolError where that cannot be checked.
        """

    @property
    def committed(self) -> bool:
        """Whether the call may have changed something."""

    async def run_in_background(self, *, required: bool = False) -> None:
        """From here on the call is long: where the client can follow it as a task, it becomes one.

        Raises CannotAsk when that is *required* and the client cannot.
        """

    async def release_connection(self) -> None:
        """Let the connection go; the client fetches the rest later, where the revision has that."""
