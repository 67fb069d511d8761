"""Idempotency keys: a repeated request with the same key returns the first response."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from .listing import query_flag
from .responses import ApiError, JsonObject, bad_request
from .tenants import MAX_RECORDS, ApiRequest, Records

HEADER = "Idempotency-Key"
RETENTION_SECONDS = 24 * 3600
MAX_KEY_LENGTH = 255


async def run_once(
    request: ApiRequest, operation: Callable[[bool], JsonObject], *, reused_status: int = 400, per_path: bool = False
) -> JsonObject:
    """The result of *operation*, or the stored response to the same request with this key within the last day.

    *operation* is called with True for a dry run (query dryRun); dry runs are not stored. 400 without a key, and
    *reused_status* if the key belongs to a different request. Keys belong to a user; with *per_path*, also to a method
    and a path.
    """
    key = require_key(request)
    if query_flag(request.query, "dryRun"):
        return operation(True)
    body = await request.http_request.read()
    place = f"{request.http_request.method} {request.http_request.path}"
    digest = hashlib.blake2b(place.encode() + b"\0" + body, digest_size=16).hexdigest()
    responses = _recent_requests(request)
    entry_key = f"{request.user.email} {place if per_path else ''} {key}"
    if entry_key in responses:
        if responses[entry_key]["digest"] != digest:
            message = f"{HEADER}: this key was used for another request"
            raise ApiError(reused_status, message, code="idempotency_key_reused", field=HEADER)
        stored_response: JsonObject = responses[entry_key]["response"]
        return stored_response
    result = operation(False)
    responses[entry_key] = {"digest": digest, "response": result, "time": request.now}
    return result


def require_key(request: ApiRequest) -> str:
    """The key of the request; 400 without one."""
    key = request.http_request.headers.get(HEADER, "")
    if not key or len(key) > MAX_KEY_LENGTH:
        message = f"{HEADER} is required, at most {MAX_KEY_LENGTH} characters"
        raise bad_request(message, code="idempotency_key_required", field=HEADER)
    return key


def _recent_requests(request: ApiRequest) -> Records:
    """The requests of the retention period, oldest first."""
    responses = request.tenant.collection("idempotency", lambda tenant: ())
    for entry_key in [
        entry_key for entry_key, item in responses.items() if item["time"] <= request.now - RETENTION_SECONDS
    ]:
        del responses[entry_key]
    while len(responses) >= MAX_RECORDS:
        del responses[next(iter(responses))]
    return responses
