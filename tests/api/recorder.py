"""A test double of the API's transport that returns prepared responses and records the requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from doit_mcp.api.operation import Operation, Request
from doit_mcp.protocol.json_schema import JsonObject


class Recorder:
    """Implements Sender. Responses come in order and the last one repeats; an exception is raised.

    A callable among them creates the response from the request.
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
        if isinstance(answer, Callable):  # type: ignore[arg-type]  # not a class for mypy
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        """Return the next response."""
        return self._next(operation, arguments)

    async def stream(self, operation: Operation, arguments: Mapping[str, Any]) -> AsyncGenerator[JsonObject, None]:
        """Yield the events of the next response, a list; an exception among them is raised at its position."""
        for event in self._next(operation, arguments):
            if isinstance(event, Exception):
                raise event
            yield event

    async def report(self, message: str) -> None:
        """Discard the message."""


def pages_of(items: str, *pages: list[JsonObject]) -> Callable[[Request], JsonObject]:
    """Return a handler that serves the list *items* in these pages; page tokens are "1", "2" …"""

    def answer(request: Request) -> JsonObject:
        index = int(str(request.query.get("pageToken", "0")))
        token = {"pageToken": str(index + 1)} if index + 1 < len(pages) else {}
        return {items: pages[index], "rowCount": len(pages[index]), **token}

    return answer
