"""Idempotency keys: the same request with the same key is carried out once, and answered alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from .listing import flag
from .responses import JsonObject, bad
from .tenants import RECORDS, Ask, Records

HEADER = "Idempotency-Key"
KEPT = 24 * 3600  # seconds
LONGEST = 255


async def once(ask: Ask, carry_out: Callable[[bool], JsonObject]) -> JsonObject:
    """What *carry_out* answers, or answered to the same request with this key within a day.

    It is told whether this is a dry run (query dryRun), which is not remembered. 400 without a key, or with the key of
    another request.
    """
    key = ask.request.headers.get(HEADER, "")
    if not key or len(key) > LONGEST:
        raise bad(f"{HEADER} is required, at most {LONGEST} characters", field=HEADER)
    if flag(ask.query, "dryRun"):
        return carry_out(True)
    body = await ask.request.read()
    parts = (ask.request.method.encode(), ask.request.path_qs.encode(), body)
    asked = hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()
    known = _known(ask)
    place = f"{ask.user.email} {key}"
    if place in known:
        if known[place]["asked"] != asked:
            raise bad(f"{HEADER}: this key was used for another request", field=HEADER)
        remembered: JsonObject = known[place]["answer"]
        return remembered
    found = carry_out(False)
    known[place] = {"asked": asked, "answer": found, "time": ask.now}
    return found


def _known(ask: Ask) -> Records:
    """What was asked lately, oldest first."""
    known = ask.tenant.collection("idempotency", lambda tenant: ())
    for place in [place for place, one in known.items() if one["time"] <= ask.now - KEPT]:
        del known[place]
    while len(known) >= RECORDS:
        del known[next(iter(known))]
    return known
