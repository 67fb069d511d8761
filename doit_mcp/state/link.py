"""Link: the connection to Redis. The only module that knows the client library, and only once a link is opened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from .away import Away

log = logging.getLogger(__name__)

# Longer than any command takes when all is well, and short enough for who waits (seconds).
TIMEOUT_S = 2.0
CONNECTIONS = 32

Argument = str | bytes | int
Command = Sequence[Argument]


class Client(Protocol):
    """What is used of redis-py's Redis."""

    def execute_command(self, *command: Any) -> Awaitable[Any]: ...

    def pipeline(self, *, transaction: bool) -> Any: ...

    async def aclose(self) -> None: ...


class Link:
    """Runs commands; every failure is :class:`Away`, and each outage one warning in the log."""

    def __init__(self, client: Client, failures: tuple[type[Exception], ...], prefix: str, timeout: float) -> None:
        self._client, self._failures, self._prefix, self._timeout = client, failures, prefix, timeout
        self._away = False

    @property
    def away(self) -> bool:
        """Whether the last command failed."""
        return self._away

    def key(self, *parts: str) -> str:
        """A key of ours."""
        return ":".join((self._prefix, *parts))

    async def run(self, *command: Argument, patience: float = 0.0) -> Any:
        """The answer to one command; *patience* is what it may take beyond the usual (seconds)."""
        return await self._guarded(lambda: self._client.execute_command(*command), patience)

    async def script(self, text: str, keys: Sequence[str], *arguments: Argument) -> Any:
        """What a Lua script returns. Its text goes along: Redis knows scripts by their digest, also after a restart."""
        return await self.run("EVAL", text, len(keys), *keys, *arguments)

    async def all(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to several commands, sent at once, each done for itself; an answer can be an exception."""

        async def work() -> list[Any]:
            async with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
                return answers

        answers: list[Any] = await self._guarded(work, 0.0)
        return answers

    async def _guarded(self, work: Callable[[], Awaitable[Any]], patience: float) -> Any:
        try:
            async with asyncio.timeout(self._timeout + patience):
                answer = await work()
        except self._failures as failure:
            if not self._away:
                self._away = True
                # Without its words: they can repeat what was sent.
                log.warning("Redis cannot be used", extra={"failure": type(failure).__name__})
            raise Away from failure
        if self._away:
            self._away = False
            log.info("Redis can be used again")
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def open_link(url: str, prefix: str, timeout: float = TIMEOUT_S) -> Link:
    """A link to the Redis at *url*; connects when it is needed. Raises ImportError without the extra ``redis``."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=timeout,
        socket_connect_timeout=timeout,
        # Our own timeout is around each command, and who needs it again repeats it.
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    return Link(Redis.from_pool(pool), (RedisError, OSError, TimeoutError), prefix, timeout)
