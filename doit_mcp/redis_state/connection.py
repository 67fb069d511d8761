"""Link: the connection to Redis. The only module that knows the client library, and only once a link is opened."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from ..process.file_descriptors import is_own_shortage
from .errors import Away, Refused
from .key_names import evaluation, joined

log = logging.getLogger(__name__)

# Longer than any command takes when all is well, and short enough for who waits (seconds).
TIMEOUT_S = 2.0
# What those wait who can do without Redis (seconds).
BRIEFLY_S = 0.5
CONNECTIONS = 32
# In the error of a command that needs memory when there is none left (maxmemory, noeviction), also inside a script's.
NO_MEMORY = "used memory > 'maxmemory'"
# Redis says this of a script's command that the user's ACL forbids.
NO_PERMISSION = "can't run this command"
ERROR_CODE = re.compile(r"[A-Z]{3,20}\b")
# So long after the last such error Redis counts as full, and the log does not repeat it (seconds).
FULL_S = 30.0
# While Redis is away one command asks whether it is back: soon at first, then about once a second.
FIRST_PROBE_S, PROBE_S = 0.05, 1.0

# What a server says that takes no writes: it is a replica now, or it is not ready. In scripts older servers say it
# inside another error.
NO_PRIMARY = ("READONLY", "MASTERDOWN", "NOREPLICAS", "LOADING", "UNBLOCKED")

Argument = str | bytes | int
Command = Sequence[Argument]


class Client(Protocol):
    """What is used of redis-py's Redis."""

    def execute_command(self, *command: Any) -> Awaitable[Any]: ...

    def pipeline(self, *, transaction: bool) -> Any: ...

    async def aclose(self) -> None: ...


class NoPrimary(Exception):
    """The server that the name leads to takes no writes."""


class Link:
    """Runs commands; every failure is :class:`Away` (:class:`Refused` where Redis answers), and each outage one warning
    in the log.

    Once Redis was silent, nobody waits for it any more: commands fail at once, and a task of the link's own asks until
    there is an answer. What Redis refuses (*refusals*, some of *failures*) is answered, if not as wished.

    A server that says that it takes no writes (*no_primary*) is left: *connect* makes new connections, which resolve
    the name again, and the command is repeated once. So a failover is over for us when the name leads to the new one.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        failures: tuple[type[Exception], ...],
        prefix: str,
        timeout: float,
        refusals: tuple[type[Exception], ...] = (),
        no_primary: Callable[[Exception], bool] = lambda failure: False,
    ) -> None:
        self._connect, self._client = connect, connect()
        self._failures, self._prefix, self._timeout = failures, prefix, timeout
        self._refusals, self._no_primary = refusals, no_primary
        # Connections to servers that were left, until what is under way there has ended.
        self._left: dict[Client, asyncio.Task[None]] = {}
        self._away = False
        self._full_until = 0.0
        self._answered = 0
        # What commands raise at once, while Redis is silent or takes no writes.
        self._closed: type[Away] | None = None
        self._probing: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether Redis could not be used at last."""
        return self._away

    @property
    def full(self) -> bool:
        """Whether Redis refused a write a short while ago because its memory is used up."""
        return time.monotonic() < self._full_until

    def refused_for_memory(self) -> None:
        """Redis refused a write because its memory is used up."""
        if not self.full:
            log.error("Redis is full and refuses writes; raise its maxmemory")
        self._full_until = time.monotonic() + FULL_S

    def key(self, *parts: str) -> str:
        """A key of ours."""
        return joined(":", (self._prefix, *parts))

    async def run(self, *command: Argument, patience: float = 0.0, within: float | None = None) -> Any:
        """The answer to one command; it may take *patience* beyond the usual (seconds).

        Who can do without says *within* how many instead, and is not kept waiting while it is doubtful that Redis is
        there. A short wait in vain may be this process's own fault, so it closes the link for nobody else.
        """
        if within is None:
            return await self._guarded(lambda: self._client.execute_command(*command), self._timeout + patience)
        if self._probing is not None:
            raise Away
        return await self._tried(
            lambda: self._client.execute_command(*command), min(within, self._timeout), self._doubt
        )

    async def script(self, text: str, keys: Sequence[str], *arguments: Argument, within: float | None = None) -> Any:
        """What a Lua script returns. Its text goes along: Redis knows scripts by their digest, also after a restart."""
        return await self.run(*evaluation(text, keys), *arguments, within=within)

    async def all(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to several commands, sent at once, each done for itself; an answer can be an exception."""

        async def work() -> list[Any]:
            async with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                answers: list[Any] = await pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, Exception) and self._no_primary(answer):
                    raise answer
            return answers

        answers: list[Any] = await self._guarded(work, self._timeout)
        return answers

    async def _guarded(self, work: Callable[[], Awaitable[Any]], seconds: float) -> Any:
        if self._closed:
            raise self._closed()
        return await self._tried(work, seconds, self._close)

    async def _tried(
        self, work: Callable[[], Awaitable[Any]], seconds: float, silent: Callable[[Exception], None]
    ) -> Any:
        before = self._answered
        try:
            async with asyncio.timeout(seconds):
                answer = await self._at_primary(work)
        except NoPrimary as failure:
            # It answers, but nothing can be written there: all others wait for the probe as well.
            self._close(failure)
            raise Refused from failure
        except self._refusals as failure:
            self._heard()
            if is_full(failure):
                self.refused_for_memory()
            else:
                self._warn(failure)
            raise Refused from failure
        except self._failures as failure:
            # Where others were answered meanwhile, it was this command's bad luck.
            if self._answered == before and not is_own_shortage(failure):
                silent(failure)
            raise Away from failure
        self._heard()
        if self._away:
            self._away = False
            log.info("Redis can be used again")
        return answer

    async def _at_primary(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """The answer of a server that takes writes. Raises NoPrimary where the second one takes none either."""
        client = self._client
        try:
            return await work()
        except self._failures as failure:
            if not self._no_primary(failure):
                raise
        self._leave(client)
        try:
            return await work()
        except self._failures as failure:
            if self._no_primary(failure):
                raise NoPrimary from failure
            raise

    def _leave(self, client: Client) -> None:
        """Use new connections from now on, unless another command has seen to that."""
        if client is self._client:
            self._client = self._connect()
            self._left[client] = asyncio.create_task(self._retire(client))

    async def _retire(self, client: Client) -> None:
        await asyncio.sleep(self._timeout)
        del self._left[client]
        await client.aclose()

    def _doubt(self, failure: Exception) -> None:
        """Redis may be silent; it is asked."""
        if self._probing is None:
            self._probing = asyncio.create_task(self._probe())

    def _close(self, failure: Exception) -> None:
        """Redis is silent or takes no writes; until that changes, commands fail at once."""
        self._closed = Refused if isinstance(failure, NoPrimary) else Away
        self._warn(failure)
        self._doubt(failure)

    def _heard(self) -> None:
        """Redis answers, and be it with a refusal."""
        self._answered += 1
        self._closed = None
        probing, self._probing = self._probing, None
        if probing is not None and probing is not asyncio.current_task():
            probing.cancel()

    def _warn(self, failure: Exception) -> None:
        if not self._away:
            self._away = True
            # Without its words: they can repeat what was sent.
            cause = failure.__cause__ if isinstance(failure, NoPrimary) else failure
            extra = {"failure": type(cause).__name__, "code": error_code(str(cause))}
            log.warning("Redis cannot be used", extra={name: text for name, text in extra.items() if text})

    async def _probe(self) -> None:
        pause = FIRST_PROBE_S
        # A write, which replicas refuse, and one that needs no memory.
        probe = ("DEL", self.key("probe"))
        try:
            # Whoever is answered, this task or a command that was under way, opens the link.
            while self._probing is not None:
                try:
                    await self._tried(lambda: self._client.execute_command(*probe), self._timeout, self._close)
                except Away:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, PROBE_S)
        finally:
            # Without its task the link must not stay closed.
            if self._probing is asyncio.current_task():
                self._probing, self._closed = None, None

    async def close(self) -> None:
        """Close the connections."""
        if (probing := self._probing) is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        for retiring in self._left.values():
            retiring.cancel()
        for client in (*self._left, self._client):
            await client.aclose()


def error_code(text: str) -> str:
    """The code word that an error of Redis begins with, such as NOREPLICAS; "" where the library has removed it."""
    # Of permissions in a script, whose code the library removes and has no class for.
    if NO_PERMISSION in text:
        return "NOPERM"
    found = ERROR_CODE.match(text)
    return found[0] if found else ""


def is_full(failure: Exception) -> bool:
    """Whether Redis refused a command because its memory is used up."""
    return NO_MEMORY in str(failure)


def open_link(url: str, prefix: str, timeout: float = TIMEOUT_S) -> Link:
    """A link to the Redis at *url*; connects when it is needed. Raises ImportError without the extra ``redis``."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import BusyLoadingError, MasterDownError, ReadOnlyError, RedisError, ResponseError

    def connect() -> Client:
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
        return Redis.from_pool(pool)

    def no_primary(failure: Exception) -> bool:
        # The library takes the code away from the text where it has a class for it.
        if isinstance(failure, BusyLoadingError | MasterDownError | ReadOnlyError):
            return True
        text = str(failure)
        return isinstance(failure, ResponseError) and (text.startswith(NO_PRIMARY) or "-READONLY" in text)

    return Link(connect, (RedisError, OSError, TimeoutError), prefix, timeout, (ResponseError,), no_primary)
