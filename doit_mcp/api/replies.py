"""Parses responses of the DoiT API: JSON or text, members from headers, and deletions that are still pending."""

import math
from datetime import UTC, datetime
from typing import Any

import orjson

from .errors import ApiError, parse_retry_after
from .http import Reply
from .operation import Operation
from .request_errors import status_error

ACCEPTED = 202


def parse_reply(operation: Operation, reply: Reply) -> Any:
    """Return the value of a response; None if it is empty. Raises ApiError."""
    if not 200 <= reply.status < 300:
        raise status_error(operation, reply.status, reply.headers, reply.body)
    value = _parse_body(operation, reply)
    if reply.status == ACCEPTED and operation.method == "DELETE":
        # The object is not deleted yet, so the result must not say so.
        value = {**(value if isinstance(value, dict) else {}), "status": "accepted"}
    if operation.header_members and isinstance(value, dict):
        present = ((member, reply.headers.get(name)) for name, member in operation.header_members.items())
        value = {**value, **{member: text for member, text in present if text is not None}}
    if operation.retry_after_member and isinstance(value, dict):
        seconds = parse_retry_after(reply.headers.get("Retry-After", ""), datetime.now(UTC))
        value = value if seconds is None else {**value, operation.retry_after_member: math.ceil(seconds)}
    return value


def _parse_body(operation: Operation, reply: Reply) -> Any:
    """Return the body of a successful response; None if it is empty. Raises ApiError ("answer")."""
    writes = not operation.read_only
    if not operation.text_member and not reply.body.strip() and (reply.status == 204 or writes):
        return None
    if not reply.complete:
        raise ApiError("the response is too large", kind="answer", status=reply.status, maybe_applied=writes)
    try:
        if operation.text_member:
            return {operation.text_member: reply.body.decode("utf-8-sig")}
        return orjson.loads(reply.body)
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        expected = "text" if operation.text_member else "JSON"
        raise ApiError(
            f"the response is not {expected}", kind="answer", status=reply.status, maybe_applied=writes
        ) from None
