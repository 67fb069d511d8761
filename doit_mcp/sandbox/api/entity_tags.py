"""Entity tags: the version of a record, which writes name in the header If-Match."""

from __future__ import annotations

import hashlib

import orjson

from .responses import ApiError, JsonObject
from .tenants import ApiRequest


def make_etag(record: JsonObject) -> str:
    """The entity tag of a record: another one for each content."""
    return f'"{hashlib.blake2b(orjson.dumps(record), digest_size=8).hexdigest()}"'


def require_version(request: ApiRequest, record: JsonObject) -> None:
    """Raise 428 without If-Match, and 412 if it names another version of *record*. Weak tags are accepted."""
    condition = request.http_request.headers.get("If-Match", "")
    if not condition:
        raise ApiError(428, "If-Match is required: the etag of the object", field="If-Match")
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    if "*" not in tags and make_etag(record) not in tags:
        raise ApiError(412, "The object has changed since it was read", field="If-Match")
