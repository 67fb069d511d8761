"""HTTP responses and request parsing of the OAuth endpoints: JSON, errors, CORS, size limits."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from aiohttp import web

from .models import JsonObject

MAX_BODY_BYTES = 64 * 1024
CORS_HEADERS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "WWW-Authenticate, Retry-After"}
NO_STORE_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}

_PARAMETER_NAME = re.compile(r"[a-z_]{1,40}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OAuthError(Exception):
    """An OAuth error; *error* is the registered code (RFC 6749 5.2, RFC 7591 3.2.2, RFC 8707 2)."""

    def __init__(self, error: str, description: str, *, status: int = 400, challenge: str | None = None) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
        self.challenge = challenge


def json_response(body: JsonObject, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON response with CORS headers for all origins."""
    return web.json_response(body, status=status, headers={**CORS_HEADERS, **(headers or {})})


def error_response(error: OAuthError) -> web.Response:
    """The JSON response for an OAuth error."""
    headers = dict(NO_STORE_HEADERS)
    if error.challenge is not None:
        headers["WWW-Authenticate"] = error.challenge
    if error.status == 503:
        headers["Retry-After"] = "5"
    return json_response(
        {"error": error.error, "error_description": error.description}, status=error.status, headers=headers
    )


def with_error_responses(handler: Handler) -> Handler:
    """Wrap *handler* to turn OAuthError into a response."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except OAuthError as error:
            return error_response(error)

    return handle


async def respond_to_preflight(request: web.Request) -> web.StreamResponse:
    """Respond to CORS preflights; these endpoints use no cookies, so every origin is allowed."""
    headers = {
        **CORS_HEADERS,
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept, MCP-Protocol-Version",
        "Access-Control-Max-Age": "600",
    }
    return web.Response(status=204, headers=headers)


async def read_body(request: web.Request) -> bytes:
    """The request body; raises OAuthError (413) without buffering more than the limit."""
    body = bytearray()
    async for chunk in request.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise OAuthError("invalid_request", "The request is too large.", status=413)
    return bytes(body)


def parse_parameters(text: str) -> list[tuple[str, str]]:
    """The parameters of a query or form, in order; raises OAuthError."""
    if not text.isascii():
        raise OAuthError("invalid_request", "Characters outside ASCII must be percent-encoded.")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=60, errors="strict")
    except ValueError as error:
        raise OAuthError("invalid_request", "The parameters cannot be parsed.") from error


def unique_parameters(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name; empty ones count as missing, repeated ones are rejected (RFC 6749 3.1, 3.2)."""
    names = [name for name, _ in pairs]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        # Several resources are valid in OAuth (RFC 8707), but tokens here are for one resource only.
        code = "invalid_target" if repeated == ["resource"] else "invalid_request"
        # Only plain names are repeated: error descriptions allow few characters (RFC 6749 5.2).
        listed = ", ".join(name for name in repeated if _PARAMETER_NAME.fullmatch(name)) or "one with an unusual name"
        raise OAuthError(code, f"Send each parameter only once: {listed[:100]}.")
    return {name: value for name, value in pairs if value}


async def read_form(request: web.Request) -> dict[str, str]:
    """The parameters of a form-encoded POST; raises OAuthError."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "Send the parameters as application/x-www-form-urlencoded.")
    return unique_parameters(parse_parameters((await read_body(request)).decode("latin-1")))


def required_parameter(form: dict[str, str], name: str) -> str:
    """The parameter *name*; raises OAuthError if it is missing."""
    if name not in form:
        raise OAuthError("invalid_request", f"The parameter {name} is missing.")
    return form[name]
