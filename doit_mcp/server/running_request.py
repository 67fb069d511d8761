"""RunningCall: what a tool, prompt or resource gets of its request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

import orjson

from ..api import Doit
from ..api.client import DEADLINE_SECONDS as API_DEADLINE
from ..catalog.call import CallSuspended, MissingClientCapability, Question
from ..catalog.stores.result_store import ResultStore
from ..catalog.stores.write_receipts import ReceiptStore
from ..catalog.tools.sanitize import sanitize_json
from ..catalog.tools.tool import ToolError
from ..protocol import extensions
from ..protocol.jsonrpc import JsonObject, Request, notification_bytes
from ..protocol.request_metadata import LOG_LEVELS
from ..resilience.unavailable import StateUnavailable
from .audit import record_customer_change
from .client_requests import Asker, NullAsker, missing_capabilities
from .multi_round_trip import RetryInputCollector
from .progress import ProgressReporter, SilentProgress
from .request_context import ApiFactory, RequestContext

T = TypeVar("T")

# Nobody waits for a task with an open connection, so it may take as long as the work takes (seconds).
TASK_DEADLINE_SECONDS = 600.0
CONFIRMATION_UNVERIFIED = (
    "Nothing was changed: whether this confirmation was used before cannot be checked at the moment. Call again in a"
    " few seconds; the user will be asked again."
)


class ContinueAsTask(CallSuspended):
    """The call wants to go on as a task; *answers* is what the client has answered so far."""

    answers: Mapping[str, JsonObject] = {}


class RunningRequest:
    """Implements :class:`doit_mcp.catalog.call.Call` for one request."""

    def __init__(
        self, context: RequestContext, request: Request, name: str, asker: Asker, *, is_task: bool = False
    ) -> None:
        self._context, self._request, self._name, self._asker, self._is_task = context, request, name, asker, is_task
        self._doit: Doit | None = None
        self._progress_or_none: ProgressReporter | SilentProgress | None = None
        self._deadline: asyncio.Timeout | None = None
        self.committed = False

    @property
    def _progress(self) -> ProgressReporter | SilentProgress:
        # Made when something is to be told or the API is reached: short calls do neither.
        if self._progress_or_none is None and self._is_task:
            self._progress_or_none = SilentProgress()
        elif self._progress_or_none is None:
            self._progress_or_none = ProgressReporter(
                self._request, self._context.channel, self._context.caller.revision
            )
        return self._progress_or_none

    @property
    def doit(self) -> Doit:
        """The DoiT API, for this caller and this call."""
        if self._doit is None:
            self._doit = self._make_api(self._context.api_factory)
        return self._doit

    def _make_api(self, api_factory: ApiFactory) -> Doit:
        seconds = TASK_DEADLINE_SECONDS if self._is_task else API_DEADLINE
        return api_factory(self._name, self._context.caller, self._progress.advance, seconds)

    def api_for_customer(self, customer: str) -> Doit | None:
        """The API as another customer, for employees."""
        act_for = self._context.customer_api_factory
        return None if act_for is None else self._make_api(act_for(customer))

    def remember_customer(self, customer: str) -> bool:
        """Remember the customer in the session, if there is one and the caller may."""
        context = self._context
        if context.session is None or context.customer_api_factory is None:
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
        """The customer whose data this call sees."""
        return self._context.tenant

    @property
    def customer_context(self) -> str | None:
        """The same, for employees of DoiT alone."""
        return self._context.customer

    @property
    def waits_for_answers(self) -> bool:
        """Whether questions are answered while the call waits."""
        return self._asker.waits_for_answers

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        return self._context.services.clock()

    @property
    def console_url(self) -> str:
        """Where people open DoiT's console."""
        return self._context.services.console_url

    @property
    def results(self) -> ResultStore:
        """Results that are kept for a while."""
        return self._context.services.results

    @property
    def receipts(self) -> ReceiptStore:
        """What was written a short while ago."""
        return self._context.services.receipts

    @property
    def request_meta(self) -> JsonObject:
        """What the request's _meta says of who reads the answer; a client's own words, never proof of anything."""
        meta = self._request.params.get("_meta")
        return meta if isinstance(meta, dict) else {}

    @property
    def client_capabilities(self) -> JsonObject:
        """What the client declared."""
        return self._context.caller.capabilities

    def with_deadline(self, seconds: float | None, work: Awaitable[T]) -> Awaitable[T]:
        """The result of *work*; TimeoutError after *seconds* (of a task: its own time), less the time of questions."""
        if self._is_task:
            seconds = TASK_DEADLINE_SECONDS
        return work if seconds is None else self._run_with_deadline(seconds, work)

    async def _run_with_deadline(self, seconds: float, work: Awaitable[T]) -> T:
        async with asyncio.timeout(seconds) as self._deadline:
            return await work

    async def report_progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Send a progress notification if the request has a token; one that does not rise is none (Progress)."""
        await self._progress.report(done, total, message)

    async def send_log(self, level: str, data: object, logger: str = "") -> None:
        """Send a log message if the client wants this level: by request, or by session (Logging)."""
        context = self._context
        if context.caller.revision.era.stateless:
            least = context.caller.log_level
        else:
            least = context.session.log_level if context.session is not None else None
        if least is None or LOG_LEVELS.index(level) < LOG_LEVELS.index(least) or self._is_task:
            return
        params: JsonObject = {"level": level, "data": data} | ({"logger": logger} if logger else {})
        shown = orjson.loads(sanitize_json(orjson.dumps(params).decode()))
        await context.channel.send(notification_bytes("notifications/message", shown))

    def client_supports(self, question: Question) -> bool:
        """Whether the client declared that it can be asked this."""
        return missing_capabilities(self._context.caller, question) is None

    def can_ask(self, question: Question) -> bool:
        """Whether the client declared that it can be asked this, or was asked it, and the question can reach it."""
        return not isinstance(self._asker, NullAsker) and self._missing_capabilities(question) is None

    def _missing_capabilities(self, question: Question) -> JsonObject | None:
        is_open = question.signed and isinstance(self._asker, RetryInputCollector) and self._asker.has_open_question
        return None if is_open else missing_capabilities(self._context.caller, question)

    async def ask(self, key: str, method: str, params: JsonObject) -> JsonObject:
        """One question."""
        return (await self.ask_all({key: Question(method, params)}))[key]

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Several questions at once; what the client did not declare is never asked."""
        needed: JsonObject = {}
        for question in questions.values():
            needed |= self._missing_capabilities(question) or {}
        if needed:
            raise MissingClientCapability(needed)
        with self._pause_deadline():
            answers = await self._asker.ask(questions)
        # Its time ran while the client was asked.
        self._doit = None
        return answers

    def _pause_deadline(self) -> _DeadlinePause:
        return _DeadlinePause(self._deadline)

    async def commit(self) -> None:
        """From here on the call changes things; what the user agreed to is used up."""
        if isinstance(self._asker, RetryInputCollector):
            try:
                await self._asker.use_consents()
            except StateUnavailable:
                raise ToolError(CONFIRMATION_UNVERIFIED) from None
        self.committed = True

    async def run_in_background(self, *, required: bool = False) -> None:
        """Become a task where the client can follow one (SEP-2663: the server's choice, call by call)."""
        if self._is_task:
            return
        if extensions.is_declared(self._context.caller, extensions.TASKS):
            raise ContinueAsTask
        if required:
            raise MissingClientCapability(extensions.required_capabilities(extensions.TASKS))

    async def release_connection(self) -> None:
        """Let the connection go."""
        await self._context.channel.release()


class _DeadlinePause:
    """Stops a deadline's clock."""

    def __init__(self, deadline: asyncio.Timeout | None) -> None:
        self._deadline = deadline
        self._remaining_seconds: float | None = None

    def __enter__(self) -> None:
        if self._deadline is not None and (when := self._deadline.when()) is not None:
            self._remaining_seconds = when - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)

    def __exit__(self, *failure: object) -> None:
        if self._deadline is not None and self._remaining_seconds is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._remaining_seconds)
