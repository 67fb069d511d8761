"""Sends the requests of the checks. Each is bounded in time and size, and follows no redirect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
)

from .observations import Observation, Reply, StreamObservation, Unreachable

TIMEOUT_SECONDS = 10.0
MAX_BODY_BYTES = 1 << 20
NO_TIMEOUT = ClientTimeout(total=None)


@asynccontextmanager
async def open_probe(timeout_seconds: float = TIMEOUT_SECONDS) -> AsyncIterator[Probe]:
    """Provide a probe while the block runs. *timeout_seconds* limits each request and the wait for a first event."""
    async with ClientSession(cookie_jar=DummyCookieJar(), timeout=NO_TIMEOUT) as http:
        yield Probe(http, timeout_seconds)


class Probe:
    """Sends requests and watches streams."""

    def __init__(self, http: ClientSession, timeout_seconds: float) -> None:
        self._http, self._timeout = http, timeout_seconds

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | Mapping[str, str] | None = None,
    ) -> Observation:
        """Return the response, whatever its status. A mapping as *data* is sent as a form."""
        started = time.time()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.request(method, url, headers=headers, data=data, allow_redirects=False) as response,
            ):
                offset = _clock_offset(response, (started + time.time()) / 2)
                body = await _read_body(response)
        except TimeoutError:
            return Unreachable(url, f"it took longer than {self._timeout:g} seconds")
        except (ClientError, OSError, ValueError) as error:
            return Unreachable(url, failure_reason(error))
        if body is None:
            return Unreachable(url, f"the response has more than {MAX_BODY_BYTES} bytes")
        return Reply(url, response.status, _lower_case_headers(response), body, offset)

    async def watch_stream(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes | None = None, seconds: float
    ) -> StreamObservation | Unreachable:
        """Watch an event stream for *seconds* after its first event, or until it ends.

        Without an event within the time limit of a request, stop there.
        """
        watch = _Watch(url, time.monotonic())
        try:
            async with asyncio.timeout(self._timeout) as limit:
                async with self._http.request(
                    method, url, headers=headers, data=data, allow_redirects=False
                ) as response:
                    watch.status = response.status
                    if response.status == 200:
                        await watch.read(response, limit, seconds)
        except TimeoutError:
            if not watch.status:
                return Unreachable(url, f"it took longer than {self._timeout:g} seconds")
        except (ClientError, OSError, ValueError) as error:
            if not watch.status:
                return Unreachable(url, failure_reason(error))
            watch.closed = watch.elapsed
        return watch.observation()


class _Watch:
    """What a stream has shown so far."""

    def __init__(self, url: str, started: float) -> None:
        self._url, self._started = url, started
        self.status, self.keepalives = 0, 0
        self.first_event: float | None = None
        self.closed: float | None = None

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    async def read(self, response: ClientResponse, limit: asyncio.Timeout, seconds: float) -> None:
        """Read until the stream ends or *limit*, which moves to *seconds* after the first event."""
        line_start = True
        async for chunk in response.content.iter_any():
            text = b"\n" + chunk if line_start else chunk
            self.keepalives += text.count(b"\n:")
            if self.first_event is None and b"\ndata:" in text:
                self.first_event = self.elapsed
                limit.reschedule(asyncio.get_running_loop().time() + seconds)
            line_start = chunk.endswith(b"\n")
        self.closed = self.elapsed

    def observation(self) -> StreamObservation:
        return StreamObservation(self._url, self.status, self.elapsed, self.first_event, self.closed, self.keepalives)


async def _read_body(response: ClientResponse) -> bytes | None:
    """Return the body, or None if it is too large. An endless event stream counts as too large."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _lower_case_headers(response: ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _clock_offset(response: ClientResponse, now: float) -> float | None:
    """Return how far the sender's clock is ahead. ``Date`` has whole seconds, so its middle is compared."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp() + 0.5 - now
    except ValueError:
        return None


def failure_reason(error: Exception) -> str:
    """Return why a request got no response."""
    match error:
        case ClientConnectorCertificateError():
            return (
                f"its TLS certificate is not valid ({getattr(error.certificate_error, 'verify_message', 'untrusted')})"
            )
        case ClientConnectorDNSError():
            return "its name does not resolve"
        case ClientConnectorError():
            return (error.os_error.strerror or "the connection failed").lower()
    return f"the connection broke ({type(error).__name__})"
