"""Hosts, ports and origins, and their other spellings."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# A host name, an IPv4 address or a bracketed IPv6 address, with an optional port.
AUTHORITY_PATTERN = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"


def split_url(value: str) -> SplitResult | None:
    """Split a URL. Return None if its host or port is invalid."""
    try:
        parts = urlsplit(value)
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def format_authority(parts: SplitResult) -> str:
    """Return host and port in lower case, without the scheme's default port."""
    return parts.netloc.lower().removesuffix(DEFAULT_PORTS[parts.scheme])


def origin_of(address: str) -> str:
    """Return the web origin of *address*, a URL."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{format_authority(parts)}"


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
