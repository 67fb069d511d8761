"""Results of limiters as seconds to wait, or 0 for a limiter that admits."""

from __future__ import annotations

from doit_mcp.resilience.limits import Limiter, LimitExceeded, SharedLimiter


def wait(limiter: Limiter, owner: str, amount: int = 1) -> float:
    """Acquire, or return the seconds to wait."""
    try:
        limiter.acquire(owner, amount)
    except LimitExceeded as exceeded:
        return exceeded.retry_after
    return 0


async def shared_wait(limiter: SharedLimiter, owner: str, amount: int = 1) -> float:
    """Acquire, or return the seconds to wait."""
    try:
        await limiter.acquire(owner, amount)
    except LimitExceeded as exceeded:
        return exceeded.retry_after
    return 0
