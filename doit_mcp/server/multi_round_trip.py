"""Multi Round-Trip Requests: a result asks for input, and the client retries with answers (2026-07-28, MRTR)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..catalog.call import CallSuspended, NoAnswer, Question
from ..protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ..resilience.unavailable import StateUnavailable
from .client_requests import validate_answer
from .consents import Consent

log = logging.getLogger(__name__)

UseConsent = Callable[[int, str], Awaitable[bool]]
# For keys under which no signed question was asked.
NOT_ASKED: tuple[str, Consent | None] = ("", None)


class InputRequired(CallSuspended):
    """Raised when the request cannot complete before the client answers *questions*."""

    def __init__(self, questions: Mapping[str, Question]) -> None:
        super().__init__("input required")
        self.questions = questions


@dataclass(frozen=True, slots=True)
class PreviousRounds:
    """What earlier rounds of a request collected.

    *answers* are the answers by key. *asked_questions* are the signed questions that were asked, by key: the digest of
    the question, and the consent that accepting it gives.
    """

    answers: Mapping[str, JsonObject] = field(default_factory=dict)
    asked_questions: Mapping[str, tuple[str, Consent]] = field(default_factory=dict)

    @classmethod
    def from_state(cls, state: tuple[dict[str, JsonObject], dict[str, tuple[str, int, str]]]) -> PreviousRounds:
        """Return the rounds that *state* describes."""
        answers, asked_questions = state
        return cls(
            answers, {key: (digest, Consent(asked_at, id)) for key, (digest, asked_at, id) in asked_questions.items()}
        )

    @property
    def state(self) -> list[object]:
        """The rounds as JSON, which the client returns with its retry."""
        return [self.answers, {key: [digest, *consent] for key, (digest, consent) in self.asked_questions.items()}]

    def add_round(self, answers: Mapping[str, JsonObject], questions: Mapping[str, Question]) -> PreviousRounds:
        """Return the rounds including one that collected *answers* and ended by asking *questions*.

        Earlier answers to *questions* no longer count.
        """
        remaining = {key: answer for key, answer in {**self.answers, **answers}.items() if key not in questions}
        newly_asked = {key: (question.digest, Consent.new()) for key, question in questions.items() if question.signed}
        return PreviousRounds(remaining, {**self.asked_questions, **newly_asked})


class RetryInputCollector:
    """Asks the client of a stateless request. The first unanswered question ends the run (MRTR).

    *use_consent* uses the consent that a signed question requested, and returns whether it counts.
    """

    waits_for_answers: ClassVar[bool] = False

    def __init__(self, request: Request, previous: PreviousRounds, use_consent: UseConsent) -> None:
        self._request, self._previous, self._use_consent = request, previous, use_consent
        self.answers: dict[str, JsonObject] = {}
        # Signed questions that the user accepted.
        self._accepted: dict[str, Question] = {}

    @property
    def has_open_question(self) -> bool:
        """Whether an earlier round asked a signed question, or this request declines one.

        Such a client counts as able to answer, regardless of the capabilities it declares now: omitting them must not
        turn an open question into consent.
        """
        return bool(self._previous.asked_questions) or any(
            _is_declined(answer) for answer in read_input_responses(self._request).values()
        )

    def _find_answer(self, key: str) -> JsonObject | None:
        response = read_input_responses(self._request).get(key)
        return response if _is_declined(response) else self._previous.answers.get(key, response)

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """Return the answers if all are known. Raise InputRequired with the unanswered questions otherwise.

        An accepted signed question counts only if an earlier round asked exactly this question. A declined one always
        counts.
        """
        missing: dict[str, Question] = {}
        for key, question in questions.items():
            answer = self._find_answer(key)
            if answer is not None and question.signed:
                asked_digest, consent = self._previous.asked_questions.get(key, NOT_ASKED)
                if asked_digest == question.digest and not _is_declined(answer):
                    self._accepted[key] = question
                else:
                    await self._invalidate_consent(consent)
                    answer = answer if _is_declined(answer) else None
            if answer is None:
                missing[key] = question
                continue
            try:
                self.answers[key] = validate_answer(question, answer)
            except NoAnswer as error:
                text = f"Invalid params: params.inputResponses[{key!r}]: {error}"
                raise RpcError(INVALID_PARAMS, text, id=self._request.id) from None
        if missing:
            raise InputRequired(missing)
        return {key: self.answers[key] for key in questions}

    async def _invalidate_consent(self, consent: Consent | None) -> None:
        """Mark *consent* as used, so that it permits no change: its question was not accepted."""
        if consent is not None:
            try:
                await self._use_consent(*consent)
            except StateUnavailable:
                log.warning("Redis is unavailable; a declined confirmation could not be invalidated")

    async def use_consents(self) -> None:
        """Use the consents that the user gave.

        Raise InputRequired with the questions whose consent was used before, StateUnavailable if the check fails.
        """
        rejected = {
            key: question
            for key, question in self._accepted.items()
            if not await self._use_consent(*self._previous.asked_questions[key][1])
        }
        if rejected:
            raise InputRequired(rejected)


def _is_declined(answer: JsonObject | None) -> bool:
    return answer is not None and answer.get("action") in ("decline", "cancel")


def read_input_responses(request: Request) -> dict[str, JsonObject]:
    """Return the ``inputResponses`` of a request. Raise RpcError -32602 unless they are an object of objects."""
    responses = request.params.get("inputResponses", {})
    if not isinstance(responses, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.inputResponses must be an object", id=request.id)
    for key, answer in responses.items():
        if not isinstance(answer, dict):
            text = f"Invalid params: params.inputResponses[{key[:64]!r}] must be an object"
            raise RpcError(INVALID_PARAMS, text, id=request.id)
    return responses
