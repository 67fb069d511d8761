"""Finds the Redis server that accepts writes, through Sentinel or Redis Cluster, whenever a connection opens.

So a failover needs no configuration: once the primary changed, new connections lead to the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from ..process.task_cancellation import cancel_tasks
from .addresses import HASH_TAG, SENTINEL, SharedAddress

Node = tuple[str, int]

# When a sentinel or node has not replied for this time, the next one is asked as well. The first reply counts.
ASK_NEXT_SECONDS = 0.4
MAX_SEARCH_SECONDS = 2.0


class Answer(NamedTuple):
    """The *primary*, and the *nodes* to ask first next time."""

    primary: Node
    nodes: tuple[Node, ...]


class PrimaryFinder:
    """Asks *nodes* for the primary. *ask* asks one of them; it returns None if that node does not know the primary.

    Connections that open at the same time share one search, so a sentinel or node gets one question from this process
    at a time.
    """

    def __init__(self, nodes: tuple[Node, ...], ask: Callable[[Node], Awaitable[Answer | None]]) -> None:
        self._seeds = self._nodes = nodes
        self._ask = ask
        self._search_task: asyncio.Task[Node] | None = None

    async def find(self) -> Node:
        """Return the host and port of the primary. Raise redis.exceptions.ConnectionError if no node knows it."""
        if self._search_task is None:
            self._search_task = asyncio.create_task(self._search())
            self._search_task.add_done_callback(self._end_search)
        # A caller that stops waiting does not end the search of the others.
        return await asyncio.shield(self._search_task)

    def _end_search(self, task: asyncio.Task[Node]) -> None:
        self._search_task = None
        if not task.cancelled():
            # All callers may have stopped waiting for this error.
            task.exception()

    async def _search(self) -> Node:
        try:
            async with asyncio.timeout(MAX_SEARCH_SECONDS):
                answer = await self._ask_in_turn()
        except TimeoutError:
            answer = None
        if answer is None:
            raise RedisConnectionError("no sentinel or node knows the primary")
        # The seeds stay: all nodes of the last answer may have been replaced.
        self._nodes = tuple(dict.fromkeys((*answer.nodes, *self._seeds)))
        return answer.primary

    async def _ask_in_turn(self) -> Answer | None:
        """Return the first answer. Ask the next node when one does not know the primary or does not reply soon."""
        waiting, questions = list(self._nodes), set[asyncio.Task[Answer | None]]()
        try:
            while waiting or questions:
                if waiting:
                    questions.add(asyncio.create_task(self._ask_safely(waiting.pop(0))))
                done, questions = await asyncio.wait(
                    questions, timeout=ASK_NEXT_SECONDS if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for question in done:
                    if (answer := question.result()) is not None:
                        return answer
            return None
        finally:
            await cancel_tasks(*questions)

    async def _ask_safely(self, node: Node) -> Answer | None:
        try:
            return await self._ask(node)
        except (RedisError, OSError):
            return None

    async def close(self) -> None:
        """End the search in progress."""
        if self._search_task is not None:
            await cancel_tasks(self._search_task)


def make_finder(address: SharedAddress) -> PrimaryFinder:
    """Return the finder of the primary of *address*."""
    if address.kind == SENTINEL:
        options = _ask_options(address.tls, address.sentinel_username, address.sentinel_password)
        return PrimaryFinder(address.nodes, lambda node: _ask_sentinel(node, options, address.service))
    options = _ask_options(address.tls, address.username, address.password)
    return PrimaryFinder(address.nodes, lambda node: _ask_cluster(node, options))


async def _ask_sentinel(node: Node, options: dict[str, Any], service: str) -> Answer | None:
    # Sentinel replies with the new primary as soon as it is promoted, before its replicas follow it.
    reply = await _execute(node, options, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
    return Answer((reply[0].decode(), int(reply[1])), (node,)) if reply else None


async def _ask_cluster(node: Node, options: dict[str, Any]) -> Answer | None:
    """Ask which node holds the slot of HASH_TAG."""
    slot = key_slot(HASH_TAG.encode())
    for first, last, *holders in await _execute(node, options, "CLUSTER SLOTS"):
        if first <= slot <= last:
            found = tuple(_node_address(holder, node) for holder in holders)
            return Answer(found[0], found)
    return None


async def _execute(node: Node, options: dict[str, Any], *command: str) -> Any:
    client: Any = Redis(host=node[0], port=node[1], **options)
    try:
        # The raw reply: the library's own form depends on its version.
        client.response_callbacks.pop(command[0], None)
        return await client.execute_command(*command)
    finally:
        await client.aclose()


def _node_address(holder: list[Any], asked: Node) -> Node:
    """Return the address of *holder*. A node that does not know its own address leaves it empty."""
    host = (holder[0] or b"").decode()
    return host if host not in ("", "?") else asked[0], int(holder[1])


def _ask_options(tls: bool, username: str, password: str) -> dict[str, Any]:
    return {
        "ssl": tls,
        "username": username or None,
        "password": password or None,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


class PrimaryConnection(Connection):
    """A connection that calls *find* for the address of the primary whenever it connects."""

    def __init__(self, *, find: Callable[[], Awaitable[Node]], **options: Any) -> None:
        super().__init__(**options)
        self._find = find

    async def _connect(self) -> None:
        self.host, self.port = await self._find()
        await super()._connect()  # type: ignore[no-untyped-call]  # the library does not type it


class PrimaryTlsConnection(PrimaryConnection, SSLConnection):
    """The same, with TLS."""
