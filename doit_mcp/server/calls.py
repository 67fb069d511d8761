"""RunningCall: what a tool, prompt or resource gets of its request; and the rounds of a request that asks back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import orjson

from ..catalogue.call import CannotAsk, Interrupted, Question
from ..catalogue.receipts import Receipts
from ..catalogue.results import Results
from ..doit import Doit
from ..doit.client import DEADLINE as API_DEADLINE
from ..protocol import extensions
from ..protocol.inbound import LEVELS
from ..protocol.jsonrpc import (
    INVALID_PARAMS,
    MISSING_CLIENT_CAPABILITY,
    JsonObject,
    Request,
    RpcError,
    notification_bytes,
)
from .asking import Asker, Before, ByRetry, InputRequired, Nobody, OnStream, inputs, required
from .context import Connect, Context
from .progress import Progress, Unheard
from .records import switched

T = TypeVar("T")

NOTHING_BEFORE = Before()

# How long a person may think before the state of a request has to be asked for anew.
STATE_LIFE = 900.0
MOST_STATE = 32 << 10
# Nobody waits for a task with an open connection, so it may take as long as the work takes (seconds).
TASK_DEADLINE = 600.0


class Detach(Interrupted):
    """The call wants to go on as a task; *known* is what the client has answered so far."""

    known: Mapping[str, JsonObject] = {}


class RunningCall:
    """Implements :class:`doit_mcp.catalogue.call.Call` for one request."""

    def __init__(self, context: Context, request: Request, name: str, asker: Asker, *, task: bool = False) -> None:
        self._context, self._request, self._name, self._asker, self._task = context, request, name, asker, task
        self._doit: Doit | None = None
        self._heard: Progress | Unheard | None = None
        self._deadline: asyncio.Timeout | None = None

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
        switched(context, customer, "session")
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
    def customer(self) -> str:
        """The same, for employees of DoiT alone."""
        return self._context.customer

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
        await context.channel.send(notification_bytes("notifications/message", params))

    def can_ask(self, question: Question) -> bool:
        """Whether there is somebody to ask, and the client declared that it can be asked this."""
        return not isinstance(self._asker, Nobody) and required(self._context.caller, question) is None

    async def ask(self, key: str, method: str, params: JsonObject) -> JsonObject:
        """One question."""
        return (await self.ask_all({key: Question(method, params)}))[key]

    async def ask_all(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Several questions at once; what the client did not declare is never asked (R4)."""
        needed: JsonObject = {}
        for question in questions.values():
            needed |= required(self._context.caller, question) or {}
        if needed:
            raise CannotAsk(needed)
        with self._pause():
            answers = await self._asker.ask(questions)
        # Its time ran while the client was asked.
        self._doit = None
        return answers

    def _pause(self) -> _Pause:
        return _Pause(self._deadline)

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


def asker_of(context: Context, request: Request, before: Before) -> Asker:
    """How this request's client is asked."""
    if context.caller.revision.era.stateless:
        return ByRetry(request, before)
    if context.session is None or not context.channel.may_stream:
        return Nobody()
    return OnStream(context.session, context.channel.send)


Work = Callable[[RunningCall], Awaitable[JsonObject]]


async def rounds(context: Context, request: Request, name: str, work: Work) -> JsonObject:
    """The result of *work*, or one that asks for what is missing (2026-07-28, Multi Round-Trip Requests).

    Raises RpcError -32021 for what the client did not declare, in the era that has it; CannotAsk in the other.
    """
    before = answers_before(context, request)
    asker = asker_of(context, request, before)
    try:
        result = await work(RunningCall(context, request, name, asker))
        if context.session is not None and context.session.unsaved:
            await context.session.save()
        return result
    except InputRequired as needed:
        return {
            "resultType": "input_required",
            "inputRequests": needed.requests,
            "requestState": _sealed(context, request, before.after(asker.known, needed.questions)),
        }
    except Detach as away:
        away.known = {**before.known, **asker.known}
        raise
    except CannotAsk as missing:
        if not context.caller.revision.era.stateless:
            raise
        raise unable(request, missing) from None


def unable(request: Request, missing: CannotAsk) -> RpcError:
    """The error that names the capabilities a client would have to declare."""
    data = {"requiredCapabilities": missing.required}
    return RpcError(MISSING_CLIENT_CAPABILITY, "The client did not declare a required capability", data, id=request.id)


def answers_before(context: Context, request: Request) -> Before:
    """What earlier rounds brought; RpcError -32602 for a state that is not ours for this request."""
    if not context.caller.revision.era.stateless:
        return NOTHING_BEFORE
    inputs(request)
    state = request.params.get("requestState")
    if state is None:
        return NOTHING_BEFORE
    try:
        if not isinstance(state, str):
            raise ValueError("no text")
        known, shown = context.shared.seals.open(binding(context, request), state)
        return Before(known, shown)
    except ValueError as wrong:
        text = "Invalid params: params.requestState is not one of this request, or too old; repeat it without"
        raise RpcError(INVALID_PARAMS, text, id=request.id) from wrong


def _sealed(context: Context, request: Request, before: Before) -> str:
    state = [before.known, before.shown]
    if len(orjson.dumps(state)) > MOST_STATE:
        raise RpcError(INVALID_PARAMS, "Invalid params: the answers are too large", id=request.id)
    return context.shared.seals.close(binding(context, request), state, STATE_LIFE)


def binding(context: Context, request: Request) -> bytes:
    """What a state is good for: this principal, acting for this customer, and this request, whatever its id (R6)."""
    params: dict[str, Any] = {
        name: value for name, value in request.params.items() if name in ("name", "uri", "arguments")
    }
    text = orjson.dumps([context.owner, context.tenant, request.method, params], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).digest()
