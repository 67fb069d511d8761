"""Call records of the dashboard, and redaction of credentials in request targets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, unquote_plus

from ..accounts import USERS

CallSide = Literal["identity", "api"]

REDACTED = "\u2026"
MAX_TARGET_LENGTH = 300
MAX_TEXT_LENGTH = 80
DISCONNECTED_STATUS = 0  # the status of a call whose client disconnected before the response was complete

# Parameters by which DoiT counts the calls of MCP servers. The dashboard shows the tool and the client separately.
TOOL_PARAMETER, CLIENT_PARAMETER, VERSION_PARAMETER = "mcpTool", "mcpClient", "mcpClientVersion"
_TRACKING_PARAMETERS = frozenset(
    {"mcp", "mcpVersion", "mcpProtocolVersion", TOOL_PARAMETER, CLIENT_PARAMETER, VERSION_PARAMETER}
)
_IDENTITY_PATHS = ("/.well-known/", "/sign-in/", "/api/auth/")
# Parameters of a sign-in that are safe to show; any other value could be a code, a state, a challenge or signed form
# data.
_SAFE_PARAMETERS = frozenset({"response_type", "redirect_uri", "scope", "resource", "prompt", "code_challenge_method"})
_PARAMETER_NAME = re.compile(r"[a-z_]{1,40}", re.IGNORECASE)
_SECRET_NAME = re.compile(
    "token|secret|code|state|passw|key|assertion|auth|session|sig|cred|jwt|nonce|verifier|challenge|cookie",
    re.IGNORECASE,
)
# Codes, tokens and each part of a JWT are longer than any id; the published passwords are matched literally.
_SECRET = re.compile(
    "|".join(
        (
            r"[\w-]{40,}",
            r"eyJ[\w.-]+",
            r"sandbox-(?:api-token|exchanged)-[\w-]*",
            r"load-\d{6}-admin",
            *(re.escape(user.password) for user in USERS),
        )
    )
)


@dataclass(frozen=True, slots=True)
class CallSummary:
    """A completed call, with redacted values.

    *at* is its start in epoch seconds, *user* an email address, *customer* an id, *token* the fingerprint of its bearer
    token ("" for any of them if unknown), *note* a short summary.
    """

    at: float
    side: CallSide
    method: str
    target: str
    user: str
    customer: str
    token: str
    status: int
    ms: float
    note: str
    tool: str = ""
    client: str = ""
    trace: str = ""


def find_side(path: str) -> CallSide:
    """Whether the path belongs to the identity provider or to the API."""
    return "identity" if path.startswith(_IDENTITY_PATHS) else "api"


def redact(text: str, limit: int = MAX_TEXT_LENGTH) -> str:
    """*text* on one line, with likely secrets replaced, cut to *limit* characters."""
    redacted = _SECRET.sub(REDACTED, "".join(char if char.isprintable() else " " for char in text))
    return redacted if len(redacted) <= limit else redacted[: limit - 1] + REDACTED


def redact_target(raw: str, clients: Mapping[str, str]) -> str:
    """The path and query of a request with secrets replaced and without tracking parameters; *clients* maps client ids
    to the names to show.
    """
    path, separator, query = raw.partition("?")
    target = redact(unquote(path), MAX_TARGET_LENGTH)
    if separator:
        redact_parameter = (
            _redact_identity_parameter if find_side(unquote(path)) == "identity" else _redact_api_parameter
        )
        # Cut before splitting: a query can hold a megabyte of separators.
        pairs = [pair for pair in query[: 10 * MAX_TARGET_LENGTH].split("&") if pair and not _is_tracking(pair)]
        target += "".join(f"{'&' if at else '?'}{redact_parameter(pair, clients)}" for at, pair in enumerate(pairs))
    return target if len(target) <= MAX_TARGET_LENGTH else target[: MAX_TARGET_LENGTH - 1] + REDACTED


def _is_tracking(pair: str) -> bool:
    return pair.partition("=")[0] in _TRACKING_PARAMETERS


def _redact_identity_parameter(pair: str, clients: Mapping[str, str]) -> str:
    name, value = _split_parameter(pair)
    if not _PARAMETER_NAME.fullmatch(name):
        return REDACTED
    if name == "client_id":
        return f"{name}={clients.get(value) or _redact_without_query(value)}"
    return f"{name}={_redact_without_query(value) if name in _SAFE_PARAMETERS else REDACTED}"


def _redact_api_parameter(pair: str, clients: Mapping[str, str]) -> str:
    name, value = _split_parameter(pair)
    return f"{redact(name, 40)}={REDACTED if _SECRET_NAME.search(name) else redact(value)}"


def _split_parameter(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return unquote_plus(name), unquote_plus(value)


def _redact_without_query(value: str) -> str:
    # The query of a client URL can hold anything.
    return redact(value.partition("?")[0])
