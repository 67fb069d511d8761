"""Asking the client: what it can be asked and what counts as an answer; on a session's stream the call waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar, Protocol

import orjson

from ..catalog.call import CannotAsk, NoAnswer, Question
from ..protocol.downgrade import fit
from ..protocol.jsonrpc import JsonObject, Response, notification_bytes
from ..protocol.request_metadata import Caller
from ..protocol.revisions import Revision
from ..protocol.schema_validator import Checker
from .sessions import Session

# A person needs time to read and answer; after that nobody is there (Lifecycle, Timeouts).
ANSWER_TIMEOUT = 300.0
MAX_ANSWER_BYTES = 64 << 10
"""Of one answer of a client, which is remembered until its call ends."""
TOO_LARGE = f"the answer is larger than {MAX_ANSWER_BYTES >> 10} KB"
ELICIT, SAMPLE, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"


class Send(Protocol):
    """Sends one message to the client, on the stream of the request."""

    async def __call__(self, data: bytes) -> None: ...


class Asker(Protocol):
    """How the client of one request is asked; *known* is what it answered, by key.

    *waits*: the answers come while the call waits. Otherwise the whole request comes again with them.
    """

    known: dict[str, JsonObject]
    waits: ClassVar[bool]

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """The answers, by key. Raises NoAnswer, or whatever makes the era ask."""


def required(caller: Caller, question: Question) -> JsonObject | None:
    """The capabilities that *question* needs and the client did not declare (Capability Negotiation)."""
    declared = caller.capabilities
    if question.method == ROOTS:
        return None if _is_object(declared.get("roots")) else {"roots": {}}
    if question.method == SAMPLE:
        return _sampling(caller, declared.get("sampling"), question)
    if question.method == ELICIT and caller.revision.has("elicitation"):
        return _elicitation(caller, declared.get("elicitation"), question)
    return {"elicitation": {}}


def _sampling(caller: Caller, declared: object, question: Question) -> JsonObject | None:
    needs_tools = "tools" in question.params
    has_tools = isinstance(declared, dict) and _is_object(declared.get("tools"))
    if isinstance(declared, dict) and (not needs_tools or (has_tools and caller.revision.has("sampling.tools"))):
        return None
    return {"sampling": {"tools": {}} if needs_tools else {}}


def _elicitation(caller: Caller, declared: object, question: Question) -> JsonObject | None:
    mode = question.params.get("mode", "form")
    if isinstance(declared, dict):
        # An empty object, as before the modes were named, means the form alone.
        if mode == "form" and (_is_object(declared.get("form")) or "url" not in declared):
            return None
        if mode == "url" and caller.revision.has("url.elicitation") and _is_object(declared.get("url")):
            return None
    return {"elicitation": {mode: {}} if caller.revision.has("url.elicitation") else {}}


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def is_too_large(answer: object) -> bool:
    """Whether an answer has more bytes than are remembered."""
    return len(orjson.dumps(answer)) > MAX_ANSWER_BYTES


def check(question: Question, answer: JsonObject) -> JsonObject:
    """*answer*, if it can be one to *question*; raises NoAnswer saying what is wrong with it."""
    if is_too_large(answer):
        raise NoAnswer(TOO_LARGE)
    if question.method == ELICIT:
        if answer.get("action") not in ("accept", "decline", "cancel"):
            raise NoAnswer('"action" must be accept, decline or cancel')
        schema = question.params.get("requestedSchema")
        if answer["action"] == "accept" and schema is not None:
            if problems := Checker(schema).problems(answer.get("content", {})):
                raise NoAnswer("; ".join(problems))
    elif question.method == SAMPLE and not isinstance(answer.get("content"), (dict, list)):
        raise NoAnswer('"content" must be a message content')
    elif question.method == ROOTS and not isinstance(answer.get("roots"), list):
        raise NoAnswer('"roots" must be a list')
    return answer


class Nobody:
    """A request with no session and no envelope: there is nobody to ask, whatever the method."""

    waits: ClassVar[bool] = True

    def __init__(self) -> None:
        self.known: dict[str, JsonObject] = {}

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Raises CannotAsk."""
        raise CannotAsk({})


class OnStream:
    """Handshake era: requests of ours on the stream of the client's request, answers by POST or on the same pipe."""

    waits: ClassVar[bool] = True

    def __init__(self, session: Session, send: Send, timeout: float = ANSWER_TIMEOUT) -> None:
        self._session, self._send, self._timeout = session, send, timeout
        self.known: dict[str, JsonObject] = {}

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Ask all at once and wait for every answer."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {key: group.create_task(self._one(question)) for key, question in questions.items()}
        except* (NoAnswer, ConnectionError) as failed:
            reason = failed.exceptions[0]
        else:
            answers = {key: task.result() for key, task in tasks.items()}
            self.known |= answers
            return answers
        raise reason

    async def _one(self, question: Question) -> JsonObject:
        session = self._session
        session.questions += 1
        id = f"doit-{session.questions}"
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        session.asked[id] = future
        try:
            await self._send(_request(id, question, session.caller.revision))
            async with asyncio.timeout(self._timeout):
                response = await future
        except TimeoutError:
            params = {"requestId": id, "reason": "no answer in time"}
            await self._send(notification_bytes("notifications/cancelled", params))
            raise NoAnswer("no answer came in time") from None
        finally:
            session.asked.pop(id, None)
        if not isinstance(response.result, dict):
            raise NoAnswer("the client answered with an error")
        return check(question, response.result)


def _request(id: str, question: Question, revision: Revision) -> bytes:
    params = fitted(question, revision)
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "method": question.method, "params": params})


def fitted(question: Question, revision: Revision) -> JsonObject:
    """The question's parameters as a client of *revision* knows them."""
    if question.method == ELICIT:
        return fit("ElicitURL" if question.params.get("mode") == "url" else "ElicitForm", question.params, revision)
    return fit("CreateMessage", question.params, revision) if question.method == SAMPLE else question.params
