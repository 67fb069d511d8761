"""One task: its state as clients see it, and the answers that it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from ..catalog.call import NoAnswer, Question
from ..protocol.jsonrpc import JsonObject
from .client_requests import validate_answer

LIFETIME_SECONDS = 3600.0
POLL_MILLISECONDS = 1000
FINAL_STATUSES = frozenset({"completed", "failed", "cancelled"})


@dataclass(slots=True, eq=False)
class Task:
    """One task. *open_questions* holds the questions that wait for answers; *answers* the answers, by key."""

    id: str
    owner: str
    created: float
    updated: float
    status: str = "working"
    message: str = ""
    # Serialized here; an object where it comes from another replica.
    result: orjson.Fragment | JsonObject | None = None
    error: JsonObject | None = None
    # Bytes of the result.
    result_size: int = 0
    open_questions: dict[str, Question] = field(default_factory=dict)
    answers: dict[str, JsonObject] = field(default_factory=dict)
    answers_changed: asyncio.Event = field(default_factory=asyncio.Event)
    runner: asyncio.Task[None] | None = None
    # The replica that works at it, where that is another one.
    holder: str = ""

    @property
    def created_result(self) -> JsonObject:
        """What the request that became this task is answered with."""
        return {"resultType": "task", **self._state()}

    @property
    def detail(self) -> JsonObject:
        """The whole state: with the result, the error or the open questions, as the status has it."""
        state = self._state()
        if self.status == "completed":
            state["result"] = self.result
        elif self.status == "failed":
            state["error"] = self.error
        elif self.status == "input_required":
            state["inputRequests"] = {
                key: {"method": one.method, "params": one.params} for key, one in self.open_questions.items()
            }
        return state

    def _state(self) -> JsonObject:
        state: JsonObject = {
            "taskId": self.id,
            "status": self.status,
            "createdAt": _format_timestamp(self.created),
            "lastUpdatedAt": _format_timestamp(self.updated),
            "ttlMs": int(LIFETIME_SECONDS * 1000),
            "pollIntervalMs": POLL_MILLISECONDS,
        }
        return state | ({"statusMessage": self.message} if self.message else {})


def check_answers(task: Task, answers: Mapping[str, object]) -> dict[str, JsonObject]:
    """Those of *answers* that answer an open question. Raises NoAnswer for one that cannot be right."""
    taken: dict[str, JsonObject] = {}
    for key, answer in answers.items():
        if key in task.open_questions:
            if not isinstance(answer, dict):
                raise NoAnswer(f"{key}: must be an object")
            taken[key] = validate_answer(task.open_questions[key], answer)
    return taken


def _format_timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
