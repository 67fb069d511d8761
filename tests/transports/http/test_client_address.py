"""Unauthenticated clients are limited by their address, which they cannot choose themselves."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.transports.http.client_address import client_address
from tests.transports.http.serving import Site, serving

INNER = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("remote", "forwarded", "trusted", "address"),
    [
        ("8.8.8.8", [], (), "8.8.8.8"),
        # Headers of clients that are not trusted proxies are ignored.
        ("8.8.8.8", ["9.9.9.9"], INNER, "8.8.8.8"),
        ("10.1.1.1", ["9.9.9.9"], (), ""),
        ("10.1.1.1", ["9.9.9.9"], INNER, "9.9.9.9"),
        # Only the last value counts, which the proxy added; the others may come from the client.
        ("10.1.1.1", ["1.1.1.1, 9.9.9.9"], INNER, "9.9.9.9"),
        ("10.1.1.1", ["1.1.1.1", "9.9.9.9 , 10.2.2.2"], INNER, "9.9.9.9"),
        ("10.1.1.1", ["10.3.3.3"], INNER, ""),
        ("10.1.1.1", ["unknown"], INNER, ""),
        ("10.1.1.1", [], INNER, ""),
        ("fd00::1", ["2001:4860:1:2:3:4:5:6"], INNER, "2001:4860:1:2::/64"),
        ("127.0.0.1", ["9.9.9.9"], INNER, ""),
        (None, ["9.9.9.9"], INNER, ""),
        # IPv4 clients of a dual-stack socket are distinguished, whether the socket or a proxy reports them.
        ("::ffff:8.8.8.8", [], (), "8.8.8.8"),
        ("::ffff:10.1.1.1", ["::ffff:9.9.9.9"], INNER, "9.9.9.9"),
        ("::ffff:10.1.1.1", ["::ffff:909:909"], INNER, "9.9.9.9"),
        ("10.1.1.1", ["9.9.9.9"], ("::ffff:10.0.0.0/104",), "9.9.9.9"),
        ("10.1.1.1", ["::ffff:10.3.3.3"], INNER, ""),
        # Ports are not part of an address.
        ("10.1.1.1", ["9.9.9.9:5000"], INNER, "9.9.9.9"),
        ("10.1.1.1", ["1.1.1.1, 9.9.9.9:5000, 10.2.2.2:80"], INNER, "9.9.9.9"),
        ("10.1.1.1", ["[2001:4860:1:2:3:4:5:6]:5000"], INNER, "2001:4860:1:2::/64"),
        ("10.1.1.1", ["[2001:4860:1:2:3:4:5:6]"], INNER, "2001:4860:1:2::/64"),
        ("10.1.1.1", ["[::ffff:9.9.9.9]:5000"], INNER, "9.9.9.9"),
        ("10.1.1.1", ["9.9.9.9:"], INNER, ""),
        ("10.1.1.1", ["9.9.9.9:5000:1"], INNER, ""),
        ("10.1.1.1", ["[9.9.9.9"], INNER, ""),
        ("", [], INNER, ""),
    ],
)
def test_client_addresses(remote: str | None, forwarded: list[str], trusted: tuple[str, ...], address: str) -> None:
    assert client_address(remote, forwarded, trusted) == address


@given(st.one_of(st.none(), st.text()), st.lists(st.text(max_size=60), max_size=30))
def test_any_forwarded_header_gives_an_address(remote: str | None, forwarded: list[str]) -> None:
    assert isinstance(client_address(remote, forwarded, INNER), str)


@pytest.mark.requirement("N21")
@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_n21_each_ipv4_client_has_one_bucket(address: IPv4Address, port: int) -> None:
    """All notations of an address that proxies use count as one."""
    forms = (f"{address}", f"{address}:{port}", f"::ffff:{address}", f"[::ffff:{address}]:{port}")
    addresses = {client_address("10.1.1.1", [form], INNER) for form in forms}
    assert addresses == {str(address) if address.is_global else ""}


async def send_wrong(site: Site, number: int, address: str) -> int:
    token = f"wrong-{address.replace(':', '-')}-{number}"
    headers = site.headers(None) | {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
    return (await site.send("GET", "/mcp", headers)).status


@pytest.mark.requirement("N21")
async def test_n21_mapped_addresses_do_not_lock_out_each_other() -> None:
    async with serving(trusted_proxies=("127.0.0.0/8",)) as site:
        statuses = [await send_wrong(site, number, "::ffff:8.8.8.8") for number in range(140)]
        assert statuses[-1] == 429 and await send_wrong(site, 0, "8.8.8.8:5000") == 429
        assert await send_wrong(site, 0, "::ffff:9.9.9.9") == 401


@pytest.mark.requirement("P4")
async def test_guessing_client_does_not_lock_out_others() -> None:
    async with serving(trusted_proxies=("127.0.0.0/8",)) as site:
        statuses = [await send_wrong(site, number, "8.8.8.8") for number in range(140)]
        assert statuses[0] == 401 and statuses[-1] == 429 and statuses.count(401) < 140
        assert await send_wrong(site, 0, "9.9.9.9") == 401
