"""Checks of event streams: that no proxy buffers or cuts them."""

from __future__ import annotations

from .findings import Finding
from .observations import StreamObservation, Unreachable, describe

BUFFERING_ADVICE = (
    "Turn off buffering of responses for /mcp and /sse in every proxy. nginx: proxy_buffering off, and do not ignore"
    " X-Accel-Buffering. Do not compress or scan event streams."
)
MIN_INTERVALS = 2
"""A keepalive counts as missing after this number of intervals."""
IDLE_ADVICE = (
    "Let streams be idle for longer than DOIT_MCP_KEEP_ALIVE_S, and last for minutes. nginx: proxy_read_timeout and"
    " send_timeout; Google Cloud: the timeout of the backend service; AWS: the idle timeout of the load balancer."
)


def check_stream(name: str, stream: StreamObservation | Unreachable, keep_alive_s: int) -> Finding:
    """Check that events arrive when they are sent: the first one at once, then a keepalive every *keep_alive_s* seconds.

    Some proxies forward what arrives together with the headers, and buffer the rest.
    """
    if isinstance(stream, Unreachable):
        return Finding(name, "fail", describe(stream), BUFFERING_ADVICE)
    if stream.status != 200:
        advice = "Check that the token in DOIT_API_KEY is valid, and that the proxy forwards this path."
        return Finding(name, "fail", f"status {stream.status} from {stream.url}", advice)
    if stream.first_event_seconds is None:
        end = "before it ended" if stream.closed_seconds is not None else "though the stream is open"
        seen = f"no event arrived within {stream.watched_seconds:.0f} seconds, {end}: responses are buffered"
        return Finding(name, "fail", seen, BUFFERING_ADVICE)
    if stream.keepalives:
        return Finding(name, "ok", f"events and {stream.keepalives} keepalives arrived in time")
    if stream.closed_seconds is not None:
        return Finding(name, "ok", "the first event arrived in time")
    seen = f"no keepalive arrived within {stream.watched_seconds:.0f} seconds"
    if stream.watched_seconds >= MIN_INTERVALS * keep_alive_s:
        return Finding(name, "fail", f"{seen}, only the first event: responses are buffered", BUFFERING_ADVICE)
    advice = f"Watch for {MIN_INTERVALS * keep_alive_s} seconds or longer (--stream-seconds)."
    return Finding(name, "warn", seen, advice)


def check_idle_stream(stream: StreamObservation | Unreachable) -> Finding:
    """Check that an idle stream stays open."""
    if isinstance(stream, Unreachable) or stream.first_event_seconds is None:
        return Finding("idle-streams", "warn", "not checked, because no event arrived", "Fix the streams first.")
    if stream.closed_seconds is not None:
        seen = f"an idle stream was closed after {stream.closed_seconds:.0f} seconds and {stream.keepalives} keepalives"
        return Finding("idle-streams", "fail", seen, IDLE_ADVICE)
    return Finding("idle-streams", "ok", f"still open after {stream.watched_seconds:.0f} seconds")
