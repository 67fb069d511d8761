"""The parsers of settings.

A parser converts text to a value. For invalid text it raises ValueError with a message of the form "must be …".
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from ipaddress import ip_network

from .host_names import AUTHORITY_PATTERN, LOOPBACK_HOSTS, format_authority, split_url

# In DOIT_MCP_STATE_SECRETS: the secret of the token exchange.
DERIVED = "derived"
MIN_SECRET_LENGTH = 32
MAX_SECRETS = 4
MISSING_BOUND = -1
HOST_PATTERN = re.compile(AUTHORITY_PATTERN)
ORIGIN_PATTERN = re.compile(rf"https?://{AUTHORITY_PATTERN}")
VISIBLE_TOKEN_PATTERN = re.compile(r"[!-~]{1,500}")
NETWORK_PATTERN = re.compile(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?")
URL_PATTERN = re.compile(rf"https?://{AUTHORITY_PATTERN}(?:/[!$&-;=@-Z_a-z~%]*)?")
# User, password and database number are optional.
REDIS_URL_PATTERN = re.compile(
    rf"rediss?://(?:[^@/\s?#]*@)?{AUTHORITY_PATTERN}(?:/[0-9]{{0,4}})?|unix://(?:[^@/\s?#]*@)?/[^\s?#]+(?:\?db=[0-9]{{1,4}})?"
)
# At most nine hosts.
HOSTS_PATTERN = rf"(?:[^@/\s?#,]*@)?{AUTHORITY_PATTERN}(?:,{AUTHORITY_PATTERN}){{0,8}}"
SENTINEL_OPTIONS_PATTERN = r"(?:sentinel_username=[^&\s#]*&)?sentinel_password=[^&\s#]*"
SHARED_REDIS_URL_PATTERN = re.compile(
    rf"rediss?\+sentinel://{HOSTS_PATTERN}/[\w.%-]{{1,100}}(?:/[0-9]{{1,4}})?(?:\?{SENTINEL_OPTIONS_PATTERN})?"
    rf"|rediss?\+cluster://{HOSTS_PATTERN}/?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Integer:
    """Parses a whole number from *minimum* to *maximum*. A declaration without both is an error that names the setting."""

    minimum: int = MISSING_BOUND
    maximum: int = MISSING_BOUND

    def __call__(self, value: str) -> int:
        is_number = value.isascii() and value.isdecimal() and len(value) <= 12
        if not is_number or not self.minimum <= int(value) <= self.maximum:
            raise ValueError(f"must be a whole number from {self.minimum} to {self.maximum}")
        return int(value)


class Choice:
    """Parses one of a few words, in any case."""

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __call__(self, value: str) -> str:
        if value.lower() not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}")
        return value.lower()


def parse_text(value: str) -> str:
    """Accept any text."""
    return value


def parse_visible_token(value: str) -> str:
    """Accept a token of at most 500 printable ASCII characters without spaces."""
    if not VISIBLE_TOKEN_PATTERN.fullmatch(value):
        raise ValueError("must be a token of at most 500 printable ASCII characters without spaces")
    return value


def parse_boolean(value: str) -> bool:
    """Parse 1, true, yes and on as True, and 0, false, no and off as False, in any case."""
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def parse_url(value: str) -> str:
    """Parse an https URL, or an http URL of a loopback address. Remove a trailing slash."""
    parts = split_url(value) if URL_PATTERN.fullmatch(value) else None
    if parts is None:
        raise ValueError("must be a URL such as https://host or https://host/path, without query or credentials")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise ValueError("must be an https URL (plain http is for loopback addresses only)")
    return value.rstrip("/")


def parse_collector_url(value: str) -> str:
    """Parse an http or https URL. Remove a trailing slash."""
    if not URL_PATTERN.fullmatch(value) or split_url(value) is None:
        raise ValueError("must be a URL such as http://host:4318, without query or credentials")
    return value.rstrip("/")


def parse_redis_url(value: str) -> str:
    """Accept the URL of a server (redis, rediss or unix), of sentinels (redis+sentinel) or of a cluster."""
    is_shared = SHARED_REDIS_URL_PATTERN.fullmatch(value) and all(
        split_url(f"redis://{host}") for host in value.partition("://")[2].partition("/")[0].split(",")
    )
    if not is_shared and (not REDIS_URL_PATTERN.fullmatch(value) or split_url(value) is None):
        raise ValueError(
            "must be a URL such as redis://:password@host:6379/0, rediss://host, unix:///path/to/socket,"
            " redis+sentinel://host,host/service or redis+cluster://host,host"
        )
    return value


def parse_secrets(value: str) -> tuple[str, ...]:
    """Parse up to four different secrets of at least 32 characters each, or the word ``derived``."""
    items = _split_items(value)
    if any(len(item) < MIN_SECRET_LENGTH and item != DERIVED for item in items):
        raise ValueError(
            f"must be secrets of at least {MIN_SECRET_LENGTH} characters each, or the word {DERIVED},"
            " separated by spaces or commas"
        )
    if len(set(items)) != len(items) or len(items) > MAX_SECRETS:
        raise ValueError(f"must be at most {MAX_SECRETS} different secrets")
    return tuple(items)


def parse_webhook_secret(value: str) -> str:
    """Parse the secret of a webhook (Standard Webhooks): whsec_ and base64 of 24 to 64 bytes."""
    try:
        key = b64decode(value.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not value.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ followed by base64 of 24 to 64 bytes")
    return value


def parse_origins(value: str) -> tuple[str, ...]:
    """Parse origins. Normalize them to lower case, without the default port of their scheme."""
    split = [split_url(item) if ORIGIN_PATTERN.fullmatch(item) else None for item in _split_items(value.lower())]
    parsed = [f"{parts.scheme}://{format_authority(parts)}" for parts in split if parts]
    if len(parsed) != len(split):
        raise ValueError("must be origins such as https://host, separated by spaces or commas")
    return tuple(parsed)


def parse_hosts(value: str) -> tuple[str, ...]:
    """Parse host names with optional ports. Normalize them to lower case."""
    split = [split_url(f"//{item}") if HOST_PATTERN.fullmatch(item) else None for item in _split_items(value.lower())]
    parsed = [parts.netloc for parts in split if parts]
    if len(parsed) != len(split):
        raise ValueError("must be names such as host or host:8080, separated by spaces or commas")
    return tuple(parsed)


def parse_networks(value: str) -> tuple[str, ...]:
    """Parse IPv4 and IPv6 networks. Normalize them to their canonical form."""
    items = _split_items(value.lower())
    try:
        if all(NETWORK_PATTERN.fullmatch(item) for item in items):
            return tuple(str(ip_network(item)) for item in items)
    except ValueError:
        pass  # the same error as for a malformed network
    raise ValueError("must be networks such as 10.0.0.0/8 or fd00::/8, separated by spaces or commas")


def _split_items(value: str) -> list[str]:
    return value.replace(",", " ").split()
