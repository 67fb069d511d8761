"""The running request: the interface of a tool, prompt or resource to the client, the API and the stores."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import cached_property
from typing import TypeVar

import orjson

from ..api import Doit
from ..api.client import DEADLINE_SECONDS as API_DEADLINE
from ..catalog.call import MissingClientCapability, Question
from ..catalog.stores.customer_facts import Facts
from ..catalog.stores.result_store import ResultStore
from ..catalog.stores.run_followers import RunFollowers
from ..catalog.stores.write_claim import WriteClaim
from ..catalog.stores.write_receipts import ReceiptStore
from ..catalog.tools.sanitize import sanitize_json
from ..catalog.tools.tool import ToolError
from ..events.subscriptions import RecentEvents
from ..protocol import extensions
from ..protocol.jsonrpc import JsonObject, Request, notification_bytes
from ..protocol.request_metadata import LOG_LEVELS
from ..resilience.unavailable import StateUnavailable
from .approvals import BoundApprovals
from .audit import record_customer_change
from .client_requests import Asker, NullAsker, find_missing_capabilities
from .deadline_pause import DeadlinePause
from .multi_round_trip import RetryInputCollector
from .progress import ProgressReporter
from .request_context import ApiFactory, RequestContext
from .task_progress import ContinueAsTask, TaskProgress

T = TypeVar("T")

# No connection stays open for a task, so it may run much longer than a request.
TASK_DEADLINE_SECONDS = 600.0
CONFIRMATION_UNVERIFIED = (
    "Nothing was changed: the server cannot check at the moment whether this confirmation was used before. Call again"
    " in a few seconds; the user will be asked again."
)


class RunningRequest:
    """Implements :class:`doit_mcp.catalog.call.Call` for one request, or for a task, which has a *task_progress*."""

    committed = False
    claim: WriteClaim | None = None
    _doit: Doit | None = None
    _deadline: asyncio.Timeout | None = None

    def __init__(
        self,
        context: RequestContext,
        request: Request,
        name: str,
        asker: Asker,
        task_progress: TaskProgress | None = None,
    ) -> None:
        self._context, self._request, self._name, self._asker = context, request, name, asker
        self._progress_or_none: ProgressReporter | TaskProgress | None = task_progress
        self._is_extended = self._is_task = task_progress is not None

    @cached_property
    def approvals(self) -> BoundApprovals:
        """The approvals of this user and customer. Only writes need them."""
        context = self._context
        return BoundApprovals(context.services.approvals, context.owner, context.tenant, current=context.approval)

    @property
    def _progress(self) -> ProgressReporter | TaskProgress:
        # Created on first use: short calls neither report progress nor call the API.
        if self._progress_or_none is None:
            self._progress_or_none = ProgressReporter(
                self._request, self._context.channel, self._context.caller.revision
            )
        return self._progress_or_none

    @property
    def doit(self) -> Doit:
        """The DoiT API client for this caller and this call."""
        if self._doit is None:
            self._doit = self._make_api(self._context.api_factory)
        return self._doit

    def _make_api(self, api_factory: ApiFactory) -> Doit:
        seconds = TASK_DEADLINE_SECONDS if self._is_extended else API_DEADLINE
        return api_factory(self._name, self._context.caller, self._progress.advance, seconds)

    def make_api(self, seconds: float) -> Doit:
        """Return an API client with *seconds* from now, whatever time is left for the call."""
        return self._context.api_factory(self._name, self._context.caller, self._progress.advance, seconds)

    @property
    def can_wait(self) -> bool:
        """Whether the client waits for minutes: the call is a task, or the client asked for progress and receives it."""
        return self._is_task or self._progress.reaches_client

    @property
    def extended_seconds(self) -> float | None:
        """The time limit of a task or of an extended call; None for other calls."""
        return TASK_DEADLINE_SECONDS if self._is_extended else None

    def extend_deadline(self) -> None:
        """Give the call the time limit of a task, if the client waits that long."""
        if self._is_extended or not self.can_wait:
            return
        self._is_extended = True
        # The deadline of an API client is fixed.
        self._doit = None
        if self._deadline is not None and self._deadline.when() is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + TASK_DEADLINE_SECONDS)

    def api_for_customer(self, customer: str) -> Doit | None:
        """Return the API client for another customer, or None if the caller is not a DoiT employee."""
        make_factory = self._context.customer_api_factory
        return None if make_factory is None else self._make_api(make_factory(customer))

    def remember_customer(self, customer: str) -> bool:
        """Set the customer that later calls of the session act for.

        Return False without a session, or if the caller may not act for other customers. Also return False in a
        revived session: another process may hold the same session with another customer.
        """
        context = self._context
        if context.session is None or context.session.is_revived or context.customer_api_factory is None:
            return False
        context.session.customer, context.session.has_unsaved_changes = customer, True
        record_customer_change(context, customer, "session")
        return True

    @property
    def owner(self) -> str:
        """The caller's principal."""
        return self._context.owner

    @property
    def tenant(self) -> str:
        """The customer whose data this call accesses."""
        return self._context.tenant

    @property
    def customer_context(self) -> str | None:
        """The customer that a DoiT employee acts for; None for all other callers."""
        return self._context.customer

    @property
    def waits_for_answers(self) -> bool:
        """Whether the call waits for answers to its questions, rather than running again from its start."""
        return self._asker.waits_for_answers

    @property
    def now(self) -> float:
        """The current time, in epoch seconds."""
        return self._context.services.clock()

    @property
    def console_url(self) -> str:
        """The URL where users open the DoiT console."""
        return self._context.services.console_url

    @property
    def results(self) -> ResultStore:
        """The store of results for later calls."""
        return self._context.services.results

    @property
    def facts(self) -> Facts:
        """The facts known about the customer whose data this call accesses."""
        return self._context.services.facts.for_customer(self._context.owner, self._context.tenant)

    @property
    def run_followers(self) -> RunFollowers:
        """Which calls of this process wait for which report runs."""
        return self._context.services.run_followers

    @property
    def recent_events(self) -> RecentEvents | None:
        """The events of subscriptions; None if this server sends no events."""
        return None if (events := self._context.services.events) is None else events.service

    @property
    def receipts(self) -> ReceiptStore:
        """The receipts of recent writes."""
        return self._context.services.receipts

    @property
    def request_meta(self) -> JsonObject:
        """The request's ``_meta``. The client wrote it, so it never proves anything about the caller."""
        meta = self._request.params.get("_meta")
        return meta if isinstance(meta, dict) else {}

    @property
    def client_capabilities(self) -> JsonObject:
        """The capabilities that the client declared."""
        return self._context.caller.capabilities

    def with_deadline(self, seconds: float | None, work: Awaitable[T]) -> Awaitable[T]:
        """Return the result of *work*. Raise TimeoutError after *seconds* or, in a task, after TASK_DEADLINE_SECONDS.

        The deadline is paused while the client is asked.
        """
        if self._is_task:
            seconds = TASK_DEADLINE_SECONDS
        return work if seconds is None else self._run_with_deadline(seconds, work)

    async def _run_with_deadline(self, seconds: float, work: Awaitable[T]) -> T:
        async with asyncio.timeout(seconds) as self._deadline:
            return await work

    async def report_progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Send a progress notification if the request has a token and the progress has increased (Progress)."""
        await self._progress.report(done, total, message)

    async def send_log(self, level: str, data: object, logger: str = "") -> None:
        """Send a log message if the client asked for this level, in the request or for the session (Logging)."""
        context = self._context
        if context.caller.revision.era.stateless:
            min_level = context.caller.log_level
        else:
            min_level = context.session.log_level if context.session is not None else None
        if min_level is None or LOG_LEVELS.index(level) < LOG_LEVELS.index(min_level) or self._is_task:
            return
        params: JsonObject = {"level": level, "data": data} | ({"logger": logger} if logger else {})
        sanitized = orjson.loads(sanitize_json(orjson.dumps(params).decode()))
        await context.channel.send(notification_bytes("notifications/message", sanitized))

    def client_supports(self, question: Question) -> bool:
        """Return whether the client declared the capability that *question* needs."""
        return find_missing_capabilities(self._context.caller, question) is None

    def can_ask(self, question: Question) -> bool:
        """Return whether *question* can reach the client, which declared the capability or was already asked."""
        return not isinstance(self._asker, NullAsker) and self._find_missing_capabilities(question) is None

    def _find_missing_capabilities(self, question: Question) -> JsonObject | None:
        is_open = question.signed and isinstance(self._asker, RetryInputCollector) and self._asker.has_open_question
        return None if is_open else find_missing_capabilities(self._context.caller, question)

    async def ask(self, key: str, method: str, params: JsonObject) -> JsonObject:
        """Ask one question. Return the answer."""
        return (await self.ask_all({key: Question(method, params)}))[key]

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Ask several questions at once. Return the answers by key.

        Raise MissingClientCapability, and ask nothing, if one of them needs an undeclared capability.
        """
        needed: JsonObject = {}
        for question in questions.values():
            needed |= self._find_missing_capabilities(question) or {}
        if needed:
            raise MissingClientCapability(needed)
        with DeadlinePause(self._deadline):
            answers = await self._asker.ask(questions)
        # The deadline of the API client kept running while the client was asked.
        self._doit = None
        return answers

    async def commit(self) -> None:
        """Use the user's consents, or their approval: from here on, the call makes changes.

        Raise InputRequired if the user has to be asked again, ToolError if consents cannot be checked or an approval was
        used before.
        """
        if isinstance(self._asker, RetryInputCollector):
            try:
                await self._asker.use_consents()
            except StateUnavailable:
                raise ToolError(CONFIRMATION_UNVERIFIED) from None
        await self.approvals.use()
        self.committed = True

    def withhold_result(self) -> bool:
        """Keep the response out of the record of its stream. Return False if it would be stored anyway, as in a task."""
        return not self._is_task and self._context.channel.withhold_response()

    async def run_in_background(self, *, required: bool = False) -> None:
        """Continue as a task if the client supports tasks (SEP-2663: the server decides for each call).

        Raise MissingClientCapability if a task is *required* and the client does not support tasks.
        """
        if self._is_task:
            return
        if extensions.is_declared(self._context.caller, extensions.TASKS):
            raise ContinueAsTask(committed=self.committed)
        if required:
            raise MissingClientCapability(extensions.required_capabilities(extensions.TASKS))

    async def release_connection(self) -> None:
        """Release the connection if the client can fetch the response later."""
        await self._context.channel.release()
