"""Declarations of environment variables, and the parsers of their values.

A parser converts text to a value. For invalid text it raises ValueError with a message of the form "must be …".
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

# In DOIT_MCP_STATE_SECRETS: the secret of the token exchange.
DERIVED = "derived"
MIN_SECRET_LENGTH = 32
MAX_SECRETS = 4
# Far larger than any secret.
MAX_SECRET_FILE_BYTES = 64 << 10
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# A host name, an IPv4 address or a bracketed IPv6 address, with an optional port.
AUTHORITY_PATTERN = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
HOST_PATTERN = re.compile(AUTHORITY_PATTERN)
ORIGIN_PATTERN = re.compile(rf"https?://{AUTHORITY_PATTERN}")
NAME_PATTERN = re.compile(r"[A-Z][A-Z0-9_]*")
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


class BadSettings(Exception):
    """The configuration is invalid. *problems* holds one sentence for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable: its name, the parser of its text, and its description for --help and the docs.

    *group* is the heading that it has there.
    """

    name: str
    parse: Callable[[str], object]
    description: str
    default: object
    is_secret: bool
    group: str = ""

    @property
    def default_text(self) -> str:
        """The default as an operator would write it, or "" without a default."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return " ".join(self.default) if isinstance(self.default, tuple) else str(self.default)

    @property
    def file_variable(self) -> str:
        """The variable that names a file with the value. Only secrets have one."""
        return f"{self.name}_FILE"


def flag_name(field_name: str) -> str:
    """Return the command-line flag of the setting *field_name*."""
    return "--" + field_name.replace("_", "-")


def setting(
    default: object,
    name: str = "",
    parse: Callable[[str], object] | None = None,
    description: str = "",
    *,
    is_secret: bool = False,
) -> Any:
    """Declare a dataclass field that is read from the environment variable *name*.

    *parse* raises ValueError with what the text must be. A secret is not a flag, appears in no error or repr, and can
    also be read from a file. Raise TypeError if an argument is missing.
    """
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        raise setting_error(f"with the default {default!r}", "an environment variable as its second argument")
    if not callable(parse):
        raise setting_error(name, "a parser as its third argument, such as Integer(0, 300)")
    if not isinstance(description, str) or not description.strip():
        raise setting_error(name, "a description as its fourth argument, for --help and the docs")
    return field(
        default=default,
        repr=not is_secret,
        metadata={"variable": Variable(name, parse, description, default, is_secret)},
    )


def setting_error(name: str, missing: str) -> TypeError:
    """Return the error for the declaration of a setting that lacks something."""
    return TypeError(f"doit_mcp/settings_groups.py: the setting {name} needs {missing}")


@dataclass(frozen=True, slots=True)
class Integer:
    """Parses a whole number from *minimum* to *maximum*."""

    minimum: int
    maximum: int

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


def text(value: str) -> str:
    """Accept any text."""
    return value


def visible_token(value: str) -> str:
    """Accept a token of at most 500 printable ASCII characters without spaces."""
    if not VISIBLE_TOKEN_PATTERN.fullmatch(value):
        raise ValueError("must be a token of at most 500 printable ASCII characters without spaces")
    return value


def boolean(value: str) -> bool:
    """Parse 1, true, yes and on as True, and 0, false, no and off as False, in any case."""
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def url(value: str) -> str:
    """Parse an https URL, or an http URL of a loopback address. Remove a trailing slash."""
    parts = _split_url(value) if URL_PATTERN.fullmatch(value) else None
    if parts is None:
        raise ValueError("must be a URL such as https://host or https://host/path, without query or credentials")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise ValueError("must be an https URL (plain http is for loopback addresses only)")
    return value.rstrip("/")


def collector_url(value: str) -> str:
    """Parse an http or https URL. Remove a trailing slash."""
    if not URL_PATTERN.fullmatch(value) or _split_url(value) is None:
        raise ValueError("must be a URL such as http://host:4318, without query or credentials")
    return value.rstrip("/")


def redis_url(value: str) -> str:
    """Accept the URL of a server (redis, rediss or unix), of sentinels (redis+sentinel) or of a cluster."""
    is_shared = SHARED_REDIS_URL_PATTERN.fullmatch(value) and all(
        _split_url(f"redis://{host}") for host in value.partition("://")[2].partition("/")[0].split(",")
    )
    if not is_shared and (not REDIS_URL_PATTERN.fullmatch(value) or _split_url(value) is None):
        raise ValueError(
            "must be a URL such as redis://:password@host:6379/0, rediss://host, unix:///path/to/socket,"
            " redis+sentinel://host,host/service or redis+cluster://host,host"
        )
    return value


def secrets(value: str) -> tuple[str, ...]:
    """Parse up to four different secrets of at least 32 characters each, or the word ``derived``."""
    items = _items(value)
    if any(len(item) < MIN_SECRET_LENGTH and item != DERIVED for item in items):
        raise ValueError(
            f"must be secrets of at least {MIN_SECRET_LENGTH} characters each, or the word {DERIVED},"
            " separated by spaces or commas"
        )
    if len(set(items)) != len(items) or len(items) > MAX_SECRETS:
        raise ValueError(f"must be at most {MAX_SECRETS} different secrets")
    return tuple(items)


def webhook_secret(value: str) -> str:
    """Parse the secret of a webhook (Standard Webhooks): whsec_ and base64 of 24 to 64 bytes."""
    try:
        key = b64decode(value.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not value.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ followed by base64 of 24 to 64 bytes")
    return value


def origins(value: str) -> tuple[str, ...]:
    """Parse origins. Normalize them to lower case, without the default port of their scheme."""
    split = [_split_url(item) if ORIGIN_PATTERN.fullmatch(item) else None for item in _items(value.lower())]
    parsed = [f"{parts.scheme}://{authority(parts)}" for parts in split if parts]
    if len(parsed) != len(split):
        raise ValueError("must be origins such as https://host, separated by spaces or commas")
    return tuple(parsed)


def hosts(value: str) -> tuple[str, ...]:
    """Parse host names with optional ports. Normalize them to lower case."""
    split = [_split_url(f"//{item}") if HOST_PATTERN.fullmatch(item) else None for item in _items(value.lower())]
    parsed = [parts.netloc for parts in split if parts]
    if len(parsed) != len(split):
        raise ValueError("must be names such as host or host:8080, separated by spaces or commas")
    return tuple(parsed)


def networks(value: str) -> tuple[str, ...]:
    """Parse IPv4 and IPv6 networks. Normalize them to their canonical form."""
    items = _items(value.lower())
    try:
        if all(NETWORK_PATTERN.fullmatch(item) for item in items):
            return tuple(str(ip_network(item)) for item in items)
    except ValueError:
        pass  # the same error as for a malformed network
    raise ValueError("must be networks such as 10.0.0.0/8 or fd00::/8, separated by spaces or commas")


def authority(parts: SplitResult) -> str:
    """Return host and port in lower case, without the scheme's default port."""
    return parts.netloc.lower().removesuffix(DEFAULT_PORTS[parts.scheme])


def origin_of(address: str) -> str:
    """Return the web origin of *address*, a URL."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{authority(parts)}"


def loopback_spellings(address: str) -> tuple[str, ...]:
    """Return *address*, a URL, followed by the same URL with the other names of the loopback interface.

    A URL of another host is the only one returned.
    """
    parts = urlsplit(address)
    if parts.hostname not in LOOPBACK_HOSTS:
        return (address,)
    port = "" if parts.port is None else f":{parts.port}"
    names = [f"[{host}]" if ":" in host else host for host in LOOPBACK_HOSTS if host != parts.hostname]
    return (address, *(f"{parts.scheme}://{name}{port}{parts.path}" for name in names))


def host_spellings(host: str, scheme: str) -> frozenset[str]:
    """Return the ``Host`` headers that mean *host*: with and without the scheme's default port and a final dot."""
    parts = urlsplit(f"//{host}")
    name, port = (host, "") if parts.port is None else (host.rpartition(":")[0], f":{parts.port}")
    names = (name,) if name.startswith("[") else (name.removesuffix("."), name.removesuffix(".") + ".")
    ports = ("", DEFAULT_PORTS[scheme]) if port in ("", DEFAULT_PORTS[scheme]) else (port,)
    return frozenset(name + port for name in names for port in ports)


def _items(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _split_url(value: str) -> SplitResult | None:
    """Split a URL. Return None if its host or port is invalid."""
    try:
        parts = urlsplit(value)
        return None if parts.port == 0 else parts
    except ValueError:
        return None
