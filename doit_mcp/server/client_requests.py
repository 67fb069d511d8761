"""Requests to the client: capability checks, validation of answers, and sending them on a session's stream."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar, Protocol

import orjson

from ..catalog.call import MissingClientCapability, NoAnswer, Question
from ..protocol.downgrade import downgrade
from ..protocol.jsonrpc import JsonObject, Response, notification_bytes, replace_empty_list, without_nulls
from ..protocol.request_metadata import Caller
from ..protocol.revisions import Revision
from ..protocol.schema_validator import SchemaValidator
from .sessions import Session

# Long enough for users to read and answer (Lifecycle, Timeouts). Many clients give up a call after 60 seconds, and some
# declare the capability but never show a question.
ANSWER_TIMEOUT_SECONDS = 45.0
MAX_ANSWER_BYTES = 64 << 10
"""Limit for one answer of a client, because answers are kept until the call ends."""
ANSWER_TOO_LARGE = f"the answer is larger than {MAX_ANSWER_BYTES >> 10} KB"
ELICITATION, SAMPLING, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"


class SendMessage(Protocol):
    """Sends one message to the client, on the stream of the request."""

    async def __call__(self, data: bytes) -> None: ...


class Asker(Protocol):
    """Asks the client of one request. *answers* are its answers so far, by key.

    *waits_for_answers* is whether the call waits for answers. Otherwise the client resends the request with them.
    """

    answers: dict[str, JsonObject]
    waits_for_answers: ClassVar[bool]

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Return the answers by key. Raise NoAnswer, or InputRequired if the client has to send the request again."""


def find_missing_capabilities(caller: Caller, question: Question) -> JsonObject | None:
    """Return the undeclared capabilities that *question* needs, or None (Capability Negotiation)."""
    declared = caller.capabilities
    if question.method == ROOTS:
        return None if _is_object(declared.get("roots")) else {"roots": {}}
    if question.method == SAMPLING:
        return _find_missing_sampling(caller, declared.get("sampling"), question)
    if question.method == ELICITATION and caller.revision.supports("elicitation"):
        return _find_missing_elicitation(caller, declared.get("elicitation"), question)
    return {"elicitation": {}}


def _find_missing_sampling(caller: Caller, declared: object, question: Question) -> JsonObject | None:
    needs_tools = "tools" in question.params
    has_tools = isinstance(declared, dict) and _is_object(declared.get("tools"))
    if isinstance(declared, dict) and (not needs_tools or (has_tools and caller.revision.supports("sampling.tools"))):
        return None
    return {"sampling": {"tools": {}} if needs_tools else {}}


def _find_missing_elicitation(caller: Caller, declared: object, question: Question) -> JsonObject | None:
    mode = question.params.get("mode", "form")
    if isinstance(declared, dict):
        # An empty object means form mode only, as in revisions without modes.
        if mode == "form" and (_is_object(declared.get("form")) or "url" not in declared):
            return None
        if mode == "url" and caller.revision.supports("url.elicitation") and _is_object(declared.get("url")):
            return None
    return {"elicitation": {mode: {}} if caller.revision.supports("url.elicitation") else {}}


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def is_answer_too_large(answer: object) -> bool:
    """Return whether an answer exceeds MAX_ANSWER_BYTES."""
    return len(orjson.dumps(answer)) > MAX_ANSWER_BYTES


def validate_answer(question: Question, answer: JsonObject) -> JsonObject:
    """Return *answer*, without members that are null, if it is valid for *question*. Raise NoAnswer otherwise."""
    if is_answer_too_large(answer):
        raise NoAnswer(ANSWER_TOO_LARGE)
    answer = without_nulls(answer)
    if question.method == ELICITATION:
        if answer.get("action") not in ("accept", "decline", "cancel"):
            raise NoAnswer('"action" must be accept, decline or cancel')
        schema = question.params.get("requestedSchema")
        if answer["action"] == "accept" and schema is not None:
            if problems := SchemaValidator(schema).problems(replace_empty_list(answer.get("content", {}))):
                raise NoAnswer("; ".join(problems))
    elif question.method == SAMPLING and not isinstance(answer.get("content"), (dict, list)):
        raise NoAnswer('"content" must be a message content')
    elif question.method == ROOTS and not isinstance(answer.get("roots"), list):
        raise NoAnswer('"roots" must be a list')
    return answer


class NullAsker:
    """The asker of requests whose client cannot be asked anything."""

    waits_for_answers: ClassVar[bool] = True

    def __init__(self) -> None:
        self.answers: dict[str, JsonObject] = {}

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Raise MissingClientCapability."""
        raise MissingClientCapability({})


class StreamAsker:
    """Asks the client of a stateful request on the stream of that request. Answers arrive by POST or on stdin."""

    waits_for_answers: ClassVar[bool] = True

    def __init__(self, session: Session, send: SendMessage, timeout_seconds: float) -> None:
        self._session, self._send, self._timeout_seconds = session, send, timeout_seconds
        self.answers: dict[str, JsonObject] = {}

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Ask all questions at once and wait for every answer."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {key: group.create_task(self._request_answer(question)) for key, question in questions.items()}
        except* (NoAnswer, ConnectionError) as errors:
            reason = errors.exceptions[0]
        else:
            answers = {key: task.result() for key, task in tasks.items()}
            self.answers |= answers
            return answers
        raise reason

    async def _request_answer(self, question: Question) -> JsonObject:
        session = self._session
        session.question_count += 1
        id = f"doit-{session.question_count}"
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        session.pending_questions[id] = future
        try:
            await self._send(_encode_request(id, question, session.caller.revision))
            async with asyncio.timeout(self._timeout_seconds):
                response = await future
        except TimeoutError:
            params = {"requestId": id, "reason": "no answer in time"}
            await self._send(notification_bytes("notifications/cancelled", params))
            seconds = f"{self._timeout_seconds:g} seconds"
            raise NoAnswer(f"no answer came within {seconds}; the client may not have shown the question") from None
        finally:
            session.pending_questions.pop(id, None)
        if not isinstance(response.result, dict):
            raise NoAnswer("the client returned an error")
        return validate_answer(question, response.result)


def input_requests(questions: Mapping[str, Question]) -> JsonObject:
    """Return the ``inputRequests`` that ask *questions*, by key."""
    return {key: {"method": question.method, "params": question.params} for key, question in questions.items()}


def _encode_request(id: str, question: Question, revision: Revision) -> bytes:
    params = params_for_revision(question, revision)
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "method": question.method, "params": params})


def params_for_revision(question: Question, revision: Revision) -> JsonObject:
    """Return the question's parameters in the form of *revision*."""
    if question.method == ELICITATION:
        return downgrade(
            "ElicitURL" if question.params.get("mode") == "url" else "ElicitForm", question.params, revision
        )
    return downgrade("CreateMessage", question.params, revision) if question.method == SAMPLING else question.params
