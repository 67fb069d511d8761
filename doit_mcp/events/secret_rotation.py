"""The secrets of a subscription: the current one, and those that refreshes replaced a moment ago. No I/O."""

from __future__ import annotations

from typing import Any

from ..protocol.jsonrpc import JsonObject

ROTATION_SECONDS = 600.0
"""How long deliveries are also signed with a secret that a refresh replaced."""
MAX_FORMER_SECRETS = 2


def keep_former_secrets(before: JsonObject | None, secret: str, now: float) -> list[list[Any]]:
    """Return the secrets that *secret* does not replace yet, newest first, each with its end in epoch seconds.

    *before* is the subscription before the refresh, None for a new one.
    """
    if before is None:
        return []
    former = [[old, end] for old, end in before.get("former", ()) if end > now and old != secret]
    if before["secret"] != secret:
        former.insert(0, [before["secret"], now + ROTATION_SECONDS])
    return former[:MAX_FORMER_SECRETS]


def list_valid_secrets(subscription: JsonObject, now: float) -> list[str]:
    """Return the secrets that deliveries are signed with, newest first."""
    return [subscription["secret"], *(old for old, end in subscription.get("former", ()) if end > now)]
