"""Runs commands in Redis, through whatever client it gets: deadlines, outages, failovers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from ..process.file_descriptors import is_local_shortage
from ..process.task_cancellation import cancel_tasks
from ..resilience.unavailable import StateUnavailable
from .errors import NotPrimary, WriteRefused, error_code, is_from_cluster, is_out_of_memory
from .key_names import eval_command, join_names

log = logging.getLogger(__name__)

UNAVAILABLE = "Redis is unavailable"
IS_CLUSTER = "Redis is a cluster; use a URL such as redis+cluster://host:port"
# For callers that can continue without Redis.
SHORT_TIMEOUT_SECONDS = 0.5
# After an out-of-memory error Redis counts as full for this time, and the error is logged only once.
FULL_PAUSE_SECONDS = 30.0
# While Redis is unavailable one task probes it: soon at first, then about once a second.
FIRST_PROBE_SECONDS, MAX_PROBE_SECONDS = 0.05, 1.0


Argument = str | bytes | int
Command = Sequence[Argument]


class RedisClient(Protocol):
    """The methods of redis-py's Redis that this module uses."""

    def execute_command(self, *command: Any) -> Awaitable[Any]: ...

    def pipeline(self, *, transaction: bool) -> Any: ...

    async def aclose(self) -> None: ...


class RedisConnection:
    """Runs commands. Every failure raises StateUnavailable, or WriteRefused if Redis replied with an error.

    Once a command gets no reply, further commands fail at once, and a task probes Redis until it replies. Each outage
    logs one warning. An error reply (*refusals*, a subset of *failures*) shows that Redis is reachable.

    A server that does not reply is abandoned, because its idle connections would not reply either: *connect* makes new
    connections, which resolve the host name again. So is a server that accepts no writes (*is_not_primary*), and the
    command is repeated once. So a failover ends as soon as the name resolves to the new primary.
    """

    def __init__(
        self,
        connect: Callable[[], RedisClient],
        failures: tuple[type[Exception], ...],
        prefix: str,
        timeout: float,
        refusals: tuple[type[Exception], ...] = (),
        is_not_primary: Callable[[Exception], bool] = lambda failure: False,
        on_close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._connect, self._client = connect, connect()
        self._failures, self._prefix, self._timeout = failures, prefix, timeout
        self._refusals, self._is_not_primary, self._on_close = refusals, is_not_primary, on_close
        # Connections to abandoned servers, which close once their commands have ended.
        self._retiring: dict[RedisClient, asyncio.Task[None]] = {}
        self._unavailable = False
        self._full_until = 0.0
        self._reply_count = 0
        # The error that commands raise at once while Redis does not reply or accepts no writes.
        self._fail_with: type[StateUnavailable] | None = None
        self._probe_task: asyncio.Task[None] | None = None

    @property
    def unavailable(self) -> bool:
        """Whether the last command failed."""
        return self._unavailable

    @property
    def full(self) -> bool:
        """Whether Redis refused a write in the last seconds because its memory is used up."""
        return time.monotonic() < self._full_until

    def mark_full(self) -> None:
        """Record that Redis refused a write because its memory is used up."""
        if not self.full:
            log.error("Redis is full and refuses writes; raise its maxmemory")
        self._full_until = time.monotonic() + FULL_PAUSE_SECONDS

    def key(self, *parts: str) -> str:
        """Return the key with these *parts* and the prefix of this server."""
        return join_names(":", (self._prefix, *parts))

    async def execute(self, *command: Argument, extra_seconds: float = 0.0, max_wait: float | None = None) -> Any:
        """Return the reply to one command, which may take *extra_seconds* longer than the usual timeout.

        A caller that can continue without Redis passes *max_wait* instead, and fails at once while Redis is being
        probed. Such a short timeout may be the fault of this process, so it does not make other commands fail.
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
        """Return the result of a Lua script.

        Its text is sent with every call, so it also works after a restart of Redis.
        """
        return await self.execute(*eval_command(source, keys), *arguments, max_wait=max_wait)

    async def execute_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to independent commands that are sent together. A reply can be an exception."""

        async def work() -> list[Any]:
            async with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                replies: list[Any] = await pipeline.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception) and self._is_not_primary(reply):
                    raise reply
            return replies

        replies: list[Any] = await self._run_unless_unavailable(work, self._timeout)
        return replies

    async def _run_unless_unavailable(self, work: Callable[[], Awaitable[Any]], seconds: float) -> Any:
        if self._fail_with:
            raise self._fail_with()
        return await self._attempt(work, seconds, self._mark_unavailable)

    async def _attempt(
        self, work: Callable[[], Awaitable[Any]], seconds: float, on_no_reply: Callable[[Exception], None]
    ) -> Any:
        replies_before = self._reply_count
        try:
            async with asyncio.timeout(seconds):
                reply = await self._run_on_primary(work)
        except NotPrimary as failure:
            # The server replies but accepts no writes, so all other commands fail until a probe succeeds.
            self._mark_unavailable(failure)
            raise WriteRefused from failure
        except self._refusals as failure:
            self._mark_reachable()
            if is_out_of_memory(failure):
                self.mark_full()
            else:
                self._warn(failure, IS_CLUSTER if is_from_cluster(failure) else UNAVAILABLE)
            raise WriteRefused from failure
        except self._failures as failure:
            # If other commands got a reply meanwhile, Redis is reachable, and only this command failed.
            if self._reply_count == replies_before and not is_local_shortage(failure):
                on_no_reply(failure)
            raise StateUnavailable from failure
        self._mark_reachable()
        if self._unavailable:
            self._unavailable = False
            log.info("Redis is available again")
        return reply

    async def _run_on_primary(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return the reply of a server that accepts writes. Raise NotPrimary if the second one does not either."""
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
        """Use new connections from now on, unless another command has already made them."""
        if client is self._client:
            self._client = self._connect()
            self._retiring[client] = asyncio.create_task(self._close_later(client))

    async def _close_later(self, client: RedisClient) -> None:
        await asyncio.sleep(self._timeout)
        del self._retiring[client]
        await client.aclose()

    def _start_probe(self, failure: Exception) -> None:
        """Start the task that probes Redis, unless it is running."""
        if self._probe_task is None:
            self._probe_task = asyncio.create_task(self._probe())

    def _mark_unavailable(self, failure: Exception) -> None:
        """Fail commands at once until a probe succeeds, because Redis does not reply or accepts no writes."""
        if self._fail_with is None:
            self._reconnect(self._client)
        self._fail_with = WriteRefused if isinstance(failure, NotPrimary) else StateUnavailable
        self._warn(failure)
        self._start_probe(failure)

    def _mark_reachable(self) -> None:
        """Record that Redis replies, if only with an error."""
        self._reply_count += 1
        self._fail_with = None
        probe_task, self._probe_task = self._probe_task, None
        if probe_task is not None and probe_task is not asyncio.current_task():
            probe_task.cancel()

    def _warn(self, failure: Exception, message: str = UNAVAILABLE) -> None:
        if not self._unavailable:
            self._unavailable = True
            # Without the message, which can contain what was sent.
            cause = failure.__cause__ if isinstance(failure, NotPrimary) else failure
            extra = {"failure": type(cause).__name__, "code": error_code(str(cause))}
            log.warning(message, extra={name: text for name, text in extra.items() if text})

    async def _probe(self) -> None:
        pause = FIRST_PROBE_SECONDS
        # A write, because replicas refuse those, and one that needs no memory.
        probe = ("DEL", self.key("probe"))
        try:
            # The first reply, to this task or to a command in progress, ends the probing.
            while self._probe_task is not None:
                try:
                    await self._attempt(
                        lambda: self._client.execute_command(*probe), self._timeout, self._mark_unavailable
                    )
                except StateUnavailable:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, MAX_PROBE_SECONDS)
        finally:
            # Commands must not keep failing without a task that probes.
            if self._probe_task is asyncio.current_task():
                self._probe_task, self._fail_with = None, None

    async def close(self) -> None:
        """Close the connections."""
        if self._probe_task is not None:
            await cancel_tasks(self._probe_task)
        for close_task in self._retiring.values():
            close_task.cancel()
        for client in (*self._retiring, self._client):
            await client.aclose()
        if self._on_close is not None:
            await self._on_close()
