"""Where a request came from: the connection's address, or the one that a trusted proxy tells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
# Of a chain of proxies only the nearest are looked at.
MOST_HOPS = 10
# One customer of a provider has so many leading bits of an IPv6 address for itself.
OWN_BITS = 64


@lru_cache(maxsize=16)
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks that these texts name. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


def client_address(remote: str | None, forwarded: Sequence[str], trusted: tuple[str, ...]) -> str:
    """What failed tries of a stranger are counted by (security P4); "" where nothing can be said.

    *forwarded* are the X-Forwarded-For headers, of which nothing is believed but what *trusted* proxies added, the last
    entry first. An address of an inner network is a proxy's that nobody named, so it stands for everybody.
    """
    inner = networks(trusted)
    hops = [hop.strip() for value in forwarded for hop in value.split(",")][-MOST_HOPS:]
    address = remote or ""
    while hops and _within(address, inner):
        address = hops.pop()
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if not found.is_global:
        return ""
    return str(ip_network((found, OWN_BITS), strict=False)) if isinstance(found, IPv6Address) else str(found)


def _within(address: str, inner: tuple[Network, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in inner)
