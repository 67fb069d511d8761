"""Which URLs and addresses events may be sent to. No I/O.

A URL is given by a client, so it must not lead this server into its own network. Addresses are checked at each
connection, because a host name can change its address between the check and the connection (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MAX_URL_CHARACTERS = 2048
VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
NAT64 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48")))
"""Networks of IPv6 addresses that a gateway turns into IPv4 addresses, which can be private."""
NOT_PUBLIC = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20", "2001::/23"))
)
"""Networks that Python calls public: those of protocols, which contain the metadata service of Oracle (RFC 6890), relays
to IPv6 (RFC 7526), the metadata service of Azure, and addresses of documentation (RFC 9637)."""


@dataclass(frozen=True, slots=True)
class ReceiverPolicy:
    """The hosts that may receive events. Empty *hosts* means all with public addresses.

    *private_hosts* may also have private or loopback addresses.
    """

    hosts: Collection[str] = ()
    private_hosts: Collection[str] = field(default=())

    def check_url(self, url: object) -> str:
        """Return the host name of *url*. Raise ValueError with what it must be, without repeating it."""
        if not isinstance(url, str) or len(url) > MAX_URL_CHARACTERS or VISIBLE_ASCII.fullmatch(url) is None:
            raise ValueError(f"must be a URL of at most {MAX_URL_CHARACTERS} ASCII characters")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("must be a valid URL") from None
        if parts.scheme != "https" or not url.startswith("https://"):
            raise ValueError("must be an https URL")
        if "@" in parts.netloc or "#" in url or "\\" in url:
            raise ValueError("must not contain credentials, a fragment or a backslash")
        if port == 0 or not self._is_host(host):
            raise ValueError("must have a public host name or address")
        if self.hosts and host not in self.hosts and host not in self.private_hosts:
            raise ValueError("must have a host that is in this server's list of allowed receivers")
        return host

    def _is_host(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            # Resolvers read numbers such as 0x7f.1 and 2130706433 as IPv4 addresses.
            is_number = host.rpartition(".")[2][:1].isdigit()
            return HOST_NAME.fullmatch(host) is not None and not is_number
        return self.permits(host, str(address))

    def permits(self, host: str, address: str) -> bool:
        """Return whether a connection to *host* may be made to *address*."""
        return is_global(address) or (host.lower() in self.private_hosts and is_private(address))


def _parse_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if "%" in address:
        return None
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, ipaddress.IPv6Address) else parsed


def is_global(address: str) -> bool:
    """Return whether an IP address is public: no special-purpose address, also not embedded in another one."""
    parsed = _parse_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        embeds = parsed.sixtofour or parsed.teredo or any(parsed in network for network in NAT64)
        # The first 96 bits zero: deprecated IPv4-compatible addresses.
        if embeds or parsed.is_site_local or int(parsed) < 1 << 32:
            return False
    if parsed is None or any(parsed in network for network in NOT_PUBLIC):
        return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved)


def is_private(address: str) -> bool:
    """Return whether an IP address is private or loopback: never link-local, where clouds serve credentials."""
    parsed = _parse_address(address)
    if parsed is None or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        return False
    # The metadata service of AWS over IPv6 has a private address.
    return (parsed.is_private or parsed.is_loopback) and str(parsed) != "fd00:ec2::254"
