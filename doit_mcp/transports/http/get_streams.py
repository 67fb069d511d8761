"""The long-lived streams of the handshake era on ``/mcp``: what belongs to no request, and what was missed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from ...server.credential_expiry import StreamLease
from ...server.message_queue import MessageQueue
from ...server.sessions import Session
from . import app_keys
from .event_stream import EventStream
from .request_body import RequestRejected
from .sse_writer import format_event


async def stream_notifications(request: web.Request, session: Session, lease: StreamLease) -> web.StreamResponse:
    """The stream on which the server speaks of its own accord; a newer one takes its place."""
    outbox = MessageQueue()
    session.attach_queue(outbox)
    lease.on_end(outbox.close)
    try:
        # Before the answer begins: what happens from then on is heard.
        with request.app[app_keys.SERVICES].notification_hub.subscribe(session.owner, session.send_change, outbox):
            async with EventStream(request) as stream:
                await stream.forward_messages(outbox)
    finally:
        session.detach_queue(outbox)
    return stream


async def resume_stream(
    request: web.Request, session: Session, last_event_id: str, lease: StreamLease
) -> web.StreamResponse:
    """What came after event *last_event_id* on its stream, and what is still to come (Resumability and Redelivery)."""
    rest = await request.app[app_keys.EVENT_STORE].events_after(session.id, last_event_id)
    if rest is None:
        raise RequestRejected(404, "Last-Event-ID is not known (any more); send the request again")
    async with EventStream(request) as stream:
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                lease.on_end(lambda: limit.reschedule(0))
                async for id, data in rest:
                    if not await stream.write_event(format_event(data, id)):
                        break
    return stream
