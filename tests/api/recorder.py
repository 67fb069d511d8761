"""Owns the double of the API at its seam: it answers from a list and remembers what it was asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from doit_mcp.api.operation import Operation, Request
from doit_mcp.protocol.json_schema import JsonObject


class Recorder:
    """Implements Sender. Answers come in order, the last one again and again; an exception is raised.

    A function among them makes the answer from the request.
    """

    tenant = ""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers) or [{}]
        self.requests: list[Request] = []
        self.operations: list[Operation] = []

    def _next(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        request = operation.build_request(arguments)
        self.requests.append(request)
        self.operations.append(operation)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """The next answer."""
        return self._next(operation, arguments)

    async def stream(self, operation: Operation, arguments: Mapping[str, Any]) -> AsyncGenerator[JsonObject, None]:
        """The next answer, a list of events; an exception among them is raised in its place."""
        for event in self._next(operation, arguments):
            if isinstance(event, Exception):
                raise event
            yield event

    async def report(self, message: str) -> None:
        """Nobody listens."""


def pages_of(items: str, *pages: list[JsonObject]) -> Callable[[Request], JsonObject]:
    """An API whose list *items* has these pages; tokens are "1", "2" …"""

    def answer(request: Request) -> JsonObject:
        index = int(str(request.query.get("pageToken", "0")))
        token = {"pageToken": str(index + 1)} if index + 1 < len(pages) else {}
        return {items: pages[index], "rowCount": len(pages[index]), **token}

    return answer
