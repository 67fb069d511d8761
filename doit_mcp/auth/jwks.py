"""The identity provider's signing keys (JWKS): fetched, refreshed in the background, and kept during its outages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, EllipticCurvePublicNumbers

from ..protocol.base64url import decode_base64url
from ..protocol.jsonrpc import JsonObject
from .access_tokens import ALGORITHM, KEY_ID
from .errors import unavailable_error
from .http_fetch import FetchError, fetch_document
from .single_flight import SingleFlight

log = logging.getLogger(__name__)

KeySet = Mapping[bytes, EllipticCurvePublicKey]
"""Keys by their point (x and y, 64 bytes), because all of them have the same ``kid``."""

JWKS_PATH = "/.well-known/jwks.json"
TIMEOUT_SECONDS = 5.0
MAX_KEYS = 8
REFRESH_INTERVAL_SECONDS = 300.0
COOLDOWN_SECONDS = 30.0
RETRY_INTERVAL_SECONDS = 5.0
"""Pause between fetches while there are no keys."""
MAX_STALE_SECONDS = 86_400.0
"""How long keys stay in use while the provider is unavailable."""


class InvalidKeySet(Exception):
    """The provider's document does not show which keys are in force."""


def read_keys(document: JsonObject | None) -> KeySet:
    """Return the keys for access tokens in a JWK set (RFC 7517, section 5); other and malformed entries are skipped.

    A set that lists only keys for other uses is valid and withdraws ours. A set without any usable entry, or with our
    key in a form that cannot be read, is a fault of the provider: raises InvalidKeySet.
    """
    entries = document.get("keys") if document is not None else None
    if not isinstance(entries, list):
        raise InvalidKeySet("not a JWK set")
    jwks = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("kty"), str)]
    ours = [jwk for jwk in jwks if jwk.get("kid") == KEY_ID]
    keys: dict[bytes, EllipticCurvePublicKey] = {}
    for jwk in ours:
        point = _read_public_key(jwk)
        if point is not None and len(keys) < MAX_KEYS:
            keys[point[0]] = point[1]
    if not keys and (ours or not jwks):
        raise InvalidKeySet("no usable key")
    return keys


def _read_public_key(jwk: JsonObject) -> tuple[bytes, EllipticCurvePublicKey] | None:
    """Return the point and key of a public ES256 JWK (RFC 7518, section 6.2), or None for any other JWK."""
    if jwk["kty"] != "EC" or jwk.get("crv") != "P-256" or "d" in jwk or not _may_verify(jwk):
        return None
    coordinates = [decode_base64url(jwk[name]) if isinstance(jwk.get(name), str) else None for name in ("x", "y")]
    if coordinates[0] is None or coordinates[1] is None or len(coordinates[0]) != 32 or len(coordinates[1]) != 32:
        return None
    numbers = EllipticCurvePublicNumbers(int.from_bytes(coordinates[0]), int.from_bytes(coordinates[1]), SECP256R1())
    try:
        return coordinates[0] + coordinates[1], numbers.public_key()
    except ValueError:  # not on the curve
        return None


def _may_verify(jwk: JsonObject) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig"
        and jwk.get("alg", ALGORITHM) == ALGORITHM
        and isinstance(operations, list)
        and "verify" in operations
    )


class JwksCache:
    """The keys in force at *issuer*.

    A fetch that succeeds replaces them at once. One that fails changes nothing until the keys are a day old. *sleep*
    waits a number of seconds; *timeout* limits a fetch, in seconds.
    """

    def __init__(
        self,
        issuer: str,
        http: ClientSession,
        clock: Callable[[], float],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._url = issuer.rstrip("/") + JWKS_PATH
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._timeout = timeout
        self._single_flight: SingleFlight[None] = SingleFlight(2)
        self._failed = False
        self._attempted_at = self._fetched_at = self._renewed_at = float("-inf")
        self.in_force: KeySet = {}
        # Whether keys have been loaded at least once.
        self.ready = False

    async def get_keys(self) -> KeySet:
        """Return the keys in force, at least one. Raise AuthError 503 while none can be loaded."""
        if not self.in_force and (
            b"fetch" in self._single_flight or not self._is_within(RETRY_INTERVAL_SECONDS, self._attempted_at)
        ):
            await self._single_flight.join(b"fetch", self._fetch)
        if not self.in_force:
            raise unavailable_error(
                "The keys of the sign-in service cannot be loaded at the moment.", RETRY_INTERVAL_SECONDS
            )
        return self.in_force

    async def refresh_keys(self) -> KeySet:
        """Return the keys after a refresh, for a signature that no known key made.

        The ``kid`` does not show a rotation. Fetches at once, and then not again for 30 s; a call in that time
        schedules a fetch for its end, so that a rotation is noticed even if its token does not return. Raise AuthError
        503 if the provider is unavailable, because the token may be valid.
        """
        if b"fetch" in self._single_flight or not self._is_within(COOLDOWN_SECONDS, self._renewed_at):
            if b"fetch" not in self._single_flight:
                self._renewed_at = self._clock()
            await self._single_flight.join(b"fetch", self._fetch)
        elif b"later" not in self._single_flight:
            self._schedule_refresh()
        if self._failed or not self.in_force:
            raise unavailable_error(
                "The sign-in service cannot be reached to verify the access token.", COOLDOWN_SECONDS
            )
        return self.in_force

    def _schedule_refresh(self) -> None:
        """Schedule a fetch for the end of the cooldown."""
        delay = min(COOLDOWN_SECONDS, max(0.0, self._renewed_at + COOLDOWN_SECONDS - self._clock()))

        async def fetch_later() -> None:
            await self._sleep(delay)
            self._renewed_at = self._clock()
            await self._single_flight.join(b"fetch", self._fetch)

        self._single_flight.start(b"later", fetch_later)

    async def refresh_periodically(self) -> None:
        """Fetch every 5 minutes until canceled, sooner after a failure."""
        while True:
            await self._single_flight.join(b"fetch", self._fetch)
            await self._sleep(
                RETRY_INTERVAL_SECONDS
                if not self.in_force
                else COOLDOWN_SECONDS
                if self._failed
                else REFRESH_INTERVAL_SECONDS
            )

    async def close(self) -> None:
        """Cancel the fetches in progress."""
        await self._single_flight.close()

    async def _fetch(self) -> None:
        try:
            document = await fetch_document(self._http, self._url, name="keys", timeout_seconds=self._timeout)
            keys = read_keys(document)
        except (FetchError, InvalidKeySet) as error:
            self._handle_failure(str(error))
            return
        finally:
            self._attempted_at = self._clock()
        if self._failed or keys.keys() != self.in_force.keys():
            log.info("identity provider keys refreshed: %d in use", len(keys))
        self.in_force, self._fetched_at, self._failed = keys, self._clock(), False
        self.ready = self.ready or bool(keys)

    def _handle_failure(self, reason: str) -> None:
        """Keep the current keys, unless they are too old to be trusted."""
        self._failed = True
        if self.in_force and self._clock() - self._fetched_at > MAX_STALE_SECONDS:
            self.in_force = {}
        log.warning("identity provider keys could not be fetched (%s): %d kept", reason, len(self.in_force))

    def _is_within(self, seconds: float, moment: float) -> bool:
        # A clock that was set back must not stretch the wait.
        return 0 <= self._clock() - moment < seconds
