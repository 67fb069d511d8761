"""Resolves the host names of receivers, apart from those of the DoiT API: clients choose them, and they can be slow."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from contextvars import ContextVar
from threading import Thread
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from .fair_slots import FairSlots
from .store import Owner

MAX_LOOKUPS = 64
"""Lookups at the same time. The name server of a receiver can be slow, so no customer may use all of them."""
NO_OWNER = Owner("", "", 0)
LOOKUP_OWNER: ContextVar[Owner] = ContextVar("lookup_owner", default=NO_OWNER)
"""Whose lookups are made in this task."""


class ReceiverResolver(AbstractResolver):
    """Resolves each name in a daemon thread of its own, which does not delay the exit of the process."""

    def __init__(self) -> None:
        self._slots = FairSlots(MAX_LOOKUPS, MAX_LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*. Raise OSError."""
        await self._slots.acquire(owner := LOOKUP_OWNER.get(), host)
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Any]] = loop.create_future()

        def finish(addresses: list[Any], failure: OSError | None) -> None:
            # Only now is the thread free, even if the caller has given up.
            self._slots.release(owner, host)
            if found.done():
                return
            if failure is not None:
                found.set_exception(failure)
            else:
                found.set_result(addresses)

        def look_up() -> None:
            result = _look_up(host, port, family)
            # The loop is closed while the process ends.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, *result)

        try:
            Thread(target=look_up, name="receiver-lookup", daemon=True).start()
        except RuntimeError as error:
            self._slots.release(owner, host)
            raise OSError("no thread can be started") from error
        return [_make_resolve_result(host, *address) for address in await found]

    async def close(self) -> None:
        """Do nothing: lookups end by themselves."""


def _look_up(host: str, port: int, family: socket.AddressFamily) -> tuple[list[Any], OSError | None]:
    """Return the addresses of *host*, or the error of the lookup."""
    try:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG), None
    except OSError as error:
        return [], error
    except UnicodeError:
        return [], OSError("the host name is not valid")


def _make_resolve_result(
    host: str, family: int, kind: int, protocol: int, canonical_name: str, address: tuple[Any, ...]
) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address[0],
        port=address[1],
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
