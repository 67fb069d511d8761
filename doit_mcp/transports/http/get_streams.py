"""The long-lived streams of the handshake era on ``/mcp``: what belongs to no request, and what was missed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from ...server.credential_expiry import Lease
from ...server.message_queue import Outbox
from ...server.sessions import Session
from . import app_keys
from .event_stream import EventStream
from .request_body import Refused
from .sse_writer import event


async def listen(request: web.Request, session: Session, lease: Lease) -> web.StreamResponse:
    """The stream on which the server speaks of its own accord; a newer one takes its place."""
    outbox = Outbox()
    session.listen(outbox)
    lease.on_end(outbox.close)
    try:
        # Before the answer begins: what happens from then on is heard.
        with request.app[app_keys.SHARED].hub.listening(session.owner, session.hear, outbox):
            async with EventStream(request) as stream:
                await stream.tell(outbox)
    finally:
        session.leave(outbox)
    return stream


async def follow(request: web.Request, session: Session, last: str, lease: Lease) -> web.StreamResponse:
    """What came after event *last* on its stream, and what is still to come (Resumability and Redelivery)."""
    rest = await request.app[app_keys.REPLAYS].after(session.id, last)
    if rest is None:
        raise Refused(404, "Last-Event-ID is not known (any more); send the request again")
    async with EventStream(request) as stream:
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                lease.on_end(lambda: limit.reschedule(0))
                async for id, data in rest:
                    if not await stream.say(event(data, id)):
                        break
    return stream
