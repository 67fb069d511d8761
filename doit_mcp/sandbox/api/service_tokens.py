"""API tokens of service accounts, which authenticate at the API like those of users."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..accounts import PERMISSION_NAMES, SERVICE_ACCOUNT_ROLE, Grant, User
from .costs.calendar_days import format_rfc3339, parse_seconds
from .responses import JsonObject

PREFIX = "doit-sandbox-sa-"


@dataclass(frozen=True, slots=True)
class _ServiceToken:
    """A token: the *account* that owns it, its *record*, which changes, and its *permissions*, which do not."""

    customer_id: str
    account: JsonObject
    record: JsonObject
    permissions: frozenset[str]


class ServiceTokens:
    """The tokens of all customers by digest. The secrets themselves are not kept."""

    def __init__(self) -> None:
        self._tokens: dict[str, _ServiceToken] = {}

    def add(self, secret: str, customer_id: str, account: JsonObject, record: JsonObject) -> None:
        """Add a token with the permissions that its account has now."""
        permissions = frozenset(PERMISSION_NAMES.get(to_pascal_case(name), "") for name in account["permissions"]) - {
            ""
        }
        self._tokens[_hash_secret(secret)] = _ServiceToken(customer_id, account, record, permissions)

    def remove(self, record: JsonObject) -> None:
        """Remove the token with this record."""
        for digest in [digest for digest, token in self._tokens.items() if token.record is record]:
            del self._tokens[digest]

    def find_grant(self, secret: str, now: float) -> Grant | None:
        """The identity of a token, whose last use becomes *now*; None if it is unknown, disabled or expired."""
        token = self._tokens.get(_hash_secret(secret))
        if token is None or token.record["state"] != "active" or has_expired(token.record, now):
            return None
        token.record["lastUsedTime"] = format_rfc3339(now)
        name = token.account["name"]
        address = f"{token.account['id']}@service-accounts.example"
        user = User(
            address,
            name,
            SERVICE_ACCOUNT_ROLE,
            token.customer_id,
            password="",
            api_token="",
            permissions=token.permissions,
        )
        return Grant(user, token.customer_id)


def has_expired(record: JsonObject, now: float) -> bool:
    """Whether a token has expired."""
    expires = record["expiresTime"]
    return expires is not None and parse_seconds(expires) <= now


def to_pascal_case(name: str) -> str:
    """The name of a permission in the response of GET /auth/v1/validate, by its name in service accounts."""
    return name[:1].upper() + name[1:]


def to_camel_case(name: str) -> str:
    """The name of a permission in service accounts, by its name in the response of GET /auth/v1/validate."""
    return name[:1].lower() + name[1:]


def _hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
