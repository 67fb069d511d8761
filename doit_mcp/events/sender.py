"""Sends signed messages to receivers: over https, to permitted addresses, without redirects, with bounded answers."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from .. import __version__
from ..protocol.jsonrpc import JsonObject, parse_json_object
from .errors import CallbackFailure
from .fair_slots import FairSlots
from .name_resolution import LOOKUP_OWNER, ReceiverResolver
from .receiver_urls import ReceiverPolicy
from .signatures import make_signature_headers
from .store import Owner

MAX_BODY_BYTES = 256 << 10
"""Larger bodies may be refused by receivers (SEP-3415)."""
MAX_ANSWER_BYTES = 16 << 10
"""Only the answer to a verification is read at all."""
TIMEOUT_SECONDS = 5.0
SUBSCRIPTION_HEADER = "X-MCP-Subscription-Id"
MAX_CONNECTIONS, MAX_CONNECTIONS_PER_HOST = 200, 40
MAX_WAIT_SECONDS = 30.0
"""How long a verification waits for a slot, while its client waits."""


class AddressRefused(OSError):
    """The host has an address that events may not be sent to."""


class CheckedResolver(AbstractResolver):
    """Resolves a host name at each connection, and refuses it if *policy* does not permit one of its addresses.

    The connection is made to the addresses checked here, with the original name for TLS.
    """

    def __init__(self, inner: AbstractResolver, policy: ReceiverPolicy) -> None:
        self._inner, self._policy = inner, policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host*. Raise OSError."""
        addresses = await self._inner.resolve(host, port, family)
        if not addresses or not all(self._policy.permits(host, entry["host"]) for entry in addresses):
            raise AddressRefused("the host has an address that events may not be sent to")
        return addresses

    async def close(self) -> None:
        """Close the wrapped resolver."""
        await self._inner.close()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of *owner* to a receiver, signed at each attempt with *secrets*."""

    owner: Owner
    url: str
    subscription_id: str
    message_id: str
    body: bytes = field(repr=False)
    secrets: Sequence[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an attempt: the HTTP *status*, 0 without an answer, and why it failed, None if it did not."""

    status: int
    failure: CallbackFailure | None


class WebhookSender:
    """Sends messages. One per process; use it as a context manager.

    *make_resolver* and *tls* are replaced in tests. *clock* returns epoch seconds.
    """

    def __init__(
        self,
        policy: ReceiverPolicy,
        clock: Callable[[], float],
        *,
        make_resolver: Callable[[], AbstractResolver] = ReceiverResolver,
        tls: ssl.SSLContext | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.policy, self._clock = policy, clock
        self._make_resolver, self._tls, self._timeout_seconds = make_resolver, tls, timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._resolver: CheckedResolver | None = None
        self._slots = FairSlots(MAX_CONNECTIONS, MAX_CONNECTIONS_PER_HOST)

    async def __aenter__(self) -> Self:
        self._resolver = CheckedResolver(self._make_resolver(), self.policy)
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            ssl=self._tls or ssl.create_default_context(),
            use_dns_cache=False,
            # A connection kept open would skip the check of addresses.
            force_close=True,
            # Bounded by _slots: time in the connector's queue would count as time of the receiver.
            limit=0,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=MAX_ANSWER_BYTES,
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            headers={"User-Agent": f"doit-mcp/{__version__}"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None and self._resolver is not None
        await self._session.close()
        # Connectors do not close a resolver that is passed to them.
        await self._resolver.close()

    async def send(self, message: Message) -> Outcome:
        """Make one attempt to deliver *message*. The answer's body is not read."""
        return (await self._attempt(message, 0))[0]

    async def verify(self, owner: Owner, url: str, subscription_id: str, secret: str) -> CallbackFailure | None:
        """Ask the receiver at *url* to confirm that it wants events. Return why it did not, None if it did."""
        challenge = secrets.token_urlsafe(32)
        body = orjson.dumps({"type": "verification", "challenge": challenge})
        message = Message(owner, url, subscription_id, f"msg_verification_{secrets.token_hex(8)}", body, (secret,))
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                outcome, answer = await self._attempt(message, MAX_ANSWER_BYTES)
        except TimeoutError:
            return "timeout"
        if outcome.failure is not None:
            return outcome.failure
        echoed = (parse_json_object(answer) or {}).get("challenge")
        is_equal = isinstance(echoed, str) and hmac.compare_digest(
            echoed.encode("utf-8", "replace"), challenge.encode()
        )
        return None if is_equal else "challenge_failed"

    async def _attempt(self, message: Message, max_answer_bytes: int) -> tuple[Outcome, bytes]:
        try:
            # The URL may have been stored before the operator changed which hosts are allowed.
            host = self.policy.check_url(message.url)
        except ValueError:
            return Outcome(0, "connection_refused"), b""
        async with self._slots.use(message.owner, host):
            return await self._post(message, max_answer_bytes)

    async def _post(self, message: Message, max_answer_bytes: int) -> tuple[Outcome, bytes]:
        assert self._session is not None
        LOOKUP_OWNER.set(message.owner)
        timestamp = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            SUBSCRIPTION_HEADER: message.subscription_id,
            **make_signature_headers(message.secrets, message.message_id, timestamp, message.body),
        }
        try:
            async with asyncio.timeout(self._timeout_seconds):
                async with self._session.post(
                    URL(message.url, encoded=True), data=message.body, headers=headers, allow_redirects=False
                ) as response:
                    answer = await _read_bounded(response, max_answer_bytes)
                    return Outcome(response.status, _status_failure(response.status)), answer
        except TimeoutError:
            return Outcome(0, "timeout"), b""
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return Outcome(0, "tls_error"), b""
        except (aiohttp.ClientError, OSError, ValueError):
            return Outcome(0, "connection_refused"), b""


async def _read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Return the body of *response*, b"" if it has more than *max_bytes*. Reads no more than that."""
    answer = bytearray()
    while len(answer) <= max_bytes and max_bytes:
        chunk = await response.content.read(max_bytes + 1 - len(answer))
        if not chunk:
            return bytes(answer)
        answer += chunk
    return b""


def _status_failure(status: int) -> CallbackFailure | None:
    """Return the failure that an HTTP status means. Redirects are not followed, so they are failures of the receiver."""
    if 200 <= status < 300:
        return None
    return "http_5xx" if status >= 500 else "http_4xx"


def event_body(event: JsonObject) -> bytes:
    """Return the body of a delivery: ``eventId``, ``name``, ``timestamp``, ``data`` and ``cursor``."""
    return orjson.dumps({**event, "cursor": None})
