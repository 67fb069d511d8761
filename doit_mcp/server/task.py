"""One task: its state as clients see it, and the answers that it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from ..catalog.call import NoAnswer, Question
from ..protocol.jsonrpc import JsonObject
from .client_requests import check

LIFE_S = 3600.0
POLL_MS = 1000
FINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass(slots=True, eq=False)
class Task:
    """One task. *asked* holds the questions that wait for answers; *known* the answers, by key."""

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
    size: int = 0
    asked: dict[str, Question] = field(default_factory=dict)
    known: dict[str, JsonObject] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None
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
                key: {"method": one.method, "params": one.params} for key, one in self.asked.items()
            }
        return state

    def _state(self) -> JsonObject:
        state: JsonObject = {
            "taskId": self.id,
            "status": self.status,
            "createdAt": _instant(self.created),
            "lastUpdatedAt": _instant(self.updated),
            "ttlMs": int(LIFE_S * 1000),
            "pollIntervalMs": POLL_MS,
        }
        return state | ({"statusMessage": self.message} if self.message else {})


def check_answers(task: Task, answers: Mapping[str, object]) -> dict[str, JsonObject]:
    """Those of *answers* that answer an open question. Raises NoAnswer for one that cannot be right."""
    taken: dict[str, JsonObject] = {}
    for key, answer in answers.items():
        if key in task.asked:
            if not isinstance(answer, dict):
                raise NoAnswer(f"{key}: must be an object")
            taken[key] = check(task.asked[key], answer)
    return taken


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
