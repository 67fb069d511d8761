"""Finds the Redis server that accepts writes, through Sentinel or Redis Cluster, whenever a connection opens.

So a failover needs no configuration: once the primary changed, new connections lead to the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from .addresses import HASH_TAG, SENTINEL, SharedAddress

Node = tuple[str, int]

# Of one sentinel or node that is asked for the primary. Others are asked if it is down.
ASK_TIMEOUT_SECONDS = 0.4


class SentinelFinder:
    """Asks the sentinels of *address* for the primary, the last one that replied first."""

    def __init__(self, address: SharedAddress) -> None:
        self._service = address.service
        options = _ask_options(address.tls, address.sentinel_username, address.sentinel_password)
        self._sentinel: Any = Sentinel(address.nodes, sentinel_kwargs=options)  # type: ignore[no-untyped-call]  # the library does not type it

    async def find(self) -> Node:
        """Return the host and port of the primary. Raise redis.exceptions.ConnectionError if no sentinel knows it."""
        host, port = await self._sentinel.discover_master(self._service)
        return str(host), int(port)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._sentinel.sentinels:
            await client.aclose()


class ClusterFinder:
    """Asks the nodes of a cluster which one holds the slot of HASH_TAG: those of *address*, and those they named."""

    def __init__(self, address: SharedAddress) -> None:
        self._options = _ask_options(address.tls, address.username, address.password)
        self._seeds, self._nodes = address.nodes, list(address.nodes)
        self._slot = key_slot(HASH_TAG.encode())

    async def find(self) -> Node:
        """Return the host and port of the node. Raise redis.exceptions.ConnectionError if no node knows it."""
        for node in list(self._nodes):
            try:
                ranges = await self._ask(node)
            except (RedisError, OSError, TimeoutError):
                continue
            for first, last, *holders in ranges:
                if first <= self._slot <= last:
                    found = [_node_address(holder, node) for holder in holders]
                    # The seeds stay: all nodes of the last answer may have been replaced.
                    self._nodes = list(dict.fromkeys((*found, *self._seeds)))
                    return found[0]
        raise RedisConnectionError("no node of the cluster knows the primary")

    async def _ask(self, node: Node) -> list[Any]:
        client: Any = Redis(host=node[0], port=node[1], **self._options)
        try:
            async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
                # The raw reply: the library's own form depends on its version.
                client.response_callbacks.pop("CLUSTER SLOTS", None)
                return list(await client.execute_command("CLUSTER SLOTS"))
        finally:
            await client.aclose()

    async def close(self) -> None:
        """Do nothing: questions use connections of their own."""


def _node_address(holder: list[Any], asked: Node) -> Node:
    """Return the address of *holder*. A node that does not know its own address leaves it empty."""
    host = (holder[0] or b"").decode()
    return host if host not in ("", "?") else asked[0], int(holder[1])


def _ask_options(tls: bool, username: str, password: str) -> dict[str, Any]:
    return {
        "ssl": tls,
        "username": username or None,
        "password": password or None,
        "socket_timeout": ASK_TIMEOUT_SECONDS,
        "socket_connect_timeout": ASK_TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


def make_finder(address: SharedAddress) -> SentinelFinder | ClusterFinder:
    """Return the finder of the primary of *address*."""
    return SentinelFinder(address) if address.kind == SENTINEL else ClusterFinder(address)


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
