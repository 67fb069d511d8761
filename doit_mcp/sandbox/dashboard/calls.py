"""Owns the record of a call, and how an address is shown: without anything that proves who somebody is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote, unquote_plus

from ..accounts import USERS

Side = Literal["identity", "api"]

HIDDEN = "\u2026"
TARGET_LIMIT = 300
TEXT_LIMIT = 80
LOST = 0  # the status of a call whose caller never got a whole answer

_IDENTITY = ("/.well-known/", "/sign-in/", "/api/auth/")
# What a sign-in may say aloud; every other value could be a code, a state, a challenge or a seal.
_OPEN = frozenset({"response_type", "redirect_uri", "scope", "resource", "prompt", "code_challenge_method"})
_NAME = re.compile(r"[a-z_]{1,40}", re.IGNORECASE)
_SECRET_NAME = re.compile(
    "token|secret|code|state|passw|key|assertion|auth|session|sig|cred|jwt|nonce|verifier|challenge|cookie",
    re.IGNORECASE,
)
# Codes, tokens and each part of a JWT are longer than any id; a user's published secrets are known by heart.
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
class Call:
    """One call that has been answered, as it may be shown.

    *at* is when it came in epoch seconds, *user* an e-mail address, *customer* an id, *token* the fingerprint of its
    bearer ("" each where nobody knows), *note* what it was about in a few words.
    """

    at: float
    side: Side
    method: str
    target: str
    user: str
    customer: str
    token: str
    status: int
    ms: float
    note: str


def side_of(path: str) -> Side:
    """Whether the identity provider or the API is meant."""
    return "identity" if path.startswith(_IDENTITY) else "api"


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """*text* on one line, without what looks like a secret, and not longer than *limit*."""
    shown = _SECRET.sub(HIDDEN, "".join(char if char.isprintable() else " " for char in text))
    return shown if len(shown) <= limit else shown[: limit - 1] + HIDDEN


def target(raw: str, clients: Mapping[str, str]) -> str:
    """The path and query of a request as they may be shown; *clients* are names by id, which stand for the ids."""
    path, asked, query = raw.partition("?")
    shown = clean(unquote(path), TARGET_LIMIT)
    if asked:
        hide = _identity_pair if side_of(unquote(path)) == "identity" else _api_pair
        # Cut before it is split: a query may have a megabyte of commas.
        pairs = query[: 10 * TARGET_LIMIT].split("&")
        shown += "?" + "&".join(hide(pair, clients) for pair in pairs if pair)
    return shown if len(shown) <= TARGET_LIMIT else shown[: TARGET_LIMIT - 1] + HIDDEN


def _identity_pair(pair: str, clients: Mapping[str, str]) -> str:
    name, value = _split(pair)
    if not _NAME.fullmatch(name):
        return HIDDEN
    if name == "client_id":
        return f"{name}={clients.get(value) or _outside(value)}"
    return f"{name}={_outside(value) if name in _OPEN else HIDDEN}"


def _api_pair(pair: str, clients: Mapping[str, str]) -> str:
    name, value = _split(pair)
    return f"{clean(name, 40)}={HIDDEN if _SECRET_NAME.search(name) else clean(value)}"


def _split(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return unquote_plus(name), unquote_plus(value)


def _outside(value: str) -> str:
    # Addresses of clients may carry what they like in their query.
    return clean(value.partition("?")[0])
