"""Asking by retry: a result asks the client, and the whole request comes again with the answers (2026-07-28, MRTR)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ..catalog.call import Interrupted, NoAnswer, Question
from ..protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ..redis_state.errors import Away
from .client_requests import check
from .consents import Consent

log = logging.getLogger(__name__)

Use = Callable[[int, str], Awaitable[bool]]
# For a key under which no sealed question was put.
NEVER_PUT: tuple[str, Consent | None] = ("", None)


class InputRequired(Interrupted):
    """The request cannot be answered before the client has answered *questions*."""

    def __init__(self, questions: Mapping[str, Question]) -> None:
        super().__init__("input required")
        self.questions = questions

    @property
    def requests(self) -> JsonObject:
        """The ``inputRequests`` of the result."""
        return {key: {"method": one.method, "params": one.params} for key, one in self.questions.items()}


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier rounds of a request brought: answers by key; and the sealed questions that were put, by key: the
    digest of each, and the consent that an acceptance of it is."""

    known: Mapping[str, JsonObject] = field(default_factory=dict)
    shown: Mapping[str, tuple[str, Consent]] = field(default_factory=dict)

    @classmethod
    def of(cls, state: tuple[dict[str, JsonObject], dict[str, tuple[str, int, str]]]) -> Before:
        """That of a *state*."""
        known, shown = state
        return cls(known, {key: (digest, Consent(asked, id)) for key, (digest, asked, id) in shown.items()})

    @property
    def state(self) -> list[object]:
        """The same as JSON, which the client brings again."""
        return [self.known, {key: [digest, *consent] for key, (digest, consent) in self.shown.items()}]

    def after(self, known: Mapping[str, JsonObject], asked: Mapping[str, Question]) -> Before:
        """The same after a round that brought the answers *known* and ended by putting the questions *asked*, whose
        answers, if there were any before, count no longer."""
        kept = {key: answer for key, answer in {**self.known, **known}.items() if key not in asked}
        put = {key: (one.digest, Consent.new()) for key, one in asked.items() if one.sealed}
        return Before(kept, {**self.shown, **put})


class ByRetry:
    """Envelope era: what was answered already is at hand; the first question without an answer ends the run (MRTR).

    *use* uses up the consent that a sealed question asked for, and says whether it could still count.
    """

    waits: ClassVar[bool] = False

    def __init__(self, request: Request, before: Before, use: Use) -> None:
        self._request, self._before, self._use = request, before, use
        self.known: dict[str, JsonObject] = {}
        # Sealed questions that the user accepted.
        self._accepted: dict[str, Question] = {}

    @property
    def is_open(self) -> bool:
        """Whether an earlier round put a sealed question, or this one declines one. Then the client can be asked,
        whatever capabilities it declares now: leaving them out must not turn an open question into a yes."""
        return bool(self._before.shown) or any(_declines(answer) for answer in inputs(self._request).values())

    def _answer(self, key: str) -> JsonObject | None:
        given = inputs(self._request).get(key)
        return given if _declines(given) else self._before.known.get(key, given)

    async def ask(self, questions: Mapping[str, Question]) -> dict[str, JsonObject]:
        """The answers, where all are there; raises InputRequired with the ones that are not.

        A sealed question counts as accepted only if an earlier round put just that question, and as declined always.
        """
        missing: dict[str, Question] = {}
        for key, question in questions.items():
            answer = self._answer(key)
            if answer is not None and question.sealed:
                put, consent = self._before.shown.get(key, NEVER_PUT)
                if put == question.digest and not _declines(answer):
                    self._accepted[key] = question
                else:
                    await self._use_up(consent)
                    answer = answer if _declines(answer) else None
            if answer is None:
                missing[key] = question
                continue
            try:
                self.known[key] = check(question, answer)
            except NoAnswer as wrong:
                text = f"Invalid params: params.inputResponses[{key!r}]: {wrong}"
                raise RpcError(INVALID_PARAMS, text, id=self._request.id) from None
        if missing:
            raise InputRequired(missing)
        return {key: self.known[key] for key in questions}

    async def _use_up(self, consent: Consent | None) -> None:
        """Nothing is changed by virtue of *consent* any more, now that its question was answered otherwise."""
        if consent is not None:
            try:
                await self._use(*consent)
            except Away:
                log.warning("a consent that was not given could not be recorded as used")

    async def use(self) -> None:
        """Use the consents that were given. Raises InputRequired with the questions whose consent was used before, Away
        where that cannot be checked."""
        asked = self._accepted
        again = {key: one for key, one in asked.items() if not await self._use(*self._before.shown[key][1])}
        if again:
            raise InputRequired(again)


def _declines(answer: JsonObject | None) -> bool:
    return answer is not None and answer.get("action") in ("decline", "cancel")


def inputs(request: Request) -> dict[str, JsonObject]:
    """The ``inputResponses`` of a request; RpcError -32602 when they are no object of objects."""
    given = request.params.get("inputResponses", {})
    if not isinstance(given, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.inputResponses must be an object", id=request.id)
    for key, answer in given.items():
        if not isinstance(answer, dict):
            text = f"Invalid params: params.inputResponses[{key[:64]!r}] must be an object"
            raise RpcError(INVALID_PARAMS, text, id=request.id)
    return given
