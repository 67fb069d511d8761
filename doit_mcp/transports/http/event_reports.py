"""The endpoint where an operator's back end reports events (``POST /events/ingest``)."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from ...events.errors import EventError
from ...events.ingest import MAX_INGEST_BYTES, is_authentic, read_report
from ...resilience.unavailable import StateUnavailable
from . import app_keys
from .access import http_error_response

log = logging.getLogger(__name__)

INGEST_PATH = "/events/ingest"


async def report_event(request: web.Request) -> web.Response:
    """Record a signed event for the subscribers of its customer. The answer says how many they are.

    Answers 404 if no secret is configured, 401 for a wrong signature, 413, 400 or 503. After a 503 the report can be
    repeated: the same id is recorded once.
    """
    settings, events = request.app[app_keys.SETTINGS], request.app[app_keys.SERVICES].events
    if events is None or not settings.events_ingest_secret:
        return http_error_response(404, "not_found", "Reports of events are not enabled on this server")
    body = await _read_body(request, settings.body_timeout_s)
    if body is None:
        return http_error_response(413, "too_large", f"A report has at most {MAX_INGEST_BYTES >> 10} KB")
    now = events.service.now
    if not is_authentic(request.headers, body, settings.events_ingest_secret, now):
        return http_error_response(401, "invalid_signature", "The signature or the timestamp is not valid")
    try:
        count = await events.service.ingest(read_report(body, now, settings.console_base))
    except EventError as error:
        return http_error_response(400, "invalid_event", error.message)
    except StateUnavailable as unavailable:
        return http_error_response(503, "unavailable", str(unavailable), {"Retry-After": "2"})
    log.info("an event was reported", extra={"subscribers": count})
    return web.json_response({"subscribers": count})


async def _read_body(request: web.Request, seconds: float) -> bytes | None:
    """Return the body, None if it is too large or does not arrive in time. Reads no more than the limit."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_INGEST_BYTES:
                    return None
    except TimeoutError:
        return None
    return bytes(body)
