"""The identity provider's metadata (RFC 8414), relayed to clients that look for it at this server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientSession

from .errors import unavailable_error
from .http_fetch import FetchError, fetch_document
from .single_flight import SingleFlight

log = logging.getLogger(__name__)

METADATA_PATH = "/.well-known/oauth-authorization-server"
TIMEOUT_SECONDS = 5.0
MAX_METADATA_BYTES = 64 << 10
LIFETIME_SECONDS = 300.0
RETRY_INTERVAL_SECONDS = 5.0
"""Pause after a failed fetch."""
MAX_STALE_SECONDS = 86_400.0
"""How long a document stays in use while the provider is unavailable."""


class InvalidMetadata(Exception):
    """The provider's document is not the metadata of the configured issuer."""


def metadata_url(issuer: str, document: str = METADATA_PATH) -> str:
    """Return the URL of a metadata *document* of *issuer*, whose path follows the well-known one (RFC 8414, section 3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}{document}{parts.path.rstrip('/')}"


class ProviderMetadata:
    """The metadata of *issuer*, fetched when a client asks for it. *clock* returns epoch seconds."""

    def __init__(
        self, issuer: str, http: ClientSession, clock: Callable[[], float], *, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._issuer, self._http, self._clock, self._timeout = issuer, http, clock, timeout
        self._single_flight: SingleFlight[None] = SingleFlight(1)
        self._document = b""
        self._fetched_at = self._attempted_at = float("-inf")

    async def get(self) -> bytes:
        """Return the document as JSON. Raise AuthError 503 while the provider has none."""
        if not self._is_within(LIFETIME_SECONDS, self._fetched_at) and (
            b"fetch" in self._single_flight or not self._is_within(RETRY_INTERVAL_SECONDS, self._attempted_at)
        ):
            await self._single_flight.join(b"fetch", self._fetch)
        if not self._document or not self._is_within(MAX_STALE_SECONDS, self._fetched_at):
            raise unavailable_error(
                "The metadata of the sign-in service cannot be loaded at the moment.", RETRY_INTERVAL_SECONDS
            )
        return self._document

    async def close(self) -> None:
        """Cancel the fetch in progress."""
        await self._single_flight.close()

    async def _fetch(self) -> None:
        try:
            document = await fetch_document(
                self._http,
                metadata_url(self._issuer),
                name="metadata",
                timeout_seconds=self._timeout,
                max_bytes=MAX_METADATA_BYTES,
            )
            # Another issuer could lead clients to a server that the operator did not choose (RFC 8414, section 3.3).
            if document is None or document.get("issuer") != self._issuer:
                raise InvalidMetadata("not the metadata of AUTH_SERVER_URL")
        except (FetchError, InvalidMetadata) as error:
            log.warning("identity provider metadata could not be fetched (%s)", error)
            return
        finally:
            self._attempted_at = self._clock()
        self._document, self._fetched_at = orjson.dumps(document), self._clock()

    def _is_within(self, seconds: float, moment: float) -> bool:
        # A clock that was set back must not stretch the wait.
        return 0 <= self._clock() - moment < seconds
