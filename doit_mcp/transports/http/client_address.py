"""Client addresses: the address of the connection, or the one that a trusted proxy reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# In a chain of proxies, only the nearest are considered.
MAX_HOPS = 10
# Providers assign each customer an IPv6 network at least this large, and a client can use all of its addresses.
IPV6_PREFIX_BITS = 64
# IPv4 addresses as dual-stack sockets report them (RFC 4291, 2.5.5.2).
IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
# Some proxies add the port: 192.0.2.1:5000, [2001:db8::1]:5000.
ADDRESS_WITH_PORT = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?")


@lru_cache(maxsize=16)
def parse_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Parse networks in CIDR notation. Raise ValueError."""
    return tuple(_unmap(ip_network(text)) for text in texts)


def _unmap(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(IPV4_MAPPED):
        return IPv4Network((network.network_address.packed[-4:], network.prefixlen - IPV4_MAPPED.prefixlen))
    return network


def client_address(remote: str | None, forwarded: Sequence[str], trusted_proxies: tuple[str, ...]) -> str:
    """Return the key by which failed authentication attempts are counted, or "" if the client cannot be identified.

    The key is an IPv4 address or the /64 network of an IPv6 address. *forwarded* are the X-Forwarded-For headers; only
    entries added by *trusted_proxies* are believed, read from the last one. An address that is not global yields
    "": it belongs to a proxy missing from *trusted_proxies*, so all clients would share it.
    """
    networks = parse_networks(trusted_proxies)
    hops = [hop.strip() for value in forwarded for hop in value.split(",")][-MAX_HOPS:]
    address = _parse_address(remote or "")
    while hops and address is not None and any(address in network for network in networks):
        address = _parse_address(hops.pop())
    if address is None or not address.is_global:
        return ""
    return (
        str(ip_network((address, IPV6_PREFIX_BITS), strict=False)) if isinstance(address, IPv6Address) else str(address)
    )


def _parse_address(text: str) -> Address | None:
    """Return the address without its port, or None if *text* is not an address. IPv4-mapped addresses become IPv4."""
    if (match := ADDRESS_WITH_PORT.fullmatch(text)) is not None:
        text = match[1] or match[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
