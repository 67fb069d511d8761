"""The state of one task as clients see it, with its open questions and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from ..catalog.call import NoAnswer, Question
from ..protocol.jsonrpc import JsonObject
from .client_requests import input_requests, validate_answer

LIFETIME_SECONDS = 3600.0
POLL_MILLISECONDS, MAX_POLL_MILLISECONDS = 1000, 10_000
POLLS_PER_DURATION = 20
"""A task that has run for a while is polled this often in as long a time again, so it is reported at most 5 % late."""
FINAL_STATUSES = frozenset({"completed", "failed", "cancelled"})


@dataclass(slots=True, eq=False)
class Task:
    """One task. *open_questions* are the questions that await answers, *answers* the answers received, both by key."""

    id: str
    owner: str
    created: float
    updated: float
    status: str = "working"
    message: str = ""
    # Serialized if the task ran in this process; an object if it was read from another replica.
    result: orjson.Fragment | JsonObject | None = None
    error: JsonObject | None = None
    # Size of the result, in bytes.
    result_size: int = 0
    open_questions: dict[str, Question] = field(default_factory=dict)
    answers: dict[str, JsonObject] = field(default_factory=dict)
    answers_changed: asyncio.Event = field(default_factory=asyncio.Event)
    runner: asyncio.Task[None] | None = None
    # The replica that runs the task, if that is another one.
    holder: str = ""

    @property
    def created_result(self) -> JsonObject:
        """The result of the request that became this task."""
        return {"resultType": "task", **self._state()}

    @property
    def detail(self) -> JsonObject:
        """The complete state. Depending on the status, it includes the result, the error or the open questions."""
        state = self._state()
        if self.status == "completed":
            state["result"] = self.result
        elif self.status == "failed":
            state["error"] = self.error
        elif self.status == "input_required":
            state["inputRequests"] = input_requests(self.open_questions)
        return state

    @property
    def _poll_milliseconds(self) -> int:
        grown = int((self.updated - self.created) * 1000 / POLLS_PER_DURATION)
        return min(max(POLL_MILLISECONDS, grown), MAX_POLL_MILLISECONDS)

    def _state(self) -> JsonObject:
        state: JsonObject = {
            "taskId": self.id,
            "status": self.status,
            "createdAt": _format_timestamp(self.created),
            "lastUpdatedAt": _format_timestamp(self.updated),
            "ttlMs": int(LIFETIME_SECONDS * 1000),
            "pollIntervalMs": self._poll_milliseconds,
        }
        return state | ({"statusMessage": self.message} if self.message else {})


def check_answers(task: Task, answers: Mapping[str, object]) -> dict[str, JsonObject]:
    """Return the *answers* to open questions. Raise NoAnswer if one of them is invalid."""
    accepted: dict[str, JsonObject] = {}
    for key, answer in answers.items():
        if key in task.open_questions:
            if not isinstance(answer, dict):
                raise NoAnswer(f"{key}: must be an object")
            accepted[key] = validate_answer(task.open_questions[key], answer)
    return accepted


def _format_timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
