"""The long-lived streams of the handshake era on ``/mcp``: what belongs to no request, and what was missed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from ..server.outbox import Outbox
from ..server.sessions import Session
from . import keys
from .body import Refused
from .writing import PATIENCE_S, event, written


def event_stream(request: web.Request) -> AbstractAsyncContextManager[EventSourceResponse]:
    """An event stream that says that it is alive when nothing else is said, and gives up a reader who takes nothing."""
    beat = request.app[keys.SETTINGS].keep_alive_s
    return sse_response(request, sep="\n", send_timeout=PATIENCE_S, ping_interval=beat)


async def send(request: web.Request, response: EventSourceResponse, event: bytes) -> bool:
    """Write one event; False when the reader is gone or takes nothing.

    As bytes: what aiohttp-sse does to text costs three times as much, and there is nothing to split.
    """
    return await written(request, response.write(event), len(event))


async def drain(request: web.Request, response: EventSourceResponse, outbox: Outbox) -> None:
    """Pass on what is put into *outbox* until it is closed or the reader is gone."""
    while (data := await outbox.get()) is not None:
        if not await send(request, response, event(data)):
            return


async def listen(request: web.Request, session: Session) -> web.StreamResponse:
    """The stream on which the server speaks of its own accord; a newer one takes its place."""
    outbox = Outbox()
    hub = request.app[keys.SHARED].hub
    session.listen(outbox)
    try:
        # Before the answer begins: what happens from then on is heard.
        with hub.listening(session.owner, session.hear), hub.until_closed(outbox):
            async with event_stream(request) as response:
                await drain(request, response, outbox)
    finally:
        session.leave(outbox)
    return response


async def follow(request: web.Request, session: Session, last: str) -> web.StreamResponse:
    """What came after event *last* on its stream, and what is still to come (Resumability and Redelivery)."""
    rest = await request.app[keys.REPLAYS].after(session.id, last)
    if rest is None:
        raise Refused(404, "Last-Event-ID is not known (any more); send the request again")
    async with event_stream(request) as response:
        async for id, data in rest:
            if not await send(request, response, event(data, id)):
                break
    return response
