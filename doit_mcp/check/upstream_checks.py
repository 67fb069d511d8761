"""Checks of what the server needs: the DoiT API, Redis, and clocks that agree."""

from __future__ import annotations

from collections.abc import Mapping

from ..auth.access_tokens import LEEWAY_SECONDS
from .findings import Finding
from .observations import Observation, Reply, describe

MIN_REDIS_VERSION = (6, 2)
DATE_PRECISION_SECONDS = 1.0
"""``Date`` has whole seconds, and a request takes some time."""


def check_api(reply: Observation) -> Finding:
    """Check the response of ``GET /auth/v1/validate`` to a request without a token."""
    if isinstance(reply, Reply) and reply.status in (401, 403):
        return Finding("api", "ok", "the DoiT API responds")
    advice = "Allow connections from this computer to DOIT_API_BASE, and compare its value."
    return Finding("api", "fail", describe(reply), advice)


def check_clocks(replies: Mapping[str, Observation]) -> Finding:
    """Compare the clocks of the senders of *replies*, by name. Tokens are refused if the server's is behind."""
    offsets = {
        name: reply.clock_offset
        for name, reply in replies.items()
        if isinstance(reply, Reply) and reply.clock_offset is not None
    }
    if len(offsets) < 2:
        advice = "Compare the clocks of the server and the identity provider yourself."
        return Finding("clock", "warn", "not checked, because fewer than two responses have a Date", advice)
    earliest, latest = min(offsets, key=offsets.__getitem__), max(offsets, key=offsets.__getitem__)
    skew = offsets[latest] - offsets[earliest]
    if skew <= LEEWAY_SECONDS - DATE_PRECISION_SECONDS:
        *others, last = offsets
        return Finding("clock", "ok", f"the clocks of {', '.join(others)} and {last} agree")
    seen = f"the clock of {latest} is {skew:.0f} seconds ahead of that of {earliest}"
    advice = (
        f"Synchronize the clocks (NTP). The server refuses tokens issued more than {LEEWAY_SECONDS:g} seconds in the"
        " future."
    )
    return Finding("clock", "fail", seen, advice)


def check_redis(info: Mapping[str, object], reason: str) -> Finding:
    """Check the reply to INFO. It is empty if Redis failed, with the *reason*."""
    if not info:
        advice = "Check DOIT_MCP_REDIS_URL, the password and the network. Without Redis, sessions get 503."
        return Finding("redis", "fail", reason, advice)
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers and numbers < MIN_REDIS_VERSION:
        wanted = ".".join(map(str, MIN_REDIS_VERSION))
        return Finding("redis", "fail", f"Redis {version}", f"Use Redis {wanted} or newer.")
    policy = str(info.get("maxmemory_policy", ""))
    if info.get("maxmemory") and policy != "noeviction":
        advice = "Set maxmemory-policy noeviction: eviction ends random sessions."
        return Finding("redis", "warn", f"Redis {version} evicts keys ({policy})", advice)
    return Finding("redis", "ok", f"Redis {version} accepts writes")
