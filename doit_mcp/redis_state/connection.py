"""Link: the connection to Redis. The only module that knows the client library, and only once a link is opened."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from ..process.file_descriptors import is_local_shortage
from ..resilience.unavailable import StateUnavailable
from .errors import NOT_PRIMARY_CODES, NotPrimary, WriteRefused, error_code, is_out_of_memory
from .key_names import eval_command, join_names

log = logging.getLogger(__name__)

# Longer than any command takes when all is well, and short enough for who waits (seconds).
TIMEOUT_SECONDS = 2.0
# What those wait who can do without Redis (seconds).
SHORT_TIMEOUT_SECONDS = 0.5
MAX_CONNECTIONS = 32
# So long after the last such error Redis counts as full, and the log does not repeat it (seconds).
FULL_SECONDS = 30.0
# While Redis is away one command asks whether it is back: soon at first, then about once a second.
FIRST_PROBE_SECONDS, MAX_PROBE_SECONDS = 0.05, 1.0


Argument = str | bytes | int
Command = Sequence[Argument]


class RedisClient(Protocol):
    """What is used of redis-py's Redis."""

    def execute_command(self, *command: Any) -> Awaitable[Any]: ...

    def pipeline(self, *, transaction: bool) -> Any: ...

    async def aclose(self) -> None: ...


class RedisConnection:
    """Runs commands; every failure is :class:`Away` (:class:`Refused` where Redis answers), and each outage one warning
    in the log.

    Once Redis was silent, nobody waits for it any more: commands fail at once, and a task of the link's own asks until
    there is an answer. What Redis refuses (*refusals*, some of *failures*) is answered, if not as wished.

    A server that says that it takes no writes (*no_primary*) is left: *connect* makes new connections, which resolve
    the name again, and the command is repeated once. So a failover is over for us when the name leads to the new one.
    """

    def __init__(
        self,
        connect: Callable[[], RedisClient],
        failures: tuple[type[Exception], ...],
        prefix: str,
        timeout: float,
        refusals: tuple[type[Exception], ...] = (),
        is_not_primary: Callable[[Exception], bool] = lambda failure: False,
    ) -> None:
        self._connect, self._client = connect, connect()
        self._failures, self._prefix, self._timeout = failures, prefix, timeout
        self._refusals, self._is_not_primary = refusals, is_not_primary
        # Connections to servers that were left, until what is under way there has ended.
        self._retiring: dict[RedisClient, asyncio.Task[None]] = {}
        self._unavailable = False
        self._full_until = 0.0
        self._answer_count = 0
        # What commands raise at once, while Redis is silent or takes no writes.
        self._fail_with: type[StateUnavailable] | None = None
        self._probe_task: asyncio.Task[None] | None = None

    @property
    def unavailable(self) -> bool:
        """Whether Redis could not be used at last."""
        return self._unavailable

    @property
    def full(self) -> bool:
        """Whether Redis refused a write a short while ago because its memory is used up."""
        return time.monotonic() < self._full_until

    def mark_full(self) -> None:
        """Redis refused a write because its memory is used up."""
        if not self.full:
            log.error("Redis is full and refuses writes; raise its maxmemory")
        self._full_until = time.monotonic() + FULL_SECONDS

    def key(self, *parts: str) -> str:
        """A key of ours."""
        return join_names(":", (self._prefix, *parts))

    async def execute(self, *command: Argument, extra_seconds: float = 0.0, max_wait: float | None = None) -> Any:
        """The answer to one command; it may take *extra_seconds* beyond the usual (seconds).

        Who can do without says *max_wait* how many instead, and is not kept waiting while it is doubtful that Redis is
        there. A short wait in vain may be this process's own fault, so it closes the link for nobody else.
        """
        if max_wait is None:
            return await self._run_unless_unavailable(
                lambda: self._client.execute_command(*command), self._timeout + extra_seconds
            )
        if self._probe_task is not None:
            raise StateUnavailable
        return await self._attempt(
            lambda: self._client.execute_command(*command), min(max_wait, self._timeout), self._start_probe
        )

    async def run_script(
        self, source: str, keys: Sequence[str], *arguments: Argument, max_wait: float | None = None
    ) -> Any:
        """What a Lua script returns. Its text goes along: Redis knows scripts by their digest, also after a restart."""
        return await self.execute(*eval_command(source, keys), *arguments, max_wait=max_wait)

    async def execute_all(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to several commands, sent at once, each done for itself; an answer can be an exception."""

        async def work() -> list[Any]:
            async with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, Exception) and self._is_not_primary(answer):
                    raise answer
            return answers

        answers: list[Any] = await self._run_unless_unavailable(work, self._timeout)
        return answers

    async def _run_unless_unavailable(self, work: Callable[[], Awaitable[Any]], seconds: float) -> Any:
        if self._fail_with:
            raise self._fail_with()
        return await self._attempt(work, seconds, self._mark_unavailable)

    async def _attempt(
        self, work: Callable[[], Awaitable[Any]], seconds: float, on_silence: Callable[[Exception], None]
    ) -> Any:
        before = self._answer_count
        try:
            async with asyncio.timeout(seconds):
                answer = await self._run_on_primary(work)
        except NotPrimary as failure:
            # It answers, but nothing can be written there: all others wait for the probe as well.
            self._mark_unavailable(failure)
            raise WriteRefused from failure
        except self._refusals as failure:
            self._mark_answered()
            if is_out_of_memory(failure):
                self.mark_full()
            else:
                self._warn(failure)
            raise WriteRefused from failure
        except self._failures as failure:
            # Where others were answered meanwhile, it was this command's bad luck.
            if self._answer_count == before and not is_local_shortage(failure):
                on_silence(failure)
            raise StateUnavailable from failure
        self._mark_answered()
        if self._unavailable:
            self._unavailable = False
            log.info("Redis can be used again")
        return answer

    async def _run_on_primary(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """The answer of a server that takes writes. Raises NoPrimary where the second one takes none either."""
        client = self._client
        try:
            return await work()
        except self._failures as failure:
            if not self._is_not_primary(failure):
                raise
        self._reconnect(client)
        try:
            return await work()
        except self._failures as failure:
            if self._is_not_primary(failure):
                raise NotPrimary from failure
            raise

    def _reconnect(self, client: RedisClient) -> None:
        """Use new connections from now on, unless another command has seen to that."""
        if client is self._client:
            self._client = self._connect()
            self._retiring[client] = asyncio.create_task(self._close_later(client))

    async def _close_later(self, client: RedisClient) -> None:
        await asyncio.sleep(self._timeout)
        del self._retiring[client]
        await client.aclose()

    def _start_probe(self, failure: Exception) -> None:
        """Redis may be silent; it is asked."""
        if self._probe_task is None:
            self._probe_task = asyncio.create_task(self._probe())

    def _mark_unavailable(self, failure: Exception) -> None:
        """Redis is silent or takes no writes; until that changes, commands fail at once."""
        self._fail_with = WriteRefused if isinstance(failure, NotPrimary) else StateUnavailable
        self._warn(failure)
        self._start_probe(failure)

    def _mark_answered(self) -> None:
        """Redis answers, and be it with a refusal."""
        self._answer_count += 1
        self._fail_with = None
        probing, self._probe_task = self._probe_task, None
        if probing is not None and probing is not asyncio.current_task():
            probing.cancel()

    def _warn(self, failure: Exception) -> None:
        if not self._unavailable:
            self._unavailable = True
            # Without its words: they can repeat what was sent.
            cause = failure.__cause__ if isinstance(failure, NotPrimary) else failure
            extra = {"failure": type(cause).__name__, "code": error_code(str(cause))}
            log.warning("Redis cannot be used", extra={name: text for name, text in extra.items() if text})

    async def _probe(self) -> None:
        pause = FIRST_PROBE_SECONDS
        # A write, which replicas refuse, and one that needs no memory.
        probe = ("DEL", self.key("probe"))
        try:
            # Whoever is answered, this task or a command that was under way, opens the link.
            while self._probe_task is not None:
                try:
                    await self._attempt(
                        lambda: self._client.execute_command(*probe), self._timeout, self._mark_unavailable
                    )
                except StateUnavailable:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, MAX_PROBE_SECONDS)
        finally:
            # Without its task the link must not stay closed.
            if self._probe_task is asyncio.current_task():
                self._probe_task, self._fail_with = None, None

    async def close(self) -> None:
        """Close the connections."""
        if (probing := self._probe_task) is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        for retiring in self._retiring.values():
            retiring.cancel()
        for client in (*self._retiring, self._client):
            await client.aclose()


def open_connection(url: str, prefix: str, timeout: float = TIMEOUT_SECONDS) -> RedisConnection:
    """A link to the Redis at *url*; connects when it is needed. Raises ImportError without the extra ``redis``."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import BusyLoadingError, MasterDownError, ReadOnlyError, RedisError, ResponseError

    def connect() -> RedisClient:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=timeout,
            socket_connect_timeout=timeout,
            # Our own timeout is around each command, and who needs it again repeats it.
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        return Redis.from_pool(pool)

    def no_primary(failure: Exception) -> bool:
        # The library takes the code away from the text where it has a class for it.
        if isinstance(failure, BusyLoadingError | MasterDownError | ReadOnlyError):
            return True
        text = str(failure)
        return isinstance(failure, ResponseError) and (text.startswith(NOT_PRIMARY_CODES) or "-READONLY" in text)

    return RedisConnection(connect, (RedisError, OSError, TimeoutError), prefix, timeout, (ResponseError,), no_primary)
