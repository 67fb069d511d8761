"""Idempotency keys: a repeated request with the same key returns the first response."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from .listing import query_flag
from .responses import JsonObject, bad_request
from .tenants import MAX_RECORDS, ApiRequest, Records

HEADER = "Idempotency-Key"
RETENTION_SECONDS = 24 * 3600
MAX_KEY_LENGTH = 255


async def run_once(request: ApiRequest, carry_out: Callable[[bool], JsonObject]) -> JsonObject:
    """The result of *carry_out*, or the stored response to the same request with this key within the last day.

    *carry_out* is called with whether this is a dry run (query dryRun); dry runs are not stored. 400 without a key, or
    if the key belongs to a different request.
    """
    key = request.http_request.headers.get(HEADER, "")
    if not key or len(key) > MAX_KEY_LENGTH:
        raise bad_request(f"{HEADER} is required, at most {MAX_KEY_LENGTH} characters", field=HEADER)
    if query_flag(request.query, "dryRun"):
        return carry_out(True)
    body = await request.http_request.read()
    parts = (request.http_request.method.encode(), request.http_request.path_qs.encode(), body)
    asked = hashlib.blake2b(b"\0".join(parts), digest_size=16).hexdigest()
    known = _recent_requests(request)
    place = f"{request.user.email} {key}"
    if place in known:
        if known[place]["asked"] != asked:
            raise bad_request(f"{HEADER}: this key was used for another request", field=HEADER)
        remembered: JsonObject = known[place]["answer"]
        return remembered
    found = carry_out(False)
    known[place] = {"asked": asked, "answer": found, "time": request.now}
    return found


def _recent_requests(request: ApiRequest) -> Records:
    """The requests of the retention period, oldest first."""
    known = request.tenant.collection("idempotency", lambda tenant: ())
    for place in [place for place, one in known.items() if one["time"] <= request.now - RETENTION_SECONDS]:
        del known[place]
    while len(known) >= MAX_RECORDS:
        del known[next(iter(known))]
    return known
