"""What operators write in the environment, turned to values: numbers, switches, URLs, lists of hosts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from urllib.parse import SplitResult, urlsplit

# Stands for a key that comes from the secret of the token exchange.
DERIVED = "derived"
MIN_SECRET = 32
MAX_SECRETS = 4
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# A host name, an IPv4 address or a bracketed IPv6 address, and perhaps a port.
AUTHORITY = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
HOST = re.compile(AUTHORITY)
ORIGIN = re.compile(rf"https?://{AUTHORITY}")
NETWORK = re.compile(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?")
URL = re.compile(rf"https?://{AUTHORITY}(?:/[!$&-;=@-Z_a-z~%]*)?")
# With or without user and password; behind the host the number of a database.
REDIS = re.compile(
    rf"rediss?://(?:[^@/\s?#]*@)?{AUTHORITY}(?:/[0-9]{{0,4}})?|unix://(?:[^@/\s?#]*@)?/[^\s?#]+(?:\?db=[0-9]{{1,4}})?"
)


def parsed(text: str, rules: Mapping[str, object], default: object) -> object:
    """The value that *text* stands for, by a field's metadata and default; ValueError says what it must be."""
    if rules.get("url"):
        return _url(text)
    if rules.get("collector"):
        return _collector(text)
    if rules.get("redis"):
        return _redis(text)
    if rules.get("secrets"):
        return _secrets(text)
    if isinstance(default, bool):
        return _switch(text)
    if isinstance(default, int):
        return _number(text, rules)
    if isinstance(default, tuple):
        return _several(text.replace(",", " ").lower().split(), rules)
    allowed = rules.get("of")
    if isinstance(allowed, tuple) and text.lower() not in allowed:
        raise ValueError(f"must be one of {', '.join(allowed)}")
    return text.lower() if allowed else text


def _url(text: str) -> str:
    parts = _split(text) if URL.fullmatch(text) else None
    if parts is None:
        raise ValueError("must be a URL such as https://host or https://host/path, without query or credentials")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must be an https URL (plain http is for loopback addresses only)")
    return text.rstrip("/")


def _collector(text: str) -> str:
    if not URL.fullmatch(text) or _split(text) is None:
        raise ValueError("must be a URL such as http://host:4318, without query or credentials")
    return text.rstrip("/")


def _redis(text: str) -> str:
    if not REDIS.fullmatch(text) or _split(text) is None:
        raise ValueError("must be a URL such as redis://:password@host:6379/0, rediss://host or unix:///path/to/socket")
    return text


def _secrets(text: str) -> tuple[str, ...]:
    items = text.replace(",", " ").split()
    if any(len(item) < MIN_SECRET and item != DERIVED for item in items):
        raise ValueError(
            f"must be secrets of at least {MIN_SECRET} characters each, or the word {DERIVED},"
            " separated by blanks or commas"
        )
    if len(set(items)) != len(items) or len(items) > MAX_SECRETS:
        raise ValueError(f"must be at most {MAX_SECRETS} secrets, each given once")
    return tuple(items)


def _split(text: str) -> SplitResult | None:
    """The parts of an address; None when its host or port cannot be."""
    try:
        parts = urlsplit(text)
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def authority(parts: SplitResult) -> str:
    """Host and port in lower case, without the port that is the scheme's usual."""
    return parts.netloc.lower().removesuffix(DEFAULT_PORTS[parts.scheme])


def _several(items: list[str], rules: Mapping[str, object]) -> tuple[str, ...]:
    form = rules["each"]
    assert isinstance(form, re.Pattern)
    if form is NETWORK:
        return _networks(items, rules)
    split = (_split(item if "//" in item else f"//{item}") for item in items if form.fullmatch(item))
    parsed = [parts for parts in split if parts is not None]
    if len(parsed) != len(items):
        raise ValueError(f"must be {rules['such']}, separated by blanks or commas")
    return tuple(f"{parts.scheme}://{authority(parts)}" if parts.scheme else parts.netloc for parts in parsed)


def _networks(items: list[str], rules: Mapping[str, object]) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(item)) for item in items)
    except ValueError:
        raise ValueError(f"must be {rules['such']}, separated by blanks or commas") from None


def _switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _number(text: str, rules: Mapping[str, object]) -> int:
    least, most = rules["least"], rules["most"]
    assert isinstance(least, int) and isinstance(most, int)
    if not (text.isascii() and text.isdecimal()) or len(text) > 12 or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)
