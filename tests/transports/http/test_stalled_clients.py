"""Clients that request large responses and read nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from doit_mcp.catalog.call import Call
from doit_mcp.catalog.resources.resource import Resource
from doit_mcp.transports.http.event_stream import WRITE_TIMEOUT_SECONDS
from tests.transports.http.serving import ADMIN, VIEWER, Json, Site, serving
from tests.transports.http.streaming import raw_post

READERS = 30
CALLS = 200
# More than the system buffers for a connection that is not read.
LARGE = 5 << 20
URI = "doc://large"


@contextmanager
def reader() -> Iterator[socket.socket]:
    """A client's socket with minimal buffers."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.setblocking(False)
        yield listener


# The addresses of both sides of a connection, the client's first. One side is not enough: the system may use one client
# port for connections to several servers, and this process has more than one.
Addresses = tuple[object, object]


def ends(connections: set[Addresses]) -> list[socket.socket]:
    """Return the server's descriptors of these connections, to be closed by the caller."""
    sockets: dict[Addresses, socket.socket] = {}
    for path in list(Path("/proc/self/fd").iterdir()):
        # The descriptor of the folder itself is closed by now, and its number may be reused here.
        if path.is_symlink() and os.readlink(path).startswith("socket:"):
            connection = socket.socket(fileno=os.dup(int(path.name)))
            addresses = (peer(connection), connection.getsockname())
            if addresses in connections and addresses not in sockets:
                sockets[addresses] = connection
            else:
                connection.close()
    return list(sockets.values())


def peer(one: socket.socket) -> object:
    """The address of the other side, if any."""
    try:
        return one.getpeername()
    except OSError:
        return None


def open_connections(connections: set[Addresses], timeout_seconds: float | None = None) -> int:
    """Return how many of these connections the server still has, within *timeout_seconds* seconds if given."""
    sockets = ends(connections)
    for connection in sockets:
        if timeout_seconds is not None:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == WRITE_TIMEOUT_SECONDS * 1000
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout_seconds * 1000))
        connection.close()
    return len(sockets)


@pytest.mark.requirement("L3")
async def test_thirty_stalled_clients_do_not_delay_others_and_are_dropped() -> None:
    """Two hundred calls of another client are answered while all thirty wait; eventually all of them are
    disconnected."""
    asked = 0
    text = "x" * LARGE

    async def large(call: Call) -> Json:
        nonlocal asked
        asked += 1
        return {"text": text}

    offered = {"resources": (Resource(URI, "large", "Large", "Much", "text/plain", large),)}
    async with serving(changes=offered) as site:
        with ExitStack() as stack:
            stalled = [stack.enter_context(reader()) for _ in range(READERS)]
            for client in stalled:
                await ask(site, client)
            connections: set[Addresses] = {(client.getsockname(), client.getpeername()) for client in stalled}
            while asked < READERS:
                await asyncio.sleep(0.01)
            for number in range(CALLS):
                answer = await site.call("echo", {"text": f"{number}"}, user=VIEWER)
                assert answer.result["structuredContent"] == {"said": f"{number}"}
            assert open_connections(connections, timeout_seconds=0.2) == READERS
            while open_connections(connections):
                await asyncio.sleep(0.05)
        assert (await site.send("GET", "/healthz", {})).status == 200


async def ask(site: Site, client: socket.socket) -> None:
    """Request a large response and read nothing of it."""
    host, port = site.base.removeprefix("http://").split(":")
    message = site.stateless_request("resources/read", {"uri": URI})
    headers = {"Content-Type": "application/json"} | site.stateless_headers(message)
    named = {name.replace("-", "_"): value for name, value in headers.items()}
    request = raw_post(site, site.headers(ADMIN, **named), json.dumps(message).encode())
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (host, int(port)))
    await loop.sock_sendall(client, request)
