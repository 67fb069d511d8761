"""Lets a driver follow orders: JSON lines on standard input, one JSON answer each on standard output.

A driver connects a framework to a server and passes itself to ``serve``. Orders are ``{"call": tool, "arguments": {…}}``
and ``{"list": true}``. This runs with the client's own packages, so it imports nothing of this project.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import sign_in


@dataclass(frozen=True)
class Answer:
    """What a framework gives to its model for one call; *flagged* if it marks this as an error."""

    text: str
    flagged: bool = False


class Connected(Protocol):
    """A framework with an open connection."""

    async def tools(self) -> Mapping[str, Sequence[str]]:
        """Return the names of the arguments of each tool, as the framework's own tools declare them."""

    async def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        """Call a tool the way an agent of the framework does."""


Connect = Callable[[str, "str | None"], AbstractAsyncContextManager[Connected]]


class Revision:
    """Reads the revision that the client states in the headers of its requests."""

    def __init__(self) -> None:
        self.stated: str | None = None

    def watch(self) -> None:
        """Watch each HTTP library that the installed client may use."""
        for name in ("httpx", "httpx2"):
            try:
                self._watch(__import__(name).AsyncClient)
            except ImportError:
                continue

    def _watch(self, http: Any) -> None:
        send = http.send

        async def watched(client: Any, request: Any, **options: Any) -> Any:
            self.stated = request.headers.get("mcp-protocol-version", self.stated)
            return await send(client, request, **options)

        http.send = watched


def message(error: BaseException) -> str:
    """Return the text of *error*, or of the first error in a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def follow(connected: Connected, order: dict[str, Any]) -> dict[str, Any]:
    """Return what the framework answered to *order*."""
    if "list" in order:
        return {"tools": {name: list(arguments) for name, arguments in (await connected.tools()).items()}}
    try:
        answer = await connected.call(order["call"], order["arguments"])
    # Frameworks have exceptions of their own for failed calls, and agents see any of them as a failure.
    except Exception as error:
        return {"text": message(error), "seen": "raised"}
    return {"text": answer.text, "seen": "flagged" if answer.flagged else "returned"}


async def orders() -> AsyncIterator[dict[str, Any]]:
    """Yield the orders on standard input until it ends."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield json.loads(line)


async def _serve(connect: Connect, url: str, token: str | None) -> None:
    revision = Revision()
    revision.watch()
    async with connect(url, token) as connected:
        async for order in orders():
            answer = await follow(connected, order)
            more = {"revision": revision.stated, "sign_ins": sign_in.count}
            print(json.dumps(answer | more), flush=True)


def serve(connect: Connect) -> None:
    """Connect to the URL in the first argument and follow orders. Without a token in the second, sign in by OAuth."""
    asyncio.run(_serve(connect, sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))


def bearer(token: str | None) -> dict[str, str]:
    """Return the headers that send *token*."""
    return {"Authorization": f"Bearer {token}"} if token else {}
