"""Responses of the sandbox API, with both error shapes: ``{"error": text}`` and RFC 9457 problem details."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

JsonObject = dict[str, Any]

ULID_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# status: (title, code, retryable) as the API document declares them for these areas.
PROBLEM_TITLES = {
    400: ("Bad request", "bad_request", False),
    401: ("Unauthorized", "unauthorized", False),
    403: ("Forbidden", "forbidden", False),
    404: ("Resource not found", "not_found", False),
    409: ("Conflict", "conflict", False),
    412: ("Precondition failed", "precondition_failed", False),
    413: ("Payload too large", "payload_too_large", False),
    415: ("Unsupported media type", "unsupported_media_type", False),
    422: ("Unprocessable entity", "unprocessable_entity", False),
    425: ("Too early", "too_early", True),
    428: ("Precondition required", "precondition_required", False),
    429: ("Rate limit exceeded", "rate_limited", True),
    500: ("Internal server error", "internal_error", True),
    502: ("Bad gateway", "bad_gateway", True),
    503: ("Service unavailable", "service_unavailable", True),
    504: ("Gateway timeout", "gateway_timeout", True),
}

# Operations with RFC 9457 problem details.
PROBLEM_PATHS = (
    "/billing/v1/invoices",
    "/billing/v1/billing-",
    "/billing/v1/createAsset",
    "/ps4commitments/",
    "/analytics/v1/widgets",
    "/rbac/v1/custom",  # custom-regions, customer-groups and customers, but not countries
    "/iam/v1/service-accounts",
    "/signup/",
)
SIMPLE_STATUSES = {"/iam/v1/service-accounts": frozenset({401, 403})}
"""Statuses with the simple shape at paths with problem details."""


def is_problem_path(path: str) -> bool:
    """Whether operations at this path return errors as problem details."""
    return path.startswith(PROBLEM_PATHS)


def has_problem_details(path: str, status: int) -> bool:
    """Whether an error with this *status* at this path has problem details."""
    is_simple = any(path.startswith(prefix) and status in statuses for prefix, statuses in SIMPLE_STATUSES.items())
    return is_problem_path(path) and not is_simple


class ApiError(Exception):
    """An API error: HTTP *status*, *message* for users, *code* for programs ("" selects the default of the status)."""

    def __init__(self, status: int, message: str, *, code: str = "", field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.field = field


def bad_request(message: str, *, code: str = "", field: str = "") -> ApiError:
    """A 400 error: the request is invalid."""
    return ApiError(400, message, code=code, field=field)


def json_response(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response."""
    return web.Response(
        body=orjson.dumps(data), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def problem_headers(rng: random.Random) -> dict[str, str]:
    """Headers of all responses with problem details; a request id is ``req_`` and 26 characters of the ULID alphabet."""
    return {"Request-Id": "req_" + "".join(rng.choices(ULID_ALPHABET, k=26)), "Content-Language": "en"}


def error_response(error: ApiError, *, problem: bool, rng: random.Random) -> web.Response:
    """The error response in the shape of its area."""
    if problem:
        return _problem_response(error, rng)
    return json_response({"error": error.message}, error.status)


def _problem_response(error: ApiError, rng: random.Random) -> web.Response:
    title, code, retryable = PROBLEM_TITLES.get(error.status, ("Error", "error", error.status >= 500))
    code = error.code or code
    headers = problem_headers(rng)
    identifier = headers["Request-Id"]
    body: JsonObject = {
        "type": f"https://developer.doit.com/errors/{code}",
        "title": title,
        "status": error.status,
        "detail": error.message,
        "instance": f"https://api.doit.com/requests/{identifier}",
        "code": code,
        "retryable": retryable,
    }
    if error.field:
        body["details"] = [{"issue": "invalid_value", "field": error.field}]
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="api.doit.com"'
    return web.Response(
        body=orjson.dumps(body), status=error.status, headers=headers, content_type="application/problem+json"
    )
