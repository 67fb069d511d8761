"""Fetching of client metadata documents: https and public addresses only, with limits for size and time, and a cache
(CIMD section 6).
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import time
from asyncio import Semaphore, timeout
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from .ttl_store import TtlStore

DocumentResolver = Callable[[str], Awaitable[bytes]]
MAX_DOCUMENT_BYTES = 64 * 1024
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class FetchError(Exception):
    """A document could not be fetched; the message is shown to users."""


def is_public(address: str) -> bool:
    """Whether an IP address is public, including addresses embedded in it (mapped, 6to4, Teredo, NAT64)."""
    try:
        parsed = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour or parsed.teredo or parsed in _NAT64
        if embedded or parsed.is_site_local:
            return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


class PublicAddressResolver(AbstractResolver):
    """Resolves host names, and rejects a name with any address for which *is_permitted* is false.

    The connection uses the addresses checked here, so DNS rebinding has no effect.
    """

    def __init__(self, inner: AbstractResolver, is_permitted: Callable[[str], bool]) -> None:
        self._inner = inner
        self._is_permitted = is_permitted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of *host*; raises OSError if one is not permitted."""
        addresses = await self._inner.resolve(host, port, family)
        if not all(self._is_permitted(item["host"]) for item in addresses):
            raise OSError(f"{host} has an address that is not public")
        return addresses

    async def close(self) -> None:
        """Close the wrapped resolver."""
        await self._inner.close()


def is_fetchable(url: str) -> bool:
    """Whether *url* is https on the default port, with a host name and without user name or fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    # An IP address as host would bypass the resolver and its check of addresses.
    is_host_name = re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*", host) is not None
    return (
        parts.scheme == "https" and is_host_name and port in (None, 443) and "@" not in parts.netloc and "#" not in url
    )


def cache_lifetime(cache_control: str) -> float:
    """Seconds to cache a response (RFC 9111), at most a day; 60 without a directive, 0 if caching is forbidden."""
    directives = cache_control.lower()
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    match = _MAX_AGE.search(directives)
    return min(float(match[1]), 86_400.0) if match else 60.0


class DocumentFetcher:
    """A document resolver that uses the network, with a total timeout of *timeout_seconds*.

    Tests replace *make_resolver*, *is_permitted* (of an address), *tls* and *port*.
    """

    def __init__(
        self,
        *,
        make_resolver: Callable[[], AbstractResolver] = ThreadedResolver,
        is_permitted: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | bool = True,
        port: int = 443,
        timeout_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._make_resolver = make_resolver
        self._is_permitted = is_permitted
        self._tls = tls
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._cache: TtlStore[bytes] = TtlStore(200, clock)
        self._concurrency_limit = Semaphore(4)

    async def __call__(self, url: str) -> bytes:
        """The JSON document at *url*; raises FetchError."""
        if (document := self._cache.get(url)) is not None:
            return document
        if not is_fetchable(url):
            raise FetchError("documents are not fetched from this URL")
        try:
            # The timeout includes waiting for a slot, so that slow hosts do not delay users for long.
            async with timeout(self._timeout_seconds), self._concurrency_limit, self._session() as session:
                body, lifetime = await self._download(session, url)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise FetchError("the document could not be fetched") from error
        if lifetime > 0:
            self._cache.put(url, body, lifetime)
        return body

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        # One session per document: they are rare, and no session is left to close.
        resolver = PublicAddressResolver(self._make_resolver(), self._is_permitted)
        connector = aiohttp.TCPConnector(resolver=resolver, ssl=self._tls, use_dns_cache=False, force_close=True)
        try:
            async with aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            ) as session:
                yield session
        finally:
            # Connectors do not close a resolver that is passed to them.
            await resolver.close()

    async def _download(self, session: aiohttp.ClientSession, url: str) -> tuple[bytes, float]:
        target = urlsplit(url)._replace(netloc=f"{urlsplit(url).hostname}:{self._port}").geturl()
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with session.get(target, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise FetchError(f"the host returned HTTP status {response.status}")
            content_type = response.content_type
            if content_type != "application/json" and not content_type.endswith("+json"):
                raise FetchError("the document is not JSON")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise FetchError("the document is compressed")
            body = bytearray()
            async for chunk in response.content.iter_chunked(8192):
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise FetchError("the document is too large")
            return bytes(body), cache_lifetime(response.headers.get("Cache-Control", ""))
