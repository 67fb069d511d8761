"""Signatures and addresses: properties, and the second opinion of standardwebhooks."""

from __future__ import annotations

import base64
import time
from ipaddress import IPv4Address, IPv6Address

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from doit_mcp.events.receiver_urls import ReceiverPolicy, is_global, is_private
from doit_mcp.events.signatures import is_signed, make_signature_headers, parse_secret

KEYS = st.binary(min_size=24, max_size=64).map(lambda key: f"whsec_{base64.b64encode(key).decode()}")
IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=40)


@given(KEYS, KEYS, IDS, st.binary(max_size=500))
def test_only_the_signed_message_is_accepted(secret: str, other: str, id: str, body: bytes) -> None:
    now = int(time.time())
    headers = make_signature_headers([other, secret], id, now, body)
    for key in (secret, other):
        assert is_signed(key, id, str(now), headers["webhook-signature"], body, now)
    assert not is_signed(secret, id, str(now), headers["webhook-signature"], body + b".", now)
    assert not is_signed(secret, id + "x", str(now), headers["webhook-signature"], body, now)
    assert not is_signed(secret, id, str(now - 301), headers["webhook-signature"], body, now)
    assert not is_signed(secret, id, str(now), headers["webhook-signature"], body, now + 301)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_header_is_refused(id: str, timestamp: str, signatures: str) -> None:
    """Headers of unauthenticated callers never raise, whatever bytes they contain."""
    secret, now = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", int(time.time())
    for text in (id, id + "\udce9"):
        assert not is_signed(secret, text, str(now), signatures, b"{}", now)
        assert not is_signed(secret, "msg", str(now), text, b"{}", now)
        assert not is_signed(secret, "msg", timestamp + text, signatures, b"{}", now)


@given(KEYS, IDS, st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=5))
def test_standardwebhooks_verifies(secret: str, id: str, payload: dict[str, str]) -> None:
    body = orjson.dumps(payload)
    headers = make_signature_headers([secret], id, int(time.time()), body)
    assert Webhook(secret).verify(body, headers) == payload
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


@given(st.one_of(st.text(max_size=200), st.none(), st.integers(), KEYS.map(lambda text: text[:-1] + "!")))
def test_bad_secrets_are_refused_without_quoting_them(text: object) -> None:
    with pytest.raises(ValueError, match="^must be whsec_ followed by base64 of 24 to 64 bytes$"):
        parse_secret(text)


SPECIAL = (
    *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1"),
    *(
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "192.88.99.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
    ),
    *(
        "::",
        "::1",
        "::7f00:1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ),
    *("192.0.0.192", "168.63.129.16", "3fff::1", "::ffff:0:127.0.0.1", "2001:20::1"),
    *("2002:7f00:1::", "2001:0:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "not an address", ""),
)


@pytest.mark.parametrize("address", SPECIAL)
def test_special_addresses_are_not_global(address: str) -> None:
    assert not is_global(address)
    if "." in address and address[0].isdigit():
        assert not is_global(f"::ffff:{address}")


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_global(address: str) -> None:
    assert is_global(address) and not is_private(address)


@given(st.integers(0, 2**32 - 1))
def test_forms_of_an_ipv4_address_are_judged_alike(number: int) -> None:
    """A mapped address is judged like the IPv4 address in it. Other embeddings are always refused."""
    plain = str(IPv4Address(number))
    assert is_global(str(IPv6Address(0xFFFF << 32 | number))) == is_global(plain)
    for prefix in (0x2002 << 112, 0x64FF9B << 96):
        shifted = number << 80 if prefix >> 112 == 0x2002 else number
        assert not is_global(str(IPv6Address(prefix | shifted)))


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1", "::ffff:169.254.1.1"]
)
def test_permission_for_private_addresses_excludes_metadata_services(address: str) -> None:
    assert not ReceiverPolicy(private_hosts=("a.example",)).permits("a.example", address)


URLS = (
    *("http://a.example/", "https:///x", "https://", "ftp://a.example/", "HTTPS://a.example/", "https://a.example:0/"),
    *("https://a.example:99999/", "https://u@a.example/", "https://a.example/#x", "https://a.example\\@b.example/"),
    *("https://127.0.0.1/", "https://0x7f.1/", "https://2130706433/", "https://[::1]/", "https://a b.example/"),
    *(
        "https://a.example/\u00e9",
        "https://" + "a" * 3000,
        "https://a..example/",
        "https://localhost.1/",
        "\thttps://a.example/",
    ),
)


@pytest.mark.parametrize("url", URLS)
def test_bad_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        ReceiverPolicy().check_url(url)


@given(st.text(max_size=60))
def test_any_text_is_refused_or_has_a_host(text: str) -> None:
    policy = ReceiverPolicy()
    try:
        host = policy.check_url(f"https://{text}")
    except ValueError as problem:
        assert str(problem).startswith("must")
    else:
        assert host and host == host.lower()


def test_allow_lists() -> None:
    policy = ReceiverPolicy(hosts=("a.example",), private_hosts=("b.example", "10.0.0.5"))
    for url in ("https://a.example/", "https://b.example:8443/x", "https://10.0.0.5/"):
        policy.check_url(url)
    for url in ("https://c.example/", "https://x.a.example/", "https://10.0.0.6/"):
        with pytest.raises(ValueError, match="must have"):
            policy.check_url(url)
    assert policy.permits("b.example", "10.1.1.1") and not policy.permits("a.example", "10.1.1.1")
