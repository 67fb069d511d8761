"""Fetching of client metadata documents: https and public addresses only, limits for size and time, caching."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.identity.fetching import FetchError, cache_lifetime, is_fetchable, is_public

from ..conftest import Clock
from ..https_site import HOST, Names, Site, serving

URL = f"https://{HOST}/client.json"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """An https server whose responses the test sets."""
    async with serving(tmp_path) as https_site:
        yield https_site


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2001:4860:4860::8888"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "2002:7f00:1::",
        "2001:0:7f00:1::1",
        "64:ff9b::7f00:1",
        "localhost",
        "",
    ],
)
def test_non_public_addresses(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_no_private_address_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))


@pytest.mark.parametrize(
    ("url", "right"),
    [
        (URL, True),
        (f"https://{HOST}:443/x", True),
        (f"https://{HOST}:8443/x", False),
        (f"https://{HOST}:99999/x", False),
        (f"http://{HOST}/x", False),
        (f"https://me@{HOST}/x", False),
        (f"https://{HOST}/x#y", False),
        ("https://127.0.0.1/x", False),
        ("https://2130706433/x", False),
        ("https://0x7f.1/x", False),
        ("https://[::1]/x", False),
        ("https://localhost/x", False),
        ("https://app.example./x", False),
        ("https:///x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_only_https_hostnames_are_fetched(url: str, right: bool) -> None:
    assert is_fetchable(url) is right


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 60),
        ("public, max-age=300", 300),
        ("max-age=999999999", 86_400),
        ("MAX-AGE=5", 5),
        ("max-age=0", 0),
        ("no-store", 0),
        ("no-cache, max-age=300", 0),
        ("max-age=-1", 60),
        ("s-maxage=9", 60),
    ],
)
def test_cache_freshness(header: str, seconds: float) -> None:
    assert cache_lifetime(header) == seconds


async def test_response_is_cached_while_fresh(site: Site, clock: Clock) -> None:
    names = Names("127.0.0.1")
    fetcher = site.fetcher(clock, names)
    assert await fetcher(URL) == await fetcher(URL) == b'{"a": 1}'
    assert len(site.asked) == 1
    clock.advance(61)
    await fetcher(URL)
    assert len(site.asked) == 2 and names.asked == [HOST, HOST] and names.open == 0
    (request, _) = site.asked
    assert request.path == "/client.json"
    assert not {"Cookie", "Authorization", "Referer"} & set(request.headers)


async def test_uncacheable_response_is_fetched_each_time(site: Site, clock: Clock) -> None:
    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.json_response({}, headers={"Cache-Control": "no-store"})
        answer.set_cookie("a", "b")
        return answer

    site.reply = reply
    fetcher = site.fetcher(clock)
    for _ in range(2):
        await fetcher(URL)
    assert len(site.asked) == 2 and "Cookie" not in site.asked[1].headers


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("169.254.169.254",), ("::1",)])
async def test_names_with_a_non_public_address_are_not_fetched(
    site: Site, clock: Clock, addresses: tuple[str, ...]
) -> None:
    names = Names(*addresses)
    with pytest.raises(FetchError, match="could not be fetched"):
        await site.fetcher(clock, names, permitted=is_public)(URL)
    assert site.asked == [] and names.asked == [HOST] and names.open == 0


@pytest.mark.parametrize("url", ["https://127.0.0.1/x", "http://app.example/x", "https://localhost/x"])
async def test_other_urls_are_not_fetched(site: Site, clock: Clock, url: str) -> None:
    names = Names("127.0.0.1")
    with pytest.raises(FetchError, match="documents are not fetched from this URL"):
        await site.fetcher(clock, names)(url)
    assert names.asked == [] and site.asked == []


async def test_wrong_certificate_is_rejected(site: Site, clock: Clock) -> None:
    with pytest.raises(FetchError):
        await site.fetcher(clock)("https://other.example/client.json")
    assert site.asked == []


def reply_with(response: Callable[[], web.Response]) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        return response()

    return reply


def packed() -> web.Response:
    return web.json_response({}, headers={"Content-Encoding": "br"})


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (lambda: web.Response(status=302, headers={"Location": "https://app.example/other"}), "HTTP status 302"),
        (lambda: web.Response(status=404), "HTTP status 404"),
        (lambda: web.Response(status=500), "HTTP status 500"),
        (lambda: web.Response(text="<html>", content_type="text/html"), "not JSON"),
        (packed, "compressed"),
        (lambda: web.Response(body=b"x" * (64 * 1024 + 1), content_type="application/json"), "too large"),
    ],
)
async def test_invalid_responses_are_rejected_and_not_cached(
    site: Site, clock: Clock, response: Callable[[], web.Response], why: str
) -> None:
    fetcher = site.fetcher(clock)
    site.reply = reply_with(response)
    with pytest.raises(FetchError, match=why):
        await fetcher(URL)
    assert len(site.asked) == 1
    site.reply = site.plain
    assert await fetcher(URL) == b'{"a": 1}'


async def test_accepts_the_maximum_size_and_other_json_types(site: Site, clock: Clock) -> None:
    body = b" " * (64 * 1024)
    site.reply = reply_with(lambda: web.Response(body=body, content_type="application/vnd.client+json"))
    assert await site.fetcher(clock)(URL) == body


async def test_endless_response_stops_at_the_limit(site: Site, clock: Clock) -> None:
    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" " * 8192)

    site.reply = reply
    with pytest.raises(FetchError, match="too large"):
        await site.fetcher(clock)(URL)


async def test_slow_host_is_bounded_by_the_timeout(site: Site, clock: Clock) -> None:
    stop = asyncio.Event()

    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        await stop.wait()
        return web.json_response({})

    site.reply = reply
    with pytest.raises(FetchError, match="could not be fetched"):
        await site.fetcher(clock, limit=0.2)(URL)
    stop.set()


async def test_concurrent_fetches_are_limited(site: Site, clock: Clock) -> None:
    stop = asyncio.Event()

    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        await stop.wait()
        return web.json_response({})

    site.reply = reply
    fetcher = site.fetcher(clock, limit=30)
    fetches = [asyncio.create_task(fetcher(f"{URL}?{number}")) for number in range(8)]
    while len(site.asked) < 4:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert len(site.asked) == 4
    stop.set()
    assert await asyncio.gather(*fetches) == [b"{}"] * 8


async def test_queue_time_counts_toward_the_timeout(site: Site, clock: Clock) -> None:
    fetcher = site.fetcher(clock, limit=0.1)
    for _ in range(4):
        await fetcher._concurrency_limit.acquire()
    with pytest.raises(FetchError, match="could not be fetched"):
        await fetcher(URL)
    assert not site.asked


async def test_host_that_closes_the_connection(site: Site, clock: Clock) -> None:
    async def reply(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    site.reply = reply
    with pytest.raises(FetchError, match="could not be fetched"):
        await site.fetcher(clock)(URL)
