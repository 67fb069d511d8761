"""RunningCall: what a tool, prompt or resource gets of its request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

import orjson

from ..api import Doit
from ..api.client import DEADLINE as API_DEADLINE
from ..catalog.call import CannotAsk, Interrupted, Question
from ..catalog.stores.result_store import Results
from ..catalog.stores.write_receipts import Receipts
from ..catalog.tools.sanitize import visible
from ..catalog.tools.tool import ToolError
from ..protocol import extensions
from ..protocol.jsonrpc import JsonObject, Request, notification_bytes
from ..protocol.request_metadata import LEVELS
from ..redis_state.errors import Away
from .audit import acted_for
from .client_requests import Asker, Nobody, required
from .multi_round_trip import ByRetry
from .progress import Progress, Unheard
from .request_context import Connect, Context

T = TypeVar("T")

# Nobody waits for a task with an open connection, so it may take as long as the work takes (seconds).
TASK_DEADLINE = 600.0
UNCHECKED = (
    "Nothing was changed: whether this confirmation was used before cannot be checked at the moment. Call again in a"
    " few seconds; the user will be asked again."
)


class Detach(Interrupted):
    """The call wants to go on as a task; *known* is what the client has answered so far."""

    known: Mapping[str, JsonObject] = {}


class RunningCall:
    """Implements :class:`doit_mcp.catalog.call.Call` for one request."""

    def __init__(self, context: Context, request: Request, name: str, asker: Asker, *, task: bool = False) -> None:
        self._context, self._request, self._name, self._asker, self._task = context, request, name, asker, task
        self._doit: Doit | None = None
        self._heard: Progress | Unheard | None = None
        self._deadline: asyncio.Timeout | None = None
        self.committed = False

    @property
    def _progress(self) -> Progress | Unheard:
        # Made when something is to be told or the API is reached: short calls do neither.
        if self._heard is None and self._task:
            self._heard = Unheard()
        elif self._heard is None:
            self._heard = Progress(self._request, self._context.channel, self._context.caller.revision)
        return self._heard

    @property
    def doit(self) -> Doit:
        """The DoiT API, for this caller and this call."""
        if self._doit is None:
            self._doit = self._connected(self._context.connect)
        return self._doit

    def _connected(self, connect: Connect) -> Doit:
        seconds = TASK_DEADLINE if self._task else API_DEADLINE
        return connect(self._name, self._context.caller, self._progress.step, seconds)

    def act_for(self, customer: str) -> Doit | None:
        """The API as another customer, for employees."""
        act_for = self._context.act_for
        return None if act_for is None else self._connected(act_for(customer))

    def stay_with(self, customer: str) -> bool:
        """Remember the customer in the session, if there is one and the caller may."""
        context = self._context
        if context.session is None or context.act_for is None:
            return False
        context.session.customer, context.session.unsaved = customer, True
        acted_for(context, customer, "session")
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
    def customer(self) -> str | None:
        """The same, for employees of DoiT alone."""
        return self._context.customer

    @property
    def waits(self) -> bool:
        """Whether questions are answered while the call waits."""
        return self._asker.waits

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        return self._context.shared.clock()

    @property
    def console(self) -> str:
        """Where people open DoiT's console."""
        return self._context.shared.console

    @property
    def results(self) -> Results:
        """Results that are kept for a while."""
        return self._context.shared.results

    @property
    def receipts(self) -> Receipts:
        """What was written a short while ago."""
        return self._context.shared.receipts

    @property
    def hints(self) -> JsonObject:
        """What the request's _meta says of who reads the answer; a client's own words, never proof of anything."""
        meta = self._request.params.get("_meta")
        return meta if isinstance(meta, dict) else {}

    @property
    def capabilities(self) -> JsonObject:
        """What the client declared."""
        return self._context.caller.capabilities

    def within(self, seconds: float | None, work: Awaitable[T]) -> Awaitable[T]:
        """The result of *work*; TimeoutError after *seconds* (of a task: its own time), less the time of questions."""
        if self._task:
            seconds = TASK_DEADLINE
        return work if seconds is None else self._until(seconds, work)

    async def _until(self, seconds: float, work: Awaitable[T]) -> T:
        async with asyncio.timeout(seconds) as self._deadline:
            return await work

    async def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Send a progress notification if the request has a token; one that does not rise is none (Progress)."""
        await self._progress.tell(done, total, message)

    async def log(self, level: str, data: object, logger: str = "") -> None:
        """Send a log message if the client wants this level: by request, or by session (Logging)."""
        context = self._context
        if context.caller.revision.era.stateless:
            least = context.caller.level
        else:
            least = context.session.level if context.session is not None else None
        if least is None or LEVELS.index(level) < LEVELS.index(least) or self._task:
            return
        params: JsonObject = {"level": level, "data": data} | ({"logger": logger} if logger else {})
        shown = orjson.loads(visible(orjson.dumps(params).decode()))
        await context.channel.send(notification_bytes("notifications/message", shown))

    def declares(self, question: Question) -> bool:
        """Whether the client declared that it can be asked this."""
        return required(self._context.caller, question) is None

    def can_ask(self, question: Question) -> bool:
        """Whether the client declared that it can be asked this, or was asked it, and the question can reach it."""
        return not isinstance(self._asker, Nobody) and self._required(question) is None

    def _required(self, question: Question) -> JsonObject | None:
        is_open = question.sealed and isinstance(self._asker, ByRetry) and self._asker.is_open
        return None if is_open else required(self._context.caller, question)

    async def ask(self, key: str, method: str, params: JsonObject) -> JsonObject:
        """One question."""
        return (await self.ask_all({key: Question(method, params)}))[key]

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Several questions at once; what the client did not declare is never asked (R4)."""
        needed: JsonObject = {}
        for question in questions.values():
            needed |= self._required(question) or {}
        if needed:
            raise CannotAsk(needed)
        with self._pause():
            answers = await self._asker.ask(questions)
        # Its time ran while the client was asked.
        self._doit = None
        return answers

    def _pause(self) -> _Pause:
        return _Pause(self._deadline)

    async def commit(self) -> None:
        """From here on the call changes things; what the user agreed to is used up."""
        if isinstance(self._asker, ByRetry):
            try:
                await self._asker.use()
            except Away:
                raise ToolError(UNCHECKED) from None
        self.committed = True

    async def background(self, *, required: bool = False) -> None:
        """Become a task where the client can follow one (SEP-2663: the server's choice, call by call)."""
        if self._task:
            return
        if extensions.declares(self._context.caller, extensions.TASKS):
            raise Detach
        if required:
            raise CannotAsk(extensions.required(extensions.TASKS))

    async def release(self) -> None:
        """Let the connection go."""
        await self._context.channel.release()


class _Pause:
    """Stops a deadline's clock."""

    def __init__(self, deadline: asyncio.Timeout | None) -> None:
        self._deadline = deadline
        self._left: float | None = None

    def __enter__(self) -> None:
        if self._deadline is not None and (when := self._deadline.when()) is not None:
            self._left = when - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)

    def __exit__(self, *failure: object) -> None:
        if self._deadline is not None and self._left is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._left)
